"""A pytest plugin: a test's daemons are ended with SIGTERM when it is over, and killed only if that does not help, so
that the counters of what they reached are written."""

import signal
import subprocess

SECONDS_MAX = 10


def end(daemon):
    daemon.send(signal.SIGCONT)  # a test may have left it stopped
    daemon.send(signal.SIGTERM)
    try:
        daemon.process.wait(SECONDS_MAX)
    except subprocess.TimeoutExpired:
        pass


def pytest_sessionstart(session):
    from world import World  # found only now that pytest knows its path

    close = World.close

    def close_after_end(world):
        for daemon in world.daemons:
            if daemon.running():
                end(daemon)
        close(world)

    World.close = close_after_end
