"""A thread that hangs, in a process whose others work."""

import ctypes
import os
from pathlib import Path

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


class Frozen:
    """One thread of a process that lives, which a debugger has stopped; as a context it goes on at the end."""

    def __init__(self, pid, name):
        self.thread = next(
            int(task.name)
            for task in sorted(Path(f"/proc/{pid}/task").iterdir())
            if (task / "comm").read_text().strip() == name
        )
        self._ask(SEIZE)
        self._ask(INTERRUPT)

    def _ask(self, request):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        assert libc.ptrace(request, self.thread, None, None) == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        self._ask(DETACH)

    def reap(self):
        """A dead thread that is traced stays until its tracer has looked at it, and its process with it."""
        try:
            os.waitpid(self.thread, os.WNOHANG | WALL)
        except ChildProcessError:
            pass
