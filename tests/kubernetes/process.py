"""Programs that tests start: a log file each, and an end that does not depend on the tests' own."""

from __future__ import annotations

import collections.abc
import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time
from typing import Any

LIMIT_S = 60.0  # for what takes some seconds on an idle machine
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)  # loaded before any fork


def free_ports(n: int) -> list[int]:
    """TCP ports of the loopback address that nothing uses now; all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]


def eventually(
    what: str, condition: collections.abc.Callable[[], Any], limit_s: float = LIMIT_S
) -> Any:
    """What condition() answers as soon as it is true; until then a refused connection is a no."""
    end = time.monotonic() + limit_s
    problem: object = "still not so"
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
        except OSError as error:
            problem = error
        time.sleep(0.05)
    raise AssertionError(f"waited {limit_s:g} s for {what}: {problem}")


class Process:
    """A program with its output in FOLDER/NAME.log. The kernel kills it when we die."""

    def __init__(
        self,
        name: str,
        words: collections.abc.Sequence[object],
        folder: pathlib.Path,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        parent = os.getpid()

        def with_us() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)  # we died in between

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(w) for w in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(env or {})},
                start_new_session=True,  # a Ctrl-C at the tests is theirs to handle
                preexec_fn=with_us,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def wait_for(
        self, what: str, condition: collections.abc.Callable[[], Any], limit_s: float = LIMIT_S
    ) -> Any:
        """eventually(), but at once an error with the log's end when the program has ended."""

        def alive() -> Any:
            if not self.running():
                raise RuntimeError(
                    f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
                )
            return condition()

        try:
            return eventually(what, alive, limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def tail(self, n_bytes: int = 3000) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - n_bytes))
            return log.read().decode(errors="replace")

    def signal(self, how: signal.Signals) -> None:
        if self.running():
            self.process.send_signal(how)

    def stop(self, limit_s: float = 10.0) -> None:
        """Asks it to end, then makes it."""
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()
