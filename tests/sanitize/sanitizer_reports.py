"""A pytest plugin: what a sanitizer reports of any process that a test starts fails that test.

A report ends the process it is about, which a test that kills processes might not even notice: so the reports go
to files, and the files decide, and with them the exit code. tests/sanitize/run.sh sets both."""

import os
import subprocess
from pathlib import Path

import pytest

REPORTS = Path(os.environ["SANITIZER_REPORTS"])
EXIT_CODE = 99


class Popen(subprocess.Popen):
    """Remembers the processes of the test that runs."""

    started = []

    def __init__(self, *arguments, **how):
        super().__init__(*arguments, **how)
        self.started.append(self)


subprocess.Popen = Popen


def take_reports():
    """What there is since the last time."""
    found = [f"{process.args} ended with {EXIT_CODE}" for process in Popen.started if process.returncode == EXIT_CODE]
    Popen.started[:] = [process for process in Popen.started if process.returncode is None]
    for file in sorted(REPORTS.iterdir()):
        found.append(file.read_text(errors="replace"))
        file.unlink()
    return "\n".join(found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """After the test's own fixtures are gone, and with them the processes of this test."""
    yield
    reports = take_reports()
    if reports:
        pytest.fail(f"a sanitizer reports:\n{reports}", pytrace=False)


def pytest_sessionfinish(session):
    """Of several processes that run tests side by side the one that started the others is the last."""
    if not hasattr(session.config, "workerinput"):
        assert not take_reports(), "reports that came after the last test"
