"""Candidates for a Lease: tests/integration/kube_lease_driver.c as tests run it. What they write while
they hold it goes into one file, in the order in which it happened."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from typing import Any

from tests.lab.enter import REPOSITORY

DRIVER = REPOSITORY / os.environ.get("HUDDLE_BUILD", "build/release") / "lab" / "kube_lease_driver"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
# For a busy machine: a candidate that stands still for 1.5 s loses nothing.
TERMS = {"duration_s": 4, "deadline_ms": 2600, "retry_ms": 400}
DURATION_S, DEADLINE_S = 4.0, 2.6


def kubeconfig(folder: pathlib.Path, url: str) -> pathlib.Path:
    """Of a server without TLS."""
    file = folder / "kubeconfig"
    context = {"cluster": "c", "user": "u"}
    text = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": context}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
    }
    file.write_text(json.dumps(text), encoding="utf-8")
    return file


class Candidate:
    """`lines` is what it was told; it ends with `kill()`, or `end()`."""

    def __init__(self, files: pathlib.Path, work: pathlib.Path, name: str = "huddle") -> None:
        options = {"files": str(files), "namespace": "default", "name": name, "work": str(work)}
        self.lines: list[list[Any]] = []
        self.process = subprocess.Popen(
            [str(DRIVER), json.dumps({**options, **TERMS})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.identity = str(self.wait_for("identity")[1])

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def told(self, what: str) -> list[list[Any]]:
        return [line for line in list(self.lines) if line[0] == what]

    def wait_for(self, what: str, n: int = 1, limit_s: float = 60.0) -> list[Any]:
        """The n-th line of this kind."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            found = self.told(what)
            if len(found) >= n:
                return found[n - 1]
            assert self.process.poll() is None, "it ended"
            time.sleep(0.01)
        raise AssertionError(f"waited {limit_s:g} s for {what} #{n}: {self.lines}")

    def epoch(self, n: int = 1) -> int:
        """Of its n-th term, waited for."""
        return int(self.wait_for("leading", n)[1])

    def release(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("release\n")
        self.process.stdin.flush()
        self.wait_for("given back")

    def signal(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def end(self) -> None:
        """Well, without a leak where a sanitizer looks; the Lease is not given back."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.reader.join()


def spans(work: pathlib.Path) -> list[tuple[int, str]]:
    """Epoch and candidate of each term, as work was done; never two at a time, nor an old one."""
    found: list[tuple[int, str]] = []
    for line in work.read_text(encoding="utf-8").splitlines():
        epoch, identity = line.split(" ")
        if not found or found[-1] != (int(epoch), identity):
            found.append((int(epoch), identity))
    epochs = [epoch for epoch, _ in found]
    assert epochs == sorted(set(epochs)), found
    return found
