"""Power drivers asked one call at a time, as the controller asks them (power_driver.c)."""

from __future__ import annotations

import collections.abc
import contextlib
import json
import pathlib
import subprocess

from tests.lab.lab import BUILD


class Driver:
    """One queue of driver calls; close() gives back what drivers keep."""

    def __init__(self, kind: str, folder: pathlib.Path, hosts: str = "127.0.0.1") -> None:
        self.order = {"type": kind, "folder": str(folder), "hosts": hosts, "ms": 15000}
        self.settings: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.process = subprocess.Popen(
            [str(BUILD / "lab/power_driver")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, action: str, node: str = "n1", ms: int = 15000) -> None:
        order = {**self.order, "settings": self.settings, "secrets": self.secrets}
        assert self.process.stdin
        line = json.dumps({**order, "node": node, "action": action, "ms": ms})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def ask(self, action: str, node: str = "n1", ms: int = 15000) -> dict:
        self.send(action, node, ms)
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0


@contextlib.contextmanager
def driver_of(kind: str, folder: pathlib.Path) -> collections.abc.Iterator[Driver]:
    driver = Driver(kind, folder)
    try:
        yield driver
    finally:
        if driver.process.poll() is None:
            driver.close()
