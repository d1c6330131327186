"""accountd as a Debian machine runs it: the packages are installed on a freshly booted one, and systemd starts,
watches, reloads and stops the units. Kafka and Redis are outside of it. The tests are one story: each goes on where
the one before has ended."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from certificates import Authority  # noqa: E402
from daemon import libconfig  # noqa: E402
from frozen import Frozen  # noqa: E402
from generator import SMALL, Load, answered  # noqa: E402
from machine import Machine  # noqa: E402
from servers import ROOT, Kafka, Redis, free_port, wait_for  # noqa: E402
from world import World  # noqa: E402

FILES = Path(os.environ["BUILD"]) / "boot" / os.environ["SUITE"]
PARTITIONS = 4
WATCHDOG_S = 3
PASSWORD = "a secret that is in no file of settings"


@pytest.fixture(scope="module")
def kafka():
    broker = Kafka()
    yield broker
    broker.process.send_signal(signal.SIGCONT)
    broker.close()


@pytest.fixture(scope="module")
def machine():
    booted = Machine(FILES / "boot", (FILES / "debs", "/debs"))
    yield booted
    booted.power_off()


class Service:
    """A unit, and the world that it serves."""

    def __init__(self, machine, kafka, unit, config, directory, name):
        self.machine = machine
        self.unit = unit
        self.config = config
        self.world = World(kafka, directory, name, PARTITIONS, settings=SMALL, start=False)
        user = {"enabled": True, "passwords": [f"+{PASSWORD}"], "keys": ["*"], "commands": ["+@all"]}
        self.world.redis.acl_setuser("accountd", **user)
        redis = {**self.world.settings["redis"], "username": "accountd", "password_file": "redis-password"}
        self.settings = {**self.world.settings, "redis": redis, "http": {"listen": f"127.0.0.1:{free_port()}"}}
        self.load = Load(7, PARTITIONS)
        self.checked = 0

    def configure(self, **changes):
        self.machine.write(self.config, libconfig({**self.settings, **changes}))

    def show(self, *names):
        return self.machine.show(self.unit, *names)

    def status(self):
        return self.show("StatusText")

    def wait_served(self, seconds=60):
        what = f"{PARTITIONS} partitions, lag 0, "

        def is_served():
            return self.show("ActiveState") == "active" and self.status().startswith(what)

        wait_for(lambda: f"{self.unit}: {self.status()}\n{self.machine.journal()}", is_served, seconds, every=0.2)

    def restarts(self):
        return int(self.show("NRestarts"))

    def wait_restarted(self, before, seconds):
        what = lambda: f"a restart of {self.unit}\n{self.machine.journal()}"  # noqa: E731
        wait_for(what, lambda: self.restarts() > before, seconds)
        assert self.restarts() == before + 1

    def reload(self):
        """systemctl returns when the signal is sent; the log says when it was obeyed."""
        mark = "settings: reloaded"
        before = self.machine.journal(self.unit).count(mark)
        self.machine.ask("systemctl", "reload", self.unit)
        wait_for(
            lambda: f"a reload\n{self.machine.journal()}",
            lambda: self.machine.journal(self.unit).count(mark) == before + 1,
        )

    def post(self, count):
        self.load.post(self.world, count)

    def wait_busy(self):
        """In the middle of the load."""
        done = answered(self.world)
        wait_for(self.machine.journal, lambda: answered(self.world) > done + 50, 60, every=0.002)

    def check(self):
        """Every command has had its one effect and its one reply."""
        for record in self.world.posted[self.checked :]:
            self.world.check(record, 90)
        self.checked = len(self.world.posted)
        self.world.check_exactly_once()
        self.world.check_changelog()
        self.world.check_redis()


@pytest.fixture(scope="module")
def service(machine, kafka, tmp_path_factory):
    made = Service(
        machine, kafka, "accountd.service", "/etc/accountd/accountd.conf", tmp_path_factory.mktemp("service"), "boot"
    )
    yield made
    made.world.redis_server.process.send_signal(signal.SIGCONT)
    made.world.close()


@pytest.fixture(scope="module")
def hand(machine, kafka, tmp_path_factory):
    """An instance, for commands by hand."""
    made = Service(
        machine, kafka, "accountd@hand.service", "/etc/accountd/hand.conf", tmp_path_factory.mktemp("hand"), "hand"
    )
    yield made
    made.world.close()


def test_the_packages_install(machine):
    machine.ask("sh", "-c", "dpkg -i /debs/accountd_*.deb /debs/accountctl_*.deb", seconds=120)
    # Whoever has written the settings enables it.
    assert machine.run("systemctl", "is-enabled", "accountd").stdout == "disabled\n"
    assert machine.run("systemctl", "is-active", "accountd").stdout == "inactive\n"
    machine.ask("accountd", "--check-config", "-c", "/etc/accountd/accountd.conf")
    for unit in ("accountd.service", "accountd@hand.service"):
        assert machine.ask("systemd-analyze", "verify", "--man=no", unit) == ""


def test_wrong_settings_are_not_tried_again(machine):
    machine.write("/etc/accountd/accountd.conf", "nonsense = 1;\n")
    assert machine.run("systemctl", "start", "accountd").returncode != 0
    shown = machine.show("accountd", "ActiveState", "ExecMainStatus", "NRestarts")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}


def test_it_waits_for_redis_and_says_so(machine, service):
    """Its password is not there yet: it is up and waits."""
    service.configure()
    machine.ask("systemctl", "enable", "--now", "accountd")
    wait_for(
        lambda: f"{service.status()}\n{machine.journal()}",
        lambda: service.status().startswith("waiting: ") and "redis-password" in service.status(),
        60,
    )


def test_it_starts(machine, service):
    machine.write("/etc/credstore/accountd.redis-password", f"{PASSWORD}\n", "600")
    machine.ask("systemctl", "restart", "accountd")
    service.wait_served()
    assert "commands/s" in machine.ask("systemctl", "status", "--no-pager", "accountd")
    # Only root and the service itself see the secret.
    assert machine.ask("stat", "-c", "%a", "/etc/credstore/accountd.redis-password") == "600\n"


def test_a_look_at_the_servers(machine, service):
    """As docs/operations.md has it: with the secrets, which a shell has not got."""
    secret = "LoadCredential=redis-password:/etc/credstore/accountd.redis-password"
    check = ["accountd", "--check-config", "--connect", "-c", service.config]
    done = machine.run("systemd-run", "--quiet", "--pipe", "-p", "DynamicUser=yes", "-p", secret, *check)
    findings = [line for line in done.stdout.splitlines() if "Redis" in line]
    assert findings and not any(line.startswith("error:") for line in findings), done
    assert "cannot be read" in "".join(machine.run(*check).stdout)


def test_it_is_shut_in(machine, service):
    pid = service.show("MainPID")
    lines = machine.ask("cat", f"/proc/{pid}/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["Uid"].split()[0] != "0", "runs as root"
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, status
    writable_paths = {"/etc": False, "/usr": False, "/var": False, "/var/lib/accountd": True, "/tmp": True}
    for path, writable in writable_paths.items():
        done = machine.run("nsenter", "-t", pid, "-m", "touch", f"{path}/probe")
        assert (done.returncode == 0) == writable, f"{path}: {done.stderr}"
        assert writable or "Read-only file system" in done.stderr, done.stderr
    assert machine.run("ls", "/tmp/probe").returncode != 0, "/tmp is not its own"
    assert machine.run("nsenter", "-t", pid, "-m", "ls", "/home").stdout == ""


def accountctl(machine, hand, *arguments):
    return machine.run("accountctl", "-c", hand.config, "--app", "demo", *arguments)


def test_an_instance_and_a_reload(machine, hand):
    machine.write("/etc/credstore/accountd.hand.redis-password", f"{PASSWORD}\n", "600")
    hand.configure()
    machine.ask("systemctl", "start", "accountd@hand")
    hand.wait_served()
    done = accountctl(machine, hand, "create", "alice", "--set", "level=3")
    assert (done.returncode, done.stdout) == (0, "created alice (revision 1)\n"), done
    assert hand.world.redis.hget("acct:{demo}:alice", "level") == "3"

    pid = hand.show("MainPID")
    hand.configure(apps=["other"])
    hand.reload()
    assert hand.show("MainPID") == pid
    done = accountctl(machine, hand, "edit", "alice", "--set", "level=4")
    assert done.returncode == 1 and "app_forbidden" in done.stdout + done.stderr, done
    hand.configure()
    hand.reload()
    assert accountctl(machine, hand, "edit", "alice", "--set", "level=4").returncode == 0

    started = time.monotonic()
    machine.ask("systemctl", "stop", "accountd@hand")
    assert time.monotonic() - started < 10
    assert hand.show("Result") == "success"


def test_kill_9(machine, service):
    before = service.restarts()
    service.post(1500)
    service.wait_busy()
    machine.ask("systemctl", "kill", "--kill-whom=main", "-s", "KILL", "accountd")
    service.wait_restarted(before, 30)
    service.check()


@pytest.fixture(scope="module")
def quick_watchdog(machine, service):
    """An impatient one, so that the tests take seconds."""
    machine.write("/run/systemd/system/accountd.service.d/quick.conf", f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
    machine.ask("systemctl", "daemon-reload")
    machine.ask("systemctl", "restart", "accountd")
    service.wait_served()


def test_a_process_that_stands_still(machine, service, quick_watchdog):
    before = service.restarts()
    service.post(1500)
    service.wait_busy()
    machine.ask("systemctl", "kill", "--kill-whom=main", "-s", "STOP", "accountd")
    service.wait_restarted(before, WATCHDOG_S + 30)
    assert "Watchdog timeout" in machine.journal()
    service.check()


def test_servers_that_stand_still(machine, kafka, service, quick_watchdog):
    """For longer than the watchdog's time and than any turn may take: no reason to restart."""
    before = service.restarts()
    servers = [kafka.process, service.world.redis_server.process]
    for server in servers:
        server.send_signal(signal.SIGSTOP)
    try:
        waits = wait_for(lambda: service.status(), lambda: "waiting: " in service.status() and service.status(), 30)
        time.sleep(25)
    finally:
        for server in servers:
            server.send_signal(signal.SIGCONT)
    assert service.restarts() == before, f"{waits}\n{machine.journal()}"
    service.post(100)
    service.check()
    assert service.restarts() == before, machine.journal()


def test_a_worker_that_is_stuck(machine, service, quick_watchdog):
    """The process lives and its other threads work, but one does not come back."""
    before = service.restarts()
    frozen = Frozen(machine.pid_here(int(service.show("MainPID"))), "worker")
    service.post(500)

    def is_restarted():
        frozen.reap()
        return service.restarts() == before + 1

    wait_for(lambda: f"a restart\n{machine.journal()}", is_restarted, 60, every=0.2)
    assert "makes no progress" in machine.journal()
    service.check()


def test_a_stop_under_load(machine, service):
    service.post(2000)
    service.wait_busy()
    started = time.monotonic()
    machine.ask("systemctl", "stop", "accountd")
    took = time.monotonic() - started
    assert took < 10, f"{took:.1f} s"
    assert service.show("Result") == "success", machine.journal()
    assert answered(service.world) < len(service.world.posted), "the load was over before the stop"
    machine.ask("systemctl", "start", "accountd")
    service.check()


def test_an_upgrade_and_the_end(machine, service):
    service.post(300)
    pid = service.show("MainPID")
    machine.ask("sh", "-c", "dpkg -i /debs/accountd_*.deb", seconds=120)
    assert service.show("MainPID") != pid, "it was not restarted"
    service.wait_served()
    service.check()
    assert PASSWORD not in machine.ask("journalctl", "--no-pager", "-q", "-u", "accountd*")
    machine.ask("dpkg", "--purge", "accountd", "accountctl", seconds=120)
    places = ["/usr/bin", "/usr/share", "/etc/accountd", "/var/lib", "/usr/lib/systemd"]
    left = machine.run("find", *places, "-path", "/var/lib/dpkg", "-prune", "-o", "-name", "*accountd*", "-print")
    # Settings of an instance are not the package's.
    assert left.stdout == "/etc/accountd\n"


# ---- The documents' blocks for such a machine, as they stand

# Whoever calls is root; the packages are built; and this is what was written with the editor.
HANDS = """
sudo() { "$@"; }
make() { [ "$*" = deb ]; }
editor() { cp /root/settings "$1"; }
cd /root/accountd
"""


def run_block(machine, document, name):
    text = (ROOT / document).read_text()
    block = re.search(rf"^```sh {name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    return machine.ask("bash", "-ec", HANDS + block, seconds=120)


@pytest.fixture(scope="module")
def newcomer(machine, kafka, tmp_path_factory):
    """Somebody who has a Kafka without topics, a Redis without users, and the sources."""
    made = Redis(tmp_path_factory.mktemp("documents"))
    machine.ask("sh", "-c", "mkdir -p /root/accountd/build && ln -s /debs /root/accountd/build/deb")
    roles = ("commands", "replies", "exports", "changelog", "dead_letters")
    topics = {role: f"documents.{role}" for role in roles}
    settings = {
        "kafka": {"brokers": kafka.address, "group": "documents", **topics},
        "redis": {"host": "127.0.0.1", "port": made.port},
    }
    machine.write("/root/settings", libconfig(settings))
    yield made, settings
    machine.run("systemctl", "stop", "accountd")
    made.close()


def wait_ready(machine):
    ready = ["curl", "--silent", "--fail", "http://127.0.0.1:9464/readyz"]
    wait_for(machine.journal, lambda: machine.run(*ready).returncode == 0, 60)


def test_install_as_the_readme_says(machine, newcomer):
    printed = run_block(machine, "README.md", "install")
    assert "Active: active (running)" in printed and '"ready":' in printed, printed
    wait_ready(machine)


def test_install_as_the_operations_say(machine, newcomer):
    run_block(machine, "docs/operations.md", "packages")
    assert "Active: active (running)" in run_block(machine, "docs/operations.md", "begin")
    wait_ready(machine)


def test_restart_after_an_upgrade(machine, newcomer):
    pid = machine.show("accountd", "MainPID")
    run_block(machine, "docs/operations.md", "restart")
    assert machine.show("accountd", "MainPID") != pid
    wait_ready(machine)


def test_the_look_with_secrets(machine, newcomer):
    redis, settings = newcomer
    redis.client.acl_setuser("default", enabled=True, reset_passwords=True, passwords=[f"+{PASSWORD}"])
    machine.write("/etc/credstore/accountd.redis-password", f"{PASSWORD}\n", "600")
    secret = {**settings["redis"], "password_file": "redis-password"}
    machine.write("/etc/accountd/accountd.conf", libconfig({**settings, "redis": secret}))
    assert "error" not in run_block(machine, "docs/operations.md", "secrets")


def test_stunnel(machine, tmp_path):
    """What it does with accountd is seen elsewhere: here it starts as the document says."""
    text = (ROOT / "docs/security.md").read_text()
    recipe = re.search(r"^```ini stunnel\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    machine.write("/etc/accountd/ca.crt", Authority(tmp_path).file.read_text())
    machine.write("/etc/stunnel/redis.conf", recipe.replace("127.0.0.1:6379", f"127.0.0.1:{free_port()}"))
    run_block(machine, "docs/security.md", "stunnel")
    assert machine.show("stunnel@redis", "ActiveState") == "active"
