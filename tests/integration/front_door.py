"""A front door for tests: the driver program, replicas that do as they are told, and clients under load."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", REPOSITORY / "build/release"))
DRIVER = BUILD / "lab/front_door_driver"
LIMIT_S = 30.0  # for what takes a moment on an idle machine


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def eventually(what: str, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {limit_s:g} s for {what}")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Replica

    def do_GET(self) -> None:
        replica, path = self.server, self.path.partition("?")[0]
        if path == "/healthz":
            replica.checks += 1
            self._answer(200 if replica.healthy else 503, b"")
            return
        replica.served += 1
        if path == "/error":
            self._answer(500, b"broken")
        elif path == "/held":
            replica.held.acquire(timeout=LIMIT_S)
            self._answer(200, replica.name.encode())
        elif path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
            self.close_connection = True
        else:
            self._answer(200, f"{replica.name} {self.path}".encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()

    def _answer(self, status: int, body: bytes) -> None:
        self.wfile.write(  # in one piece: a health check hangs up after the first
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            pass  # whoever asked has gone


class Replica(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, name: str, port: int = 0) -> None:
        self.name, self.healthy, self.checks, self.served = name, True, 0, 0
        self.held = threading.Semaphore(0)  # one release lets one /held end
        super().__init__(("127.0.0.1", port), _Handler)
        self.thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class Door:
    """The driver; HAProxy outlives it, and ends with leave()."""

    def __init__(self, folder: pathlib.Path, **options: object) -> None:
        self.folder = folder
        self.port = int(str(options.pop("port", free_port())))
        self.options: dict[str, object] = {
            "run": True,
            "dir": str(folder),
            "listen": f"127.0.0.1:{self.port}",
            **options,
        }
        self.process: subprocess.Popen[str] | None = None
        self.facts: dict[str, Any] = {"reachable": None, "servers": {}, "models": {}}
        self.n_facts = 0
        self.notes: list[str] = []

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(DRIVER), json.dumps(self.options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            told = json.loads(line)
            if "note" in told:
                self.notes.append(told["note"])
            else:
                self.facts = told
                self.n_facts += 1

    def tell(self, **line: object) -> None:
        assert self.process and self.process.stdin
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def want(self, model: str, *servers: tuple[Replica, str] | Replica, **more: object) -> None:
        rows = [s if isinstance(s, tuple) else (s, "ready") for s in servers]
        self.tell(
            want=model,
            servers=[[replica.name, replica.address, state] for replica, state in rows],
            **{"probe": "/healthz", **more},
        )

    def settle(self) -> None:
        self.tell(settle=True)

    def state(self, name: str) -> str:
        return str(self.facts["servers"].get(name, {}).get("state", "absent"))

    def in_flight(self, name: str) -> Any:
        return self.facts["servers"].get(name, {}).get("in_flight")

    def wait_state(self, name: str, state: str) -> None:
        eventually(f"{name} to be {state}", lambda: self.state(name) == state)

    def wait_looks(self, n: int = 2) -> None:
        """Until so many more facts have come: what was wanted before has been seen by then."""
        begin = self.n_facts
        eventually("facts", lambda: self.n_facts >= begin + n)

    def pid(self) -> int:
        """Of the newest process; HAProxy takes the file away before it writes it anew."""
        file = self.folder / "haproxy.pid"

        def words() -> list[str]:
            try:
                return file.read_text(encoding="utf-8").split()
            except FileNotFoundError:
                return []

        return int(eventually("the pid file", words)[0])

    def end(self, how: signal.Signals | None = None) -> int:
        """Ends the driver, HAProxy runs on. Its exit code."""
        assert self.process and self.process.stdin
        if how:
            self.process.send_signal(how)
        else:
            self.process.stdin.close()
        code = self.process.wait(LIMIT_S)
        self.reader.join(LIMIT_S)
        self.process = None
        return code

    def leave(self) -> None:
        if self.process:
            assert self.end() == 0
        empty = 0
        while empty < 2:  # one that is just being started shows up at the second look
            found = haproxies(self.folder)
            empty = 0 if found else empty + 1
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)

    def get(self, path: str, limit_s: float = LIMIT_S, **headers: str) -> tuple[int, str]:
        answer, body = self.ask("GET", path, limit_s, headers)
        return answer.status, body

    def ask(
        self,
        method: str,
        path: str,
        limit_s: float = LIMIT_S,
        headers: dict[str, str] | None = None,
    ) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit_s)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()


def haproxies(folder: pathlib.Path) -> list[int]:
    """Processes that run this folder's configuration: ours, whatever became of their parents."""
    config, found = str(folder / "haproxy.cfg").encode(), []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if config in words:
                found.append(int(entry.name))
    return found


class Load:
    """Clients in threads, half of them with connections that are kept. Every answer is looked at."""

    def __init__(self, port: int, model: str, clients: int = 4, path: str = "/x") -> None:
        self.port, self.model, self.path = port, model, path
        self.failures: queue.Queue[str] = queue.Queue()
        self.answers, self.slowest_s = 0, 0.0
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._client, args=(i % 2 == 0,)) for i in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def more(self, n: int = 100) -> None:
        """Until so many further answers came."""
        begin = self.answers
        eventually("answers under load", lambda: self.answers >= begin + n)

    def failed(self) -> list[str]:
        return list(self.failures.queue)

    def _one(self, connection: http.client.HTTPConnection, keeps: bool) -> None:
        headers = {"Host": self.model} if keeps else {"Host": self.model, "Connection": "close"}
        begin = time.monotonic()
        connection.request("POST", self.path, body=b"abc", headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
        if answer.status != 200 or not body.endswith(self.path):
            self.failures.put(f"{answer.status} {body}")
        self.answers += 1

    def _client(self, keeps: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        while not self.stopping.is_set():
            try:
                self._one(connection, keeps)
            except (OSError, http.client.HTTPException) as problem:
                self.failures.put(f"keeps={keeps} {problem!r}")
                connection.close()
            time.sleep(0.005)
        connection.close()
