"""How far behind accountd is, as /metrics and systemd's status tell it."""

import signal

from servers import wait_for


def metric(daemon, name):
    lines = daemon.http("/metrics")[1].splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)


def test_lag(world):
    """It grows while Redis hangs, counts exactly what is not decided, and is gone when that is."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    here.ask({"op": "create", "app": "demo", "account": "a"})
    here.redis_server.process.send_signal(signal.SIGSTOP)
    records = [here.post({"op": "create", "app": "demo", "account": f"n{i}"}, partition=i % 2) for i in range(60)]
    here.poster.flush()
    seen = lambda: f"lag: {metric(daemon, 'accountd_lag')}\n{daemon.log()}"  # noqa: E731
    wait_for(seen, lambda: metric(daemon, "accountd_lag") == 60, 30)
    here.redis_server.process.send_signal(signal.SIGCONT)
    for record in records:
        here.check(record, 30)
    wait_for(seen, lambda: metric(daemon, "accountd_lag") == 0, 15)
