"""accountctl against accountd on the real broker: what it prints, and the exit codes that scripts rely on."""

import csv
import gzip
import io
import json
import subprocess

import pytest

from servers import BUILD, free_port
from world import World


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    """A world of its own: what accountctl posts is not the model's matter."""
    made = World(kafka, tmp_path_factory.mktemp("ctl"), "ctl", 2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ctl(here):
    """Runs accountctl with the daemon's configuration; returns its exit code, output and messages."""

    def run(app, *arguments, config=here.daemons[0].config):
        options = ["-c", str(config)] if config else []
        done = subprocess.run(
            [BUILD / "accountctl", *options, "--app", app, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_one_account_from_create_to_delete(ctl, app, here):
    assert ctl(app, "create", "alice", "--set", "nickname=Al", "--set", "level=3", "--custom", "team=a")[:2] == (
        0,
        "created alice (revision 1)\n",
    )
    assert here.redis.hget(f"acct:{{{app}}}:alice", "custom.team") == "a"
    code, _, said = ctl(app, "create", "alice")
    assert code == 1 and "account_exists" in said
    assert ctl(app, "edit", "alice", "--unset", "nickname", "--if-revision", "1")[0] == 0
    code, _, said = ctl(app, "edit", "alice", "--set", "level=1", "--if-revision", "1")
    assert code == 1 and "revision_conflict" in said
    code, out, _ = ctl(app, "--json", "get", "alice")
    reply = json.loads(out)
    assert code == 0 and reply["record"]["profile"] == {"level": 3, "custom": {"team": "a"}}
    code, out, _ = ctl(app, "delete", "alice", "--dry-run")
    assert code == 0 and here.redis.exists(f"acct:{{{app}}}:alice")
    assert ctl(app, "delete", "alice")[0] == 0
    assert not here.redis.exists(f"acct:{{{app}}}:alice")


def test_many_accounts(ctl, app):
    assert ctl(app, "create", "a", "b", "c")[0] == 0
    code, _, said = ctl(app, "get", "a", "nobody")
    assert code == 3 and "nobody" in said
    code, _, said = ctl(app, "delete", "a", "b")
    assert code == 2 and "--confirm" in said
    code, out, _ = ctl(app, "list", "--json")
    assert code == 0 and [row["account"] for row in json.loads(out)["rows"]] == ["a", "b", "c"]
    code, out, _ = ctl(app, "list", "--all", "--limit", "2")
    assert code == 0 and all(name in out for name in "abc")
    assert ctl(app, "delete", "a", "b", "--confirm")[0] == 0
    assert ctl(app, "delete", "b", "nobody", "--confirm")[0] == 1


def test_export_to_a_file(ctl, app, tmp_path):
    names = [f"n{number:02}" for number in range(50)]
    assert ctl(app, "create", *names, "--set", 'signature==1+1,"x"')[0] == 0
    file = tmp_path / "accounts.csv.gz"
    assert ctl(app, "export", *names, "--format", "csv", "--compression", "gzip", "-o", str(file))[0] == 0
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(file.read_bytes()).decode(), newline="")))
    assert [row["account"] for row in rows] == names
    assert {row["signature"] for row in rows} == {'\'=1+1,"x"'}
    code, out, said = ctl(app, "export", "n00", "nobody")
    assert code == 3 and json.loads(out)["account"] == "n00" and "nobody" in said
    missing = tmp_path / "none"
    assert ctl(app, "export", "nobody", "-o", str(missing))[0] == 1
    assert not missing.exists() and [path.name for path in tmp_path.iterdir()] == [file.name]


def test_wrong_usage(ctl, app):
    for arguments in (["create"], ["create", "a", "--sett", "b=c"], ["nonsense"], ["edit", "a", "--if-revision", "x"]):
        code, out, said = ctl(app, *arguments)
        assert code == 2 and said and not out, arguments


def test_nobody_answers(world):
    daemon = world(partitions=1, start=False).daemon(start=False)
    command = [BUILD / "accountctl", "-c", str(daemon.config), "--app", "demo", "--timeout", "2", "get", "a"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 5 and done.stderr, done


def test_nobody_there(ctl, app):
    brokers = f"127.0.0.1:{free_port()}"
    code, _, said = ctl(app, "--brokers", brokers, "--timeout", "2", "get", "a", config=None)
    assert code == 6 and brokers in said
