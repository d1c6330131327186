"""accountd itself, as an operator runs it: a configuration file, a process, signals, HTTP."""

import json
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from servers import BUILD, WITH_PARENT, free_port, wait_for

# Quick to notice a dead member, so that a test of crashes takes seconds and not minutes.
QUICK = ["session.timeout.ms=1500", "heartbeat.interval.ms=300"]


def libconfig(settings) -> str:
    """Writes {"kafka": {"brokers": "…"}} in libconfig's syntax; JSON's scalars are also libconfig's."""

    def value(item):
        if isinstance(item, dict):
            return "{ " + " ".join(f"{key} = {value(inner)};" for key, inner in item.items()) + " }"
        if isinstance(item, list):
            return "[ " + ", ".join(value(inner) for inner in item) + " ]"
        return json.dumps(item)

    return "".join(f"{key} = {value(item)};\n" for key, item in settings.items())


class Daemon:
    def __init__(self, directory, settings, name="accountd"):
        self.directory = Path(directory)
        self.name = name
        self.listen = f"127.0.0.1:{free_port()}"
        self.config = self.directory / f"{name}.conf"
        self.errors = self.directory / f"{name}.stderr"
        self.settings = {**settings, "http": {"listen": self.listen}}
        self.config.write_text(libconfig(self.settings))
        self.process = None

    def start(self, ready=True):
        assert not self.running(), f"{self.name} runs already"
        with open(self.errors, "ab") as errors:
            command = WITH_PARENT + [str(BUILD / "accountd"), "-c", str(self.config)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30.0):
        def is_ready():
            assert self.running(), f"{self.name} ended with {self.process.returncode}:\n{self.log()}"
            return self.http("/readyz")[0] == 200

        wait_for(lambda: f"{self.name} ready: {self.http('/readyz')}\n{self.log()}", is_ready, seconds)

    def http(self, path):
        """The status (0: nobody answered) and the text of a page."""
        try:
            with urllib.request.urlopen(f"http://{self.listen}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        """The end of it, as much as a person reads."""
        return self.errors.read_text(errors="replace")[-6000:] if self.errors.exists() else ""

    def told(self, text):
        """How often it said this, over all its lives."""
        return self.errors.read_text(errors="replace").count(text) if self.errors.exists() else 0

    def resident_kb(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        """As the kernel or an impatient operator does it."""
        if self.running():
            self.process.kill()
        self.process.wait()

    def stop(self, seconds=20.0, number=signal.SIGTERM):
        """Asks for the end and insists that it is a clean one."""
        self.process.send_signal(number)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not stop:\n{self.log()}") from None
        assert code == 0, f"{self.name} ended with {code}:\n{self.log()}"
