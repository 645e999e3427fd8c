"""huddlectl simulate --prometheus: range queries, in parts, of a stand-in for a Prometheus server."""

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
POINTS_MOST = 11_000  # of a series, as Prometheus has it


class FakePrometheus:
    """`with FakePrometheus() as server:` serves range queries on server.url."""

    def __init__(self) -> None:
        self.queries: list[dict[str, str]] = []
        self.token: str | None = None
        self.labels = [{"model_name": "org/chat"}]
        self.broken: str | None = None  # a body in place of the answer

    def answer(self, query: dict[str, str]) -> tuple[int, str]:
        start, end, step = (float(query[key]) for key in ("start", "end", "step"))
        if self.broken is not None:
            return 200, self.broken
        if (end - start) / step + 1 > POINTS_MOST:
            error = "exceeded maximum resolution of 11,000 points per timeseries"
            return 400, json.dumps({"status": "error", "errorType": "bad_data", "error": error})
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
                if url.path != "/prefix/api/v1/query_range":
                    status, body = 404, "404 page not found"
                elif fake.token and self.headers["Authorization"] != f"Bearer {fake.token}":
                    status, body = 401, "Unauthorized"
                else:
                    fake.queries.append(query | {"auth": self.headers["Authorization"] or ""})
                    status, body = fake.answer(query)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/prefix"
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


def test_a_long_range_is_asked_for_in_parts(server: FakePrometheus, run: Run) -> None:
    words = ["--prometheus", server.url, "--preset", "vllm", "--step", "5s"]
    done = run(*words, "--start", at(0), "--end", at(86400))
    assert done.returncode == 0, done.stderr
    assert [float(q["start"]) - START for q in server.queries] == [0, 50000]
    assert [float(q["end"]) - START for q in server.queries] == [49995, 86400]
    assert {q["query"] for q in server.queries} == {
        "sum by (model_name) (rate(vllm:request_success_total[120s]))"
    }
    assert {q["auth"] for q in server.queries} == {""}  # a token for huddle stays with it
    result = json.loads(done.stdout)
    assert result["from"] == at(0)
    assert result["days"] == pytest.approx(1, abs=1e-3)
    assert list(result["series"]["demand"]) == ["org-chat"]
    assert "[##########----------] 1/2 asking Prometheus" in done.stderr


def test_a_saved_answer_gives_the_same(
    server: FakePrometheus, run: Run, tmp_path: pathlib.Path
) -> None:
    query = {"query": "x", "start": str(START), "end": str(START + 21600), "step": "60"}
    (tmp_path / "saved.json").write_text(server.answer(query)[1])
    words = ["--prometheus", server.url, "--query", "x", "--label", "model_name"]
    asked = run(*words, "--start", at(0), "--end", at(21600))
    assert asked.returncode == 0, asked.stderr
    saved = run("--history", "saved.json", "--label", "model_name")
    assert saved.returncode == 0, saved.stderr
    assert saved.stdout == asked.stdout


@pytest.mark.parametrize(
    "preset, query",
    [
        ("kserve", "sum by (model_name) (rate(request_predict_seconds_count[600s]))"),
        ("triton", "sum by (model) (rate(nv_inference_request_success[600s]))"),
        ("haproxy", "sum by (proxy) (rate(haproxy_backend_http_requests_total[600s]))"),
        ("nginx-ingress", "sum by (ingress) (rate(nginx_ingress_controller_requests[600s]))"),
        ("generic", "sum by (model) (rate(http_requests_total[600s]))"),
    ],
)
def test_each_preset_has_its_query(
    server: FakePrometheus, run: Run, preset: str, query: str
) -> None:
    server.labels = [{query.split("(")[1].split(")")[0]: "org-chat"}]
    words = ["--prometheus", server.url, "--preset", preset, "--step", "10m"]
    done = run(*words, "--start", at(0), "--end", at(86400))
    assert done.returncode == 0, done.stderr
    assert server.queries[0]["query"] == query


def test_a_token_is_sent_when_it_is_for_this_server(
    server: FakePrometheus, run: Run, tmp_path: pathlib.Path
) -> None:
    server.token = "secret"
    (tmp_path / "token").write_text("secret\n")
    words = ["--prometheus", server.url, "--preset", "vllm", "--start", at(0), "--end", at(3600)]
    refused = run(*words)
    assert refused.returncode == 1
    assert "(401): no reason given (give --token-file)" in refused.stderr
    done = run(*words, "--token-file", "token")
    assert done.returncode == 0, done.stderr
    assert server.queries[-1]["auth"] == "Bearer secret"


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
    clear = run("--prometheus", "http://192.0.2.1", "--preset", "vllm", "--token", "x", *times)
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
