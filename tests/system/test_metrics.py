"""/metrics, /livez, /readyz and /version of the real program."""

import json
import re
import subprocess

from frozen import Frozen
from servers import ROOT, wait_for


def samples(daemon):
    """{'name{labels}': value} of all lines."""
    lines = daemon.http("/metrics")[1].splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def wait_sample(here, daemon, name, value):
    wait_for(lambda: f"{name} {value}\n{samples(daemon)}\n{here.logs()}", lambda: samples(daemon).get(name) == value, 15)


def test_prometheus_takes_the_page(shared, tmp_path):
    """promtool has nothing to say, and what it reads is all there is."""
    page = shared.daemons[0].http("/metrics")[1]
    promtool = subprocess.run([ROOT / "tests/monitoring/promtool.sh"], capture_output=True, text=True, check=True)
    said = subprocess.run([promtool.stdout.strip(), "check", "metrics"], input=page, capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", ""), page


def test_what_is_counted(world):
    """Each command once, by what was answered; durations and ages with it."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    before = samples(daemon)
    assert before['accountd_commands_total{op="delete",code="account_not_found"}'] == 0
    assert before["accountd_command_age_seconds_count"] == 0
    assert before["accountd_ready_workers"] == before["accountd_workers"] == 2
    wait_sample(here, daemon, "accountd_redis_up_workers", 2)
    wait_sample(here, daemon, "accountd_kafka_up_workers", 2)

    here.ask({"op": "create", "app": "demo", "account": "a"})
    here.ask({"op": "create", "app": "demo", "account": "a"})
    here.ask({"op": "get", "app": "demo", "account": "a"})
    here.ask(b"\xff no JSON")
    wait_sample(here, daemon, "accountd_command_age_seconds_count", 4)
    now = samples(daemon)
    assert now['accountd_commands_total{op="create",code="ok"}'] == 1
    assert now['accountd_commands_total{op="create",code="account_exists"}'] == 1
    assert now['accountd_commands_total{op="get",code="ok"}'] == 1
    assert now['accountd_commands_total{op="none",code="malformed"}'] == 1
    assert sum(value for name, value in now.items() if name.startswith("accountd_commands_total")) == 4
    assert now["accountd_dead_letters_total"] == 1
    assert now["accountd_command_duration_seconds_count"] == 4
    assert now["accountd_batch_commands_sum"] == 4
    assert 0 < now["accountd_command_duration_seconds_sum"] <= now["accountd_command_age_seconds_sum"] + 0.004
    assert now["accountd_batch_commands_count"] == now['accountd_batch_stage_seconds_count{stage="publish"}'] <= 4
    assert now["accountd_transactions_total{result=\"committed\"}"] == now["accountd_batches_total"]
    assert now["accountd_cache_hits_total"] >= 1
    assert not [name for name in now if "demo" in name], "data of a command in a label"


def test_lag_of_each_partition(world):
    """It goes to whoever holds the partition; nobody else has a series of it."""
    here = world(partitions=2, settings={"worker": {"threads": 1}})
    first = here.daemons[0]
    for partition in range(2):
        wait_sample(here, first, f'accountd_partition_lag{{partition="{partition}"}}', 0)
    second = here.daemon()

    def held():
        return [
            [re.search(r'"(\d)"', name).group(1) for name in samples(daemon) if name.startswith("accountd_partition_lag")]
            for daemon in (first, second)
        ]

    wait_for(lambda: f"one each: {held()}\n{here.logs()}", lambda: sorted(held()) == [["0"], ["1"]], 20)


def test_redis_goes_away(world):
    """The gauges and the counter of it, and /readyz with the reason; /livez stays."""
    here = world(partitions=1, settings={"worker": {"threads": 1}})
    daemon = here.daemons[0]
    here.redis_server.kill()
    wait_sample(here, daemon, "accountd_ready_workers", 0)
    wait_sample(here, daemon, "accountd_redis_up_workers", 0)
    wait_for(here.logs, lambda: samples(daemon)["accountd_redis_failures_total"] > 0, 10)
    status, text = daemon.http("/readyz")
    assert status == 503 and "Redis" in json.loads(text)["reasons"][0], text
    assert daemon.http("/livez")[0] == 200
    here.redis_server.start()
    wait_sample(here, daemon, "accountd_recoveries_total", 1)
    wait_sample(here, daemon, "accountd_ready_workers", 1)


def test_a_worker_that_is_stuck(world):
    """/livez says so, for probes that are to restart the process. It takes the 20 s that a turn of work may take."""
    here = world(partitions=1)
    daemon = here.daemons[0]
    assert daemon.http("/livez") == (200, '{"live":true}\n')
    # A conversation with Kafka, as at the start, may take longer than that.
    here.ask({"op": "get", "app": "demo", "account": "a"})
    with Frozen(daemon.process.pid, "worker"):
        says = lambda: f"{daemon.http('/livez')}\n{here.logs()}"  # noqa: E731
        wait_for(says, lambda: daemon.http("/livez")[0] == 503, 30)
        answer = json.loads(daemon.http("/livez")[1])
        assert answer["live"] is False and re.search("worker [12] makes no progress", answer["reasons"][0]), answer
        wait_sample(here, daemon, "accountd_stuck_threads", 1)
    wait_for(says, lambda: daemon.http("/livez")[0] == 200, 10)
    wait_sample(here, daemon, "accountd_stuck_threads", 0)
    version = json.loads(daemon.http("/version")[1])
    assert set(version) == {"version", "librdkafka"} and all(re.match(r"\d+\.\d+\.\d+$", v) for v in version.values())
