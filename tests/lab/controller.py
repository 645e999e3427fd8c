"""huddle-controller alone, on loopback, with a folder of its own: no lab, no root, no agents."""

from __future__ import annotations

import http.client
import json
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Callable

from tests.lab.lab import BUILD

GROUP = "/apis/huddle.energy/v1alpha1"
LIMIT_S = 60.0  # of a loaded machine


class Controller:
    """`with Controller(tmp_path) as c: c.get("/livez")`. Keywords are keys of controller.yaml."""

    def __init__(self, folder: pathlib.Path, **config: object) -> None:
        self.folder = folder
        self.log = folder / "controller.log"
        self.config = folder / "controller.yaml"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        keys = {"stateDir": str(folder / "state"), "listen": "127.0.0.1:0", "tick": "50ms"}
        self.config.write_text(json.dumps(keys | config))  # JSON is YAML

    def start(self, prepare: Callable[[], None] | None = None) -> Controller:
        """Starts it, and waits until it listens and is ready. `prepare` runs in the new process."""
        self.process = self.launch(prepare)
        self.port = int(self.wait_for_log(r"msg=listening .*port=(\d+)"))
        self.wait_for_log(r"msg=(ready)")
        return self

    def launch(self, prepare: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [BUILD / "huddle-controller", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stderr=log,
                preexec_fn=prepare,
            )

    def wait_for_log(self, pattern: str) -> str:
        """The first group of the pattern's first match in the log of this start."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            match = re.search(pattern, self.log.read_text())
            if match:
                return match.group(1)
            if self.process and self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no {pattern} in the log:\n{self.log.read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code; negative: the signal that ended it."""
        assert self.process
        self.process.send_signal(how)
        try:
            code = self.process.wait(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.process = None
        return code

    def __enter__(self) -> Controller:
        return self.start()

    def __exit__(self, *unused: object) -> None:
        if self.process:
            self.stop(signal.SIGKILL)

    def ask(
        self, method: str, path: str, body: object = None, token: str = ""
    ) -> tuple[int, bytes]:
        """Status and body. `body`: bytes as they are, anything else as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/x-protobuf"
        elif body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> dict:
        """The object below the API group, e.g. get("powerpools/rack")."""
        status, body = self.ask("GET", f"{GROUP}/{path}")
        assert status == 200, body
        return json.loads(body)
