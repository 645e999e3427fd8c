"""Events as huddle's Kubernetes client writes them: tests/integration/kube_event_driver.c."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
from typing import Any, Callable

from tests.kubernetes.api import Object
from tests.lab.enter import REPOSITORY

DRIVER = REPOSITORY / os.environ.get("HUDDLE_BUILD", "build/release") / "lab" / "kube_event_driver"
COUNTS = ("written", "busy", "spam", "refused", "gone")


class Reporter:
    """`with Reporter(kubeconfig) as reporter: reporter.tell(name="n3")`"""

    def __init__(self, files: pathlib.Path) -> None:
        self.process = subprocess.Popen(
            [str(DRIVER), str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )

    def say(self, **line: Any) -> Object:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        answer: Object = json.loads(self.process.stdout.readline())
        return answer

    def tell(self, **event: Any) -> str:
        """An Event of Node n3, but for what is said; the error, or ''."""
        node = {"apiVersion": "v1", "kind": "Node", "name": "n3", "namespace": "", "uid": ""}
        words = {"reason": "NodeAsleep", "action": "Sleep", "note": "asleep until 07:40"}
        return str(self.say(**{**node, **words, **event})["error"])

    def counts(self) -> Object:
        return self.say(counts=True)

    def wait_for(self, limit_s: float = 60.0, **wanted: int) -> None:
        """Until these counts are so; no other may be but 0."""
        self.wait_until(lambda n: all(n[k] == wanted.get(k, 0) for k in COUNTS), limit_s)

    def wait_until(self, condition: Callable[[Object], bool], limit_s: float = 60.0) -> None:
        end = time.monotonic() + limit_s
        while not condition(self.counts()):
            assert time.monotonic() < end, self.counts()
            time.sleep(0.02)

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *unused: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(60) == 0
