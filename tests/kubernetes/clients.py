"""Clients of a Service under test: every request is looked at, none is repeated."""

from __future__ import annotations

import collections
import http.client
import threading
import time

LIMIT_S = 10.0  # for one answer
OPEN_S = 90.0  # until a Service that was just made answers


class Clients:
    """Threads that ask pod_server at address:port until the block ends: `keeping` with connections that
    are kept, `fresh` with a new one for each request, `streaming` that read an answer of `stream_ms`.

    failures: what went wrong, in words. answered: how many answers each pod gave.
    """

    def __init__(
        self,
        address: str,
        port: int = 80,
        keeping: int = 2,
        fresh: int = 2,
        streaming: int = 0,
        stream_ms: int = 4000,
        path: str = "/",
    ) -> None:
        self.address, self.port, self.path, self.stream_ms = address, port, path, stream_ms
        self.failures: list[str] = []
        self.answered: collections.Counter[str] = collections.Counter()
        self.streams = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(kind,))
            for kind, n in (("keeping", keeping), ("fresh", fresh), ("streaming", streaming))
            for _ in range(n)
        ]

    def __enter__(self) -> Clients:
        """Waits until the Service answers: who has endpoints is not yet known to kube-proxy."""
        self._wait_open()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    @property
    def total(self) -> int:
        return sum(self.answered.values())

    def more(self, n: int, limit_s: float = LIMIT_S) -> None:
        """Returns when n further requests were answered."""
        wanted, end = self.total + n, time.monotonic() + limit_s
        while self.total < wanted:
            assert time.monotonic() < end, f"no {n} answers in {limit_s:g} s: {self.failures[:3]}"
            time.sleep(0.02)

    def _run(self, kind: str) -> None:
        connection = self._connect()
        while not self._ending.is_set():
            try:
                if kind == "streaming":
                    self._stream(connection)
                else:
                    self._ask(connection, kind)
            except (OSError, http.client.HTTPException) as problem:
                with self._lock:
                    self.failures.append(f"{kind}: {problem!r}")
                connection.close()
            time.sleep(0.01)
        connection.close()

    def _wait_open(self, in_a_row: int = 10) -> None:
        answers, end, problem = 0, time.monotonic() + OPEN_S, ""
        while answers < in_a_row:
            assert time.monotonic() < end, f"no answers within {OPEN_S:g} s: {problem}"
            connection = self._connect()
            try:
                connection.request("GET", "/")
                status = connection.getresponse().status
                answers = answers + 1 if status == 200 else 0
                problem = str(status)
            except (OSError, http.client.HTTPException) as error:
                answers, problem = 0, repr(error)
                time.sleep(0.1)
            finally:
                connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, self.port, timeout=LIMIT_S)

    def _ask(self, connection: http.client.HTTPConnection, kind: str) -> None:
        headers = {"Connection": "close"} if kind == "fresh" else {}
        connection.request("GET", self.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        with self._lock:
            if answer.status == 200 and body:
                self.answered[body] += 1
            else:
                self.failures.append(f"{kind}: {answer.status} {body!r}")
        if kind == "fresh":
            connection.close()

    def _stream(self, connection: http.client.HTTPConnection) -> None:
        begin = time.monotonic()
        connection.request("GET", f"/stream?{self.stream_ms}")
        answer = connection.getresponse()
        body = answer.read()  # IncompleteRead when it is cut off
        took_ms = (time.monotonic() - begin) * 1000
        with self._lock:
            self.streams += 1
            if answer.status != 200 or not body or took_ms < self.stream_ms * 0.9:
                self.failures.append(
                    f"streaming: {answer.status}, {len(body)} bytes, {took_ms:.0f} ms"
                )
