"""accountctl bench: what it counts is what was posted, and it leaves nothing behind."""

import json
import re
import signal
import subprocess
import time
import urllib.request

import pytest

from servers import BUILD, ROOT, WITH_PARENT, wait_for
from world import World


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    made = World(kafka, tmp_path_factory.mktemp("bench"), "bench", 2, settings={"worker": {"threads": 1}})
    yield made
    made.close()


def command(here, *arguments):
    return [str(BUILD / "accountctl"), "-c", str(here.daemons[0].config), *arguments]


def run(here, *arguments):
    done = subprocess.run(command(here, *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    return done.returncode, done.stdout, done.stderr


def accounts(here, app):
    """The app's accounts. The model knows nothing of what a bench does, so it is not asked."""
    code, out, said = run(here, "--app", app, "--json", "list")
    assert code == 0, (out, said, here.logs())
    return [row["account"] for row in json.loads(out)["rows"]]


def commands(here, op):
    """How many of an operation the daemon has counted."""
    with urllib.request.urlopen(f"http://{here.daemons[0].listen}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return sum(int(n) for n in re.findall(rf'^accountd_commands_total{{[^}}]*op="{op}"[^}}]*}} (\d+)$', text, re.MULTILINE))


def test_counts(here):
    code, out, said = run(
        here, "--app", "load", "--json", "bench", "--rate", "300", "--duration", "2", "--accounts", "50", "--mix", "create=1,edit=3,get=5,delete=1"
    )
    assert code == 0 and not said, (code, out, said, here.logs())
    found = json.loads(out)
    assert found["posted"] == found["replied"] == 600 and found["without_reply"] == 0 and found["duplicates"] == 0
    assert sum(found["codes"].values()) == 600 and set(found["codes"]) == {"ok", "account_not_found"}
    assert 1.9 <= found["seconds"] <= 20 and found["rate"] == 300
    latency = found["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99_9"] <= latency["max"]
    assert found["deleted"] and not found["interrupted"]
    assert accounts(here, "load") == []


def test_the_daemon_saw_as_many(here):
    """The load of two accounts a command, and the hundreds that make and delete, by the daemon's own counters."""
    operations = ("create", "edit", "delete")
    before = [commands(here, op) for op in operations]
    code, out, said = run(
        here, "--app", "many", "--json", "bench", "--rate", "100", "--duration", "1", "--accounts", "250", "--batch", "2", "--mix", "edit=1"
    )
    assert code == 0, (out, said, here.logs())
    assert json.loads(out)["codes"] == {"ok": 100}

    assert [commands(here, op) - count for op, count in zip(operations, before)] == [3, 100, 3]


def test_somebody_elses_accounts(here):
    """An app that has accounts is left alone, unless it is meant; and its accounts are not touched then."""
    assert run(here, "--app", "inuse", "create", "mine")[0] == 0
    code, out, said = run(here, "--app", "inuse", "bench", "--duration", "1")
    assert code == 1 and not out and "app inuse has accounts; with --yes" in said, said
    code, out, said = run(here, "--app", "inuse", "bench", "--duration", "1", "--accounts", "5", "--yes")
    assert code == 0, (out, said)
    code, out, said = run(here, "--app", "inuse", "--json", "get", "mine")
    assert code == 0 and json.loads(out)["record"]["revision"] == 1, (out, said)
    assert accounts(here, "inuse") == ["mine"]


def test_keep(here):
    code, out, said = run(here, "--app", "kept", "bench", "--duration", "1", "--accounts", "3", "--keep")
    assert code == 0, (out, said)
    (run_id,) = re.findall(r"its accounts are left: bench-([0-9a-f]{8})-\*", out)
    assert sorted(accounts(here, "kept")) == [f"bench-{run_id}-{i}" for i in range(3)]


def test_interrupted(here):
    """Ctrl-C: what was found so far, and the accounts are deleted all the same."""
    line = command(here, "--app", "cut", "--json", "bench", "--rate", "50", "--duration", "600", "--accounts", "5", "--mix", "edit=1")
    with subprocess.Popen([*WITH_PARENT, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        wait_for(lambda: f"the accounts are made: {here.logs()}", lambda: len(accounts(here, "cut")) == 5, 20)
        time.sleep(0.5)  # some of the load
        running.send_signal(signal.SIGINT)
        out, said = running.communicate(timeout=60)
    found = json.loads(out)
    assert running.returncode == 0 and found["interrupted"] and found["deleted"], (out, said)
    assert found["posted"] == found["replied"] < 30000
    assert accounts(here, "cut") == []


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("--app x bench --mix get=0", "create=N,edit=N,get=N,delete=N"),
        ("--app x bench --rate 1000001", "--rate: at most 1000000"),
        ("--app x bench --batch 101 --accounts 1000", "--batch: one command takes at most 100"),
        ("--app x bench --accounts 1 --batch 2", "--accounts: from as many as --batch says"),
        ("--app x bench alice", "bench makes accounts of its own"),
        ("bench", "which app?"),
    ],
)
def test_refusals(here, arguments, hint):
    code, out, said = run(here, *arguments.split())
    assert code == 2 and not out and hint in said, (out, said)


def test_no_daemon(here):
    """Nobody answers: it says so, and does not wait for ever."""
    here.daemons[0].stop()
    try:
        code, out, said = run(here, "--app", "nobody", "--timeout", "1", "bench", "--duration", "1")
        assert code == 5 and not out and "no reply" in said, (code, out, said)
    finally:
        here.daemons[0].start()


def test_the_documents_block(here):
    """docs/operations.md has a block named bench: it is run with this daemon's own values, and shorter."""
    text = (ROOT / "docs/operations.md").read_text()
    (block,) = re.findall(r"^```sh bench\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for wanted, own in (
        ("accountctl ", f"{BUILD}/accountctl "),
        ("/etc/accountd/accountd.conf", str(here.daemons[0].config)),
        ("--duration 60", "--duration 1"),
    ):
        assert wanted in block
        block = block.replace(wanted, own)
    done = subprocess.run(["bash", "-ec", block], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and re.search(r"^latency p50 [\d.]+ ms, p90 ", done.stdout, re.MULTILINE), done
