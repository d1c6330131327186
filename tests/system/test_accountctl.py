"""accountctl against accountd on the real broker: what it prints, and the exit codes that scripts rely on."""

import csv
import gzip
import io
import json
import os
import pty
import re
import signal
import subprocess

import pytest
import zstandard

from servers import BUILD, free_port, wait_for
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


@pytest.fixture(scope="module")
def ctl_on_a_terminal(here):
    """Runs accountctl with a terminal; returns all that it said there."""

    def run(app, *arguments, config=here.daemons[0].config, code=0):
        terminal, end = pty.openpty()
        command = [BUILD / "accountctl", "-c", config, "--app", app, *arguments]
        process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env={**os.environ, "TERM": "xterm"})
        os.close(end)
        said = b""
        try:
            while piece := os.read(terminal, 4096):
                said += piece
        except OSError:  # the other end is closed
            pass
        os.close(terminal)
        assert process.wait(60) == code, said
        return said.decode()

    return run


def zstandard_text(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


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


@pytest.fixture(scope="module")
def full_app(ctl, here):
    """An app whose accounts do not fit into one chunk."""
    app = "full"
    for start in range(0, 3000, 100):
        entries = [
            {"account": f"n{i:04}", "profile": {"custom": {"a": f"{i:04}" * 100, "b": f"{i:04}" * 100}}}
            for i in range(start, start + 100)
        ]
        here.post({"op": "create", "app": app, "accounts": entries}, partition=start // 100 % 2)
    here.poster.flush()
    wait_for("the accounts", lambda: here.redis.zcard(f"accounts:{{{app}}}") == 3000)
    return app


def exported(said):
    return int(re.fullmatch(r"exported (\d+) accounts? to .*\n", said).group(1))


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.jsonl.zst"])
def test_export_of_all_to_a_file(ctl, full_app, tmp_path, name):
    """The file's name says how it is written; the same file can be fetched again."""
    file = tmp_path / name
    code, said, errors = ctl(full_app, "export", "--all", "-o", str(file))
    assert (code, exported(said), errors) == (0, 3000, ""), errors
    unpack = {"gz": gzip.decompress, "zst": zstandard_text}.get(name.rpartition(".")[2], bytes)
    rows = [json.loads(line) for line in unpack(file.read_bytes()).splitlines()]
    assert sorted(row["account"] for row in rows) == [f"n{i:04}" for i in range(3000)]
    code, out, _ = ctl(full_app, "--json", "export", "--all", "-o", str(tmp_path / "b.csv"))
    manifest = json.loads(out)["export"]
    assert code == 0 and manifest["format"] == "csv" and manifest["chunks"] > 1
    again = tmp_path / "again.csv"
    assert ctl(full_app, "export", "--from-topic", manifest["export_id"], "-o", str(again))[0] == 0
    assert again.read_bytes() == (tmp_path / "b.csv").read_bytes()
    # A name that says what it is not would mislead whoever reads it.
    for other in ("again.json", "again.csv.gz", "again.ndjson.zst"):
        code, _, errors = ctl(full_app, "export", "--from-topic", manifest["export_id"], "-o", str(tmp_path / other))
        assert code == 1 and "is csv with compression none" in errors, errors
    assert {path.name for path in tmp_path.iterdir()} == {name, "b.csv", "again.csv"}


def test_export_that_is_interrupted(world, tmp_path):
    """It is carried out without who asked for it, who is told how to get it; nothing is left behind."""
    daemon = world(partitions=1, start=False).daemon(start=False)
    command = [BUILD / "accountctl", "-c", daemon.config, "--app", "demo", "export", "--all", "-o", tmp_path / "a.csv"]

    def interrupted():
        """Once the command is posted, which takes a while."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            process.wait(next(delays))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGINT and not out, (process.returncode, said)
        return said

    delays = (0.5 * 2**number for number in range(6))
    said = wait_for("the last words", interrupted, 60)
    assert re.search(r"interrupted; .* accountctl export --from-topic \S+\.commands:0:\d+\n$", said), said
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("a.csv")] == []


@pytest.mark.parametrize("name", ["A.CSV", "a.mpk", "a.JSONL.GZ"])
def test_names_mean_the_same_to_export_and_import(ctl, full_app, app, tmp_path, name):
    file = tmp_path / name
    assert ctl(full_app, "export", "n0001", "n0002", "-o", str(file))[0] == 0
    code, out, said = ctl(app, "import", str(file))
    assert code == 0 and out.startswith("2 lines read: 2 created"), said


def test_export_of_all_to_stdout(ctl, full_app):
    code, out, errors = ctl(full_app, "export", "--all")
    assert (code, len(out.splitlines()), errors) == (0, 3000, "")
    code, out, errors = ctl("nobodys", "export", "--all")
    assert (code, out, errors) == (0, "", "")
    assert ctl(full_app, "export", "n0001", "--fields", "account", "-o", "-") == (0, '{"account":"n0001"}\n', "")
    assert ctl(full_app, "export", "n0001", "--json", "-o", "-")[0] == 2


def test_export_of_all_shows_how_far_it_is(ctl_on_a_terminal, full_app, tmp_path):
    said = ctl_on_a_terminal(full_app, "export", "--all", "-o", str(tmp_path / "a.ndjson"))
    # It does not wrap, however narrow the window is.
    assert re.search(r"\x1b\[\?7l\[#+\.*\] +\d+ %  \d+ of 3000 accounts, \d+/s, \d+:\d\d left\x1b\[\?7h", said), said
    assert "exported 3000 accounts" in said


def test_export_without_a_daemon_shows_that_it_waits(ctl, ctl_on_a_terminal, world, tmp_path):
    config = world(partitions=1, start=False).daemon(start=False).config
    arguments = ["export", "--all", "-o", str(tmp_path / "a.ndjson"), "--timeout", "2.5"]
    said = ctl_on_a_terminal("demo", *arguments, config=config, code=5)
    assert "waiting for accountd, 0:01" in said and "nothing was heard of the export for 2.5 s" in said, said
    code, out, said = ctl("demo", *arguments, config=config)
    assert code == 5 and not out and said.count("\n") == 1 and "waiting" not in said, said


def test_import_shows_how_far_it_is(ctl_on_a_terminal, app, tmp_path):
    file = tmp_path / "a.ndjson"
    file.write_text("".join(f'{{"account": "n{i:05}"}}\n' for i in range(20_000)))
    said = ctl_on_a_terminal(app, "import", str(file))
    assert re.search(r"\[#+\.*\] +\d+ %  \d+ lines, \d+/s, \d+:\d\d left", said), said
    assert "20000 created" in said


def test_export_that_is_not_there(ctl, full_app, tmp_path):
    code, _, errors = ctl(full_app, "export", "--from-topic", "no-such", "-o", str(tmp_path / "a"))
    assert code == 1 and "no export no-such" in errors and not list(tmp_path.iterdir())
    for wrong in (["--all", "n0001"], ["--from-topic", "x", "n0001"], ["--from-topic", "x", "--all"]):
        assert ctl(full_app, "export", *wrong)[0] == 2


def test_export_of_some_of_an_app(ctl, app, tmp_path):
    assert ctl(app, "create", "early", "boss0")[0] == 0
    assert ctl(app, "create", "boss", "--type", "admin")[0] == 0
    code, out, said = ctl(app, "--json", "get", "boss")
    made = json.loads(out)["record"]["created_at"]

    def chosen(*options):
        code, out, said = ctl(app, "export", "--all", "--fields", "account", *options)
        assert code == 0, said
        return [json.loads(line)["account"] for line in out.splitlines()]

    assert chosen("--type", "admin") == ["boss"]
    assert chosen("--type", "general") == ["boss0", "early"]
    assert chosen("--created-after", made) == ["boss"]
    assert chosen("--created-before", made) == ["boss0", "early"]
    assert chosen("--updated-after", "1h") == ["boss0", "early", "boss"]
    assert ctl(app, "edit", "early", "--set", "level=1")[0] == 0
    assert chosen("--updated-after", made, "--type", "general") == ["early"]
    code, _, said = ctl(app, "export", "--all", "--created-after", "yesterday")
    assert code == 1 and "created_after" in said
    for arguments in (["early", "--type", "admin"], ["--from-topic", "e", "--updated-after", "1h"]):
        assert ctl(app, "export", *arguments)[0] == 2
