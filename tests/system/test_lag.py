"""How far behind accountd is, as /metrics and systemd's status tell it."""

import json
import signal

from confluent_kafka import Producer

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


def test_ends_of_transactions(world):
    """They take offsets, as what was aborted does, and nothing waits behind them."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    producer = Producer({"bootstrap.servers": here.kafka.address, "transactional.id": here.name, "linger.ms": 0})
    producer.init_transactions(15)
    seen = lambda: f"lag: {metric(daemon, 'accountd_lag')}\n{daemon.log()}"  # noqa: E731
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        for i in range(20):
            command = {"op": "create", "app": "demo", "account": f"n{i}"}
            producer.produce(here.topics.commands, json.dumps(command), partition=i % 2)
        producer.flush(15)
        # Nothing of it is decided as long as it is open.
        wait_for(seen, lambda: metric(daemon, "accountd_lag") == 20, 15)
        end(15)
        wait_for(seen, lambda: metric(daemon, "accountd_lag") == 0, 15)
    assert here.redis.zcard("accounts:{demo}") == 20
    # As they stand before everything that a daemon reads, too.
    daemon.stop()
    daemon.start()
    wait_for(seen, lambda: metric(daemon, "accountd_lag") == 0, 15)
    record = here.post({"op": "create", "app": "demo", "account": "later"}, partition=1)
    here.poster.flush()
    assert here.reply_to(record).body()["status"] == "ok"
    wait_for(seen, lambda: metric(daemon, "accountd_lag") == 0, 15)
    daemon.stop()
