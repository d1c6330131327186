"""A machine that systemd boots, in a container. Its root is a directory that stays as it is; the network is shared."""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from servers import wait_for

CGROUPS = [Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified")]


class Machine:
    def __init__(self, root, *binds):
        """`binds` are (directory here, directory there), read-only."""
        self.name = f"accountd-{os.getpid()}"
        self.console = tempfile.NamedTemporaryFile(prefix="accountd-console-", suffix=".log")
        # Where the machine here is not run by systemd, nobody makes a control group for the one there.
        self.alone = not Path("/run/systemd/system").is_dir()
        self.groups = [group / self.name for group in CGROUPS if self.alone and group.is_dir()]
        command = ["systemd-nspawn", "-q", "-D", root, "--boot", f"--machine={self.name}", "--console=pipe"]
        command += ["--volatile=overlay", *(f"--bind-ro={here}:{there}" for here, there in binds)]
        command += ["--register=no", "--keep-unit"] if self.alone else []
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console, preexec_fn=self._enter_groups
        )
        self.leader = wait_for(self.log, self._find_leader, 30)
        wait_for(self.log, self._is_up, 60)

    def _is_up(self):
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def _enter_groups(self):
        for group in self.groups:
            group.mkdir(exist_ok=True)
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _find_leader(self):
        assert self.process.poll() is None, self.log()
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(child) for child in children if Path(f"/proc/{child}/comm").read_text() == "systemd\n"), None)

    def log(self):
        return Path(self.console.name).read_text(errors="replace")[-6000:]

    def run(self, *command, text=None, seconds=60, environment=()):
        """Runs a command there; what it printed and how it ended."""
        enter = ["nsenter", "-t", str(self.leader), "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        line = [*enter, *environment, *map(str, command)]
        return subprocess.run(line, input=text, capture_output=True, text=True, timeout=seconds)

    def ask(self, *command, **how):
        """The same for a command that must succeed: what it printed."""
        done = self.run(*command, **how)
        said = f"{done.stdout}{done.stderr}{self.journal()}" if done.returncode else ""
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said}"
        return done.stdout

    def write(self, path, text, mode="644"):
        self.ask("mkdir", "-p", Path(path).parent)
        self.ask("tee", path, text=text)
        self.ask("chmod", mode, path)

    def journal(self, unit="accountd*"):
        return self.run("journalctl", "--no-pager", "-q", "-o", "cat", "-n", "80", "-u", unit).stdout

    def show(self, unit, *names):
        """Properties of a unit: a dict, or the only one's value."""
        shown = self.ask("systemctl", "show", unit, *(f"--property={name}" for name in names))
        values = dict(line.split("=", 1) for line in shown.splitlines())
        return values if len(names) > 1 else values[names[0]]

    def pid_here(self, pid_there):
        """What a process there is called here."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                spaces = re.search(r"^NSpid:\s+(.*)$", status.read_text(), re.M)[1].split()
            except OSError:
                continue
            if spaces[1:] == [str(pid_there)] and self._is_ours(int(spaces[0])):
                return int(spaces[0])
        raise AssertionError(f"no process {pid_there}")

    def _is_ours(self, pid):
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{self.leader}/ns/pid")

    def power_off(self):
        if self.process.poll() is None:
            os.kill(self.leader, signal.SIGRTMIN + 4)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(self.leader, signal.SIGKILL)
                self.process.wait(10)
        for group in self.groups:
            for inner in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                inner.rmdir()
            group.rmdir()
