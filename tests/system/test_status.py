"""accountctl status against real daemons: what is well, and what is stopped, not ready, missing or away."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl

import pytest

from servers import BUILD, ROOT, WITH_PARENT, free_port, wait_for
from world import World


class Status:
    """Runs accountctl status with the configuration of a world's first daemon."""

    def __init__(self, world):
        self.world = world
        self.command = [str(BUILD / "accountctl"), "-c", str(world.daemons[0].config)]

    def urls(self):
        return [word for daemon in self.world.daemons for word in ("--metrics", f"http://{daemon.listen}")]

    def __call__(self, *arguments, environment=None):
        done = subprocess.run(
            [*self.command, "status", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            env={**os.environ, **(environment or {})},
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *arguments, code=0):
        """What it finds; a code of None allows any."""
        status, out, said = self("--json", "--interval", "0.2", *self.urls(), *arguments)
        assert code in (status, None), (status, out, said, self.world.logs())
        return json.loads(out)


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    """Two daemons share three partitions."""
    made = World(kafka, tmp_path_factory.mktemp("status"), "status", 3, settings={"worker": {"threads": 1}})
    made.daemon()
    yield made
    made.close()


def wait_settled(here):
    """Until all daemons are ready, and each holds partitions."""
    status = Status(here)

    def settled():
        now = status.json(code=None)
        holders = {row["member"] for row in now["kafka"]["partitions"]}
        ready = all(daemon["up"] and daemon["ready"] for daemon in now["daemons"])
        return ready and None not in holders and len(holders) == len(here.daemons)

    return wait_for(lambda: f"ready, and all partitions held: {status()}\n{here.logs()}", settled, 20)


def test_what_kafka_knows(here):
    wait_settled(here)
    for i in range(5):
        here.ask({"op": "create", "app": "demo", "account": f"a{i}"}, partition=1)
    kafka = Status(here).json()["kafka"]
    assert kafka["brokers"] == here.kafka.address and kafka["error"] is None
    assert kafka["group"] == {"id": "status", "state": "Stable", "members": 2, "error": None}
    assert [topic["role"] for topic in kafka["topics"]] == ["commands", "replies", "exports", "changelog", "dead_letters"]
    assert all(topic["partitions"] == 3 and topic["error"] is None for topic in kafka["topics"])
    rows = kafka["partitions"]
    assert [(row["partition"], row["end"], row["committed"], row["lag"]) for row in rows] == [
        (0, 0, None, 0),
        (1, 5, 5, 0),
        (2, 0, None, 0),
    ]
    assert all(row["host"] == "127.0.0.1" and row["client"] == "accountd" for row in rows), rows
    assert kafka["lag"] == 0 and kafka["offsets_error"] is None


def test_what_daemons_say(here):
    """Rates and percentiles are those of the time between two scrapes, counters those since the start."""
    wait_settled(here)
    here.ask(b"no command", partition=0)
    command = [*Status(here).command, "status", "--json", "--interval", "1", *Status(here).urls()]
    asked = 0
    with subprocess.Popen([*WITH_PARENT, *command], stdout=subprocess.PIPE) as running:
        while running.poll() is None:
            here.send(*({"op": "get", "app": "demo", "account": "nobody"} for _ in range(3)), partition=asked % 3)
            asked += 1
        found = json.loads(running.stdout.read())
    daemons = found["daemons"]
    assert [daemon["url"] for daemon in daemons] == [f"http://{daemon.listen}" for daemon in here.daemons]
    for daemon in daemons:
        assert daemon["up"] and daemon["ready"] and daemon["reasons"] == [] and daemon["error"] is None
        assert re.fullmatch(r"\d+\.\d+\.\d+", daemon["version"])
        for name in ("workers", "workers_ready", "workers_redis", "workers_kafka"):
            assert daemon[name] == 1, (name, daemon)
        for name in ("partitions_halted", "threads_stuck", "exports_open", "exports_running", "restore_records"):
            assert daemon[name] == 0, (name, daemon)
    assert sum(daemon["partitions"] for daemon in daemons) == 3
    assert sum(daemon["dead_letters"] for daemon in daemons) == 1
    rates = [daemon["rates"] for daemon in daemons]
    for kind in (lambda rate: rate["per_second"], lambda rate: rate["by_code"].get("account_not_found", 0)):
        assert 0 < sum(map(kind, rates)) <= 3 * asked, (asked, rates)
    assert set().union(*(rate["by_code"] for rate in rates)) == {"account_not_found"}
    for rate in rates:
        assert not rate["by_code"] or 0 < rate["p50_ms"] <= rate["p99_ms"] < 5000, rates


def test_as_text(here):
    wait_settled(here)
    code, out, said = Status(here)("--interval", "0.1", *Status(here).urls())
    assert (code, said) == (0, ""), (out, said)
    assert f"Kafka {here.kafka.address}, group status: Stable, 2 members, lag 0\n" in out
    assert out.count(": ready, version ") == 2
    assert re.search(r"^PARTITION +END +COMMITTED +LAG  MEMBER$", out, re.MULTILINE)
    assert len(re.findall(r"^ +[012] +\d+ +(?:\d+|-) +0  \S+ at 127\.0\.0\.1$", out, re.MULTILINE)) == 3, out
    assert "\x1b" not in out
    by_environment = {"ACCOUNTCTL_METRICS": ", ".join(f"http://{daemon.listen}/metrics" for daemon in here.daemons)}
    code, out, said = Status(here)("--interval", "0.1", environment=by_environment)
    assert (code, said, out.count(": ready, version ")) == (0, "", 2)


def test_a_daemon_that_hangs_and_one_that_is_gone(here):
    """Each is told in its place, in bounded time, and the rest is shown."""
    wait_settled(here)
    gone = f"http://127.0.0.1:{free_port()}"
    here.daemons[1].send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        found = Status(here).json("--metrics", gone, code=1)
        assert time.monotonic() - began < 8
    finally:
        here.daemons[1].send(signal.SIGCONT)
    first, second, third = found["daemons"]
    assert first["up"] and first["ready"]
    assert second == {"url": f"http://{here.daemons[1].listen}", "up": False, "error": "Connection timed out"}
    assert third == {"url": gone, "up": False, "error": "Connection refused"}
    assert found["kafka"]["error"] is None
    wait_settled(here)


def test_redis_is_away(world):
    """The daemon answers that it is not ready, and why; Kafka's part shows the lag that grows."""
    here = world(partitions=1)
    here.ask({"op": "create", "app": "demo", "account": "a"})
    here.redis_server.kill()
    for i in range(3):
        here.post({"op": "create", "app": "demo", "account": f"b{i}"})
    here.poster.flush()

    def told():
        found = Status(here).json(code=1)
        daemon = found["daemons"][0]
        away = daemon["workers_redis"] < daemon["workers"] and any("Redis" in reason for reason in daemon["reasons"])
        return not daemon["ready"] and away and found

    found = wait_for(lambda: f"not ready: {Status(here)()}\n{here.logs()}", told, 20)
    assert found["kafka"]["lag"] == 3 and found["kafka"]["partitions"][0]["lag"] == 3
    code, out, _ = Status(here)("--interval", "0.1", *Status(here).urls())
    assert code == 1 and ": not ready: " in out and "Redis" in out


def test_a_missing_topic_and_no_daemon(world):
    here = world(partitions=1, start=False)
    here.daemon(start=False, kafka={"exports": "nowhere.exports"})
    found = Status(here).json(code=1)
    topics = {topic["role"]: topic for topic in found["kafka"]["topics"]}
    assert topics["exports"]["partitions"] is None and topics["exports"]["error"]
    assert topics["commands"]["partitions"] == 1
    assert found["kafka"]["group"]["members"] == 0
    assert found["kafka"]["partitions"] == [
        {"partition": 0, "end": 0, "committed": None, "lag": 0, "member": None, "client": None, "host": None}
    ]
    code, out, _ = Status(here)()
    assert code == 1 and "topic of exports nowhere.exports: missing\n" in out


def test_kafka_is_away(here):
    """Its place says so, and the daemon's part is shown."""
    away = f"127.0.0.1:{free_port()}"
    found = Status(here).json("--brokers", away, "--timeout", "1", code=6)
    assert found["kafka"]["brokers"] == away and "Connection refused" in found["kafka"]["error"]
    assert found["kafka"]["partitions"] is None and found["kafka"]["lag"] is None
    assert found["daemons"][0]["ready"]
    code, out, said = Status(here)("--brokers", away, "--timeout", "1")
    assert (code, said) == (6, "") and f"Kafka {away}: " in out


def test_the_documents_commands(here):
    """docs/operations.md has blocks named status and status-script: they are run with this daemon's own values."""
    wait_settled(here)
    text = (ROOT / "docs/operations.md").read_text()
    printed = {}
    for name in ("status", "status-script"):
        (block,) = re.findall(rf"^```sh {name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for wanted, own in (
            ("accountctl ", f"{BUILD}/accountctl "),
            ("/etc/accountd/accountd.conf", str(here.daemons[0].config)),
            ("127.0.0.1:9464", here.daemons[0].listen),
        ):
            assert wanted in block
            block = block.replace(wanted, own)
        done = subprocess.run(["bash", "-ec", block], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (done.stdout, done.stderr)
        printed[name] = done.stdout
    assert "Stable, 2 members, lag 0" in printed["status"] and ": ready, version" in printed["status"]
    assert json.loads(printed["status-script"])["kafka"]["lag"] == 0


def test_wrong_usage(here):
    for line in (
        "status a",
        "status --metrics 127.0.0.1:9464",
        "status --metrics https://127.0.0.1:9464",
        "status --metrics http://user:password@127.0.0.1:9464",
        "status --metrics http://127.0.0.1:0",
        "status --interval 0",
        "status --interval soon",
        "status --force",
    ):
        done = subprocess.run([*Status(here).command, *line.split()], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and done.stderr and not done.stdout, line


class Screen:
    """accountctl status on a terminal of its own."""

    def __init__(self, command, rows=40, columns=100):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(command[0], command)
        ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.text = ""
        self.code = None

    def read(self, seconds):
        """What has been written, and more of it until nothing comes for so long."""
        while select.select([self.terminal], [], [], seconds)[0]:
            try:
                self.text += os.read(self.terminal, 65536).decode()
            except OSError:
                break
        return self.text

    def wait(self, what, seconds=20):
        wait_for(lambda: f"{what!r} on the screen: {self.text!r}", lambda: what(self.read(0.05)), seconds)

    def ended(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is not None

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


def refreshes(text):
    return text.count("\x1b[H")


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "ctrl-c"])
def test_on_a_terminal(here, key):
    """It is drawn anew in place until a key ends it, and leaves the terminal as it was."""
    screen = Screen([*Status(here).command, "status", "--interval", "0.2", *Status(here).urls()])
    try:
        screen.wait(lambda text: refreshes(text) >= 3 and "/s" in text)
        assert screen.text.startswith("\x1b[?1049h") and "ready" in screen.text
        os.write(screen.terminal, key.encode())
        wait_for(lambda: f"the end: {screen.text!r}", lambda: screen.read(0.05) and screen.ended(), 10)
        assert screen.code == 0 and screen.text.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")
        frames = screen.text.split("\x1b[H")[1:]
        assert all(frame.count("\n") < 40 for frame in frames)
    finally:
        screen.close()


def test_on_a_terminal_without_kafka(here):
    """q is heard while the brokers are still being waited for; a small window is not overfilled."""
    away = f"127.0.0.1:{free_port()}"
    screen = Screen([*Status(here).command, "status", "--brokers", away, "--timeout", "60"], rows=5)
    try:
        screen.wait(lambda text: "asking" in text)
        os.write(screen.terminal, b"q")
        wait_for(lambda: f"the end: {screen.text!r}", lambda: screen.read(0.05) and screen.ended(), 5)
        assert screen.code == 0
    finally:
        screen.close()
    screen = Screen([*Status(here).command, "status", "--interval", "0.1", *Status(here).urls()], rows=5)
    try:
        screen.wait(lambda text: refreshes(text) >= 3)
        for frame in screen.text.split("\x1b[H")[1:-1]:
            assert frame.count("\n") == 4, frame
    finally:
        screen.close()
