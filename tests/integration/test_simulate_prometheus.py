"""huddlectl simulate --prometheus: what a real server (test_prometheus.py) would not answer."""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator

import pytest

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()
RACK = """\
apiVersion: huddle.energy/v1alpha1
kind: PowerPool
metadata: {name: rack}
spec: {minAwake: 1, boot: {time: 150s}}
---
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {name: org-chat}
spec: {runtime: any, capacity: {requestsPerSecond: 5}, resources: {cpu: 8}}
"""
WORDS = ["-f", "rack.yaml", "--nodes", "4", "--size", "cpu=16", "--watts", "90,310", "-o", "json"]
START = 1_790_000_000


class FakePrometheus:
    """`with FakePrometheus() as server:` serves range queries on server.url."""

    def __init__(self) -> None:
        self.seen: list[str] = []  # of Authorization
        self.token: str | None = None
        self.labels = [{"model_name": "org/chat"}]
        self.broken: str | None = None  # a body in place of the answer

    def answer(self, query: dict[str, str]) -> tuple[int, str]:
        start, end, step = (float(query[key]) for key in ("start", "end", "step"))
        if self.broken is not None:
            return 200, self.broken
        times = [start + k * step for k in range(int((end - start) / step) + 1)]
        result = [
            {"metric": labels, "values": [[at, str(8 + int(at) // 3600 % 5)] for at in times]}
            for labels in self.labels
        ]
        data = {"resultType": "matrix", "result": result}
        return 200, json.dumps({"status": "success", "data": data})

    def __enter__(self) -> FakePrometheus:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                fake.seen.append(self.headers["Authorization"] or "")
                if url.path != "/prefix/api/v1/query_range":
                    status, body = 404, "404 page not found"
                elif fake.token and self.headers["Authorization"] != f"Bearer {fake.token}":
                    status, body = 401, "Unauthorized"
                else:
                    status, body = fake.answer(query)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/prefix"
        self.server.socket.settimeout(
            5
        )  # who asked may be gone: accept() is not to wait for another
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    with FakePrometheus() as fake:
        yield fake


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    (tmp_path / "rack.yaml").write_text(RACK)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BUILD / "huddlectl", "simulate", *WORDS, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": os.environ["PATH"], "HUDDLE_TOKEN": "of-huddle-alone"},
        )

    return call


def at(seconds: int) -> str:
    return subprocess.check_output(
        ["date", "-u", "-d", f"@{START + seconds}", "+%Y-%m-%dT%H:%M:%SZ"], text=True
    ).strip()


def test_a_token_is_sent_when_it_is_for_this_server(
    server: FakePrometheus, run: Run, tmp_path: pathlib.Path
) -> None:
    server.token = "secret"
    (tmp_path / "token").write_text("secret\n")
    words = ["--prometheus", server.url, "--preset", "vllm", "--start", at(0), "--end", at(3600)]
    refused = run(*words)
    assert refused.returncode == 1
    assert server.seen == [""]  # a token for huddle stays with it
    done = run(*words, "--token-file", "token")
    assert done.returncode == 0, done.stderr
    assert server.seen[-1] == "Bearer secret"


def test_what_is_wrong_is_told(server: FakePrometheus, run: Run) -> None:
    times = ["--start", at(0), "--end", at(3600)]
    asked = ["--prometheus", server.url, *times]
    assert "needs --preset (vllm, kserve, triton" in run(*asked).stderr
    assert 'unknown "vlm"; there are vllm' in run(*asked, "--preset", "vlm").stderr
    both = run(*asked, "--preset", "vllm", "--query", "x")
    assert both.returncode == 2 and "give one of them" in both.stderr
    late = run("--prometheus", server.url, "--preset", "vllm", "--start", at(9), "--end", at(9))
    assert "--start is not before --end" in late.stderr
    elsewhere = run("--prometheus", server.url[:-1], "--preset", "vllm", *times)
    assert elsewhere.returncode == 1 and "(404): no Prometheus API there" in elsewhere.stderr
    for other in ("http://192.0.2.1", "http://127.0.0.1.example", "http://localhost.example"):
        clear = run("--prometheus", other, "--preset", "vllm", "--token", "x", *times)
        assert "a token is not sent in the clear" in clear.stderr
    server.labels = []
    assert "knows no series for: sum by" in run(*asked, "--preset", "vllm").stderr
    server.labels = [{"other": "x"}]
    wrong = run(*asked, "--preset", "vllm")
    assert 'without the label "model_name"; it has other' in wrong.stderr
    server.broken = "<html>"
    assert wrong.returncode == 1
    page = run(*asked, "--preset", "vllm")
    assert page.returncode == 1 and server.url in page.stderr
