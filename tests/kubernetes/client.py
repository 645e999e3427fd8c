"""huddle's own Kubernetes client as a program: client_driver.c."""

from __future__ import annotations

import json
import os
import subprocess

from tests.kubernetes.api import Object
from tests.lab.enter import REPOSITORY

DRIVER = REPOSITORY / os.environ.get("HUDDLE_BUILD", "build/release") / "lab" / "kube_client_driver"


class Client:
    """One running client_driver."""

    def __init__(self, env: dict[str, str] | None = None, **options: object) -> None:
        self.process = subprocess.Popen(
            [DRIVER, json.dumps({k: str(v) for k, v in options.items()})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(env or {})},
        )

    def say(self, **line: object) -> Object:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has said why
        answer: Object = json.loads(self.process.stdout.readline())
        return answer

    def get(self, path: str) -> Object:
        return self.say(path=path)

    def send(self, method: str, path: str, body: object, content: str = "") -> Object:
        more = {"type": content} if content else {}
        return self.say(method=method, path=path, body=body, **more)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(20) is not None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
