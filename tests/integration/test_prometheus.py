"""huddlectl simulate --prometheus against a real Prometheus: what it makes of a history that is known."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import prometheus_server
import pytest
from prometheus_server import Counter, Prometheus, Proxy

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()
START = 1_789_999_200  # an hour's begin
HOURS = 8
END = START + HOURS * 3600
EVERY = 15.0
PARTS = 480  # of a simulation's series: a minute each, here
GAP = (START + 6 * 3600, START + 6 * 3600 + 2400)  # Prometheus was down
LLAMA, QWEN = "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-0.6B"
NAMES = {LLAMA: "meta-llama-llama-3.1-8b-instruct", QWEN: "qwen-qwen3-0.6b"}
WORDS = ["--nodes", "6", "--size", "cpu=16", "--watts", "90,310", "-o", "json"]


def truth(key: int, at: float) -> float:
    """Requests a second of a model: another level every twenty minutes."""
    return 6 + (int(at - START) // 1200 * 7 + key * 5) % 23


def counters(key: int, shared: dict[str, str], *each: dict[str, str]) -> list[Counter]:
    """The model's truth in equal shares."""
    return [
        Counter(shared | labels, lambda at: truth(key, at) / len(each), offset=2.0 * n)
        for n, labels in enumerate(each)
    ]


def target(name: str) -> dict[str, str]:
    return {"instance": f"{name}:8000", "job": "serving", "namespace": "models", "pod": name}


NEW = START + 6 * 3600 + 2400.0  # when a model began


def vllm() -> list[Counter]:
    """Two pods of a model, one of which restarts, and is then replaced by a third; one of another."""
    own = {"model_name": LLAMA, "engine": "0"}
    reasons = [{"finished_reason": reason} for reason in ("stop", "length", "abort")]
    pods = [own | target(pod) | reason for pod in ("a", "b", "c") for reason in reasons]
    half = [Counter(labels, lambda at: truth(0, at) / 6) for labels in pods]
    for n, counter in enumerate(half):
        counter.offset = 1.0 * n
    replaced = START + 4 * 3600 + 300.0
    for counter in half[0:3]:
        counter.resets = (START + 7384.0,)  # amid two scrapes
    for counter in half[3:6]:
        counter.alive = (START - 600, replaced)
    for counter in half[6:9]:
        counter.alive = (replaced - 2 * EVERY, float("inf"))
        counter.rate = lambda at: truth(0, at) / 6 if at >= replaced else 0
    return half + counters(1, {"model_name": QWEN, "engine": "0"}, target("d") | reasons[0])


def families() -> list[tuple[str, str, str, list[Counter]]]:
    """As vLLM, KServe's Python server, Triton, HAProxy and ingress-nginx export them."""
    codes = [{"code": code} for code in ("2xx", "5xx")]
    nginx = target("ingress-nginx-controller") | {
        "controller_class": "k8s.io/ingress-nginx",
        "controller_namespace": "ingress-nginx",
        "controller_pod": "ingress-nginx-controller-x",
        "exported_namespace": "models",
        "method": "POST",
        "path": "/",
        "canary": "",
    }
    hosts = [nginx | {"host": host, "status": s} for host in ("a", "b") for s in ("200", "503")]
    nobody = [nginx | {"ingress": name, "service": name, "status": "404"} for name in ("", "-")]
    haproxy = [{"proxy": "chat"} | target(door) for door in ("door-1", "door-2")]
    requests = "haproxy_backend_http_requests"
    return [
        ("vllm:request_success", "counter", "vllm:request_success_total", vllm()),
        (
            "request_predict_seconds",
            "histogram",
            "request_predict_seconds_count",
            counters(2, {"model_name": "sklearn-iris"}, target("iris-1"), target("iris-2")),
        ),
        (
            "nv_inference_request_success",
            "unknown",
            "nv_inference_request_success",
            counters(
                3, {"model": "resnet50"} | target("triton"), {"version": "1"}, {"version": "2"}
            ),
        ),
        (
            "trtllm_request",
            "counter",
            "trtllm_request_total",
            [
                Counter({"model": "old"}, lambda at: truth(3, at)),
                Counter({"model": "new"}, lambda at: truth(7, at), alive=(NEW, END + 600)),
            ],
        ),
        (requests, "counter", f"{requests}_total", counters(4, {}, *haproxy)),
        (
            "haproxy_backend_http_responses",
            "counter",
            "haproxy_backend_http_responses_total",
            counters(4, haproxy[0], *codes),
        ),
        (
            "nginx_ingress_controller_requests",
            "unknown",
            "nginx_ingress_controller_requests",
            counters(5, {"ingress": "chat", "service": "chat"}, *hosts) + counters(6, {}, *nobody),
        ),
        (
            "http_requests",
            "counter",
            "http_requests_total",
            counters(7, {"model": "embed"}, target("e") | {"status": "200"}),
        ),
    ]


def text() -> str:
    def scraped(at: float) -> bool:
        return not GAP[0] <= at < GAP[1]

    return prometheus_server.exposition(
        (
            family,
            kind,
            name,
            [c.read(START - 600, END + 600, EVERY, scraped) for c in all_counters],
        )
        for family, kind, name, all_counters in families()
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    prometheus_server.need()
    return prometheus_server.build(tmp_path_factory.mktemp("history"), text())


@pytest.fixture(scope="module")
def server(data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with Prometheus(tmp_path_factory.mktemp("server"), data) as running:
        yield running


@pytest.fixture
def proxy(server: Prometheus) -> Iterator[Proxy]:
    with Proxy(server) as running:
        yield running


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    def call(models: list[str], *words: str) -> subprocess.CompletedProcess[str]:
        rack = (
            "{apiVersion: huddle.energy/v1alpha1, kind: PowerPool, metadata: {name: rack},"
            " spec: {minAwake: 1, boot: {time: 150s}}}\n"
        ) + "".join(
            "---\n{apiVersion: huddle.energy/v1alpha1, kind: ServedModel, metadata: {name: "
            f"{name}}}, spec: {{runtime: any, replicas: {{max: 100}},"
            " capacity: {requestsPerSecond: 5}, resources: {cpu: 2}}}\n"
            for name in models
        )
        (tmp_path / "rack.yaml").write_text(rack)
        return subprocess.run(
            [BUILD / "huddlectl", "simulate", "-f", "rack.yaml", *WORDS, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": os.environ["PATH"]},
        )

    return call


def day(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def times(start: float = START, end: float = END) -> list[str]:
    return ["--start", day(start), "--end", day(end)]


def compare(actual: list[float], key: int, start: float, part_s: float) -> None:
    """The minutes as they were, but for those on both sides of a change and in the gap."""
    whole = [start + n * part_s for n in range(len(actual))]
    seen = [(at, value) for at, value in zip(whole, actual) if not GAP[0] - 60 <= at < GAP[1] + 120]
    error = sum(abs(value - truth(key, at)) for at, value in seen)
    amount = sum(truth(key, at) for at, _ in seen)
    assert error < 0.015 * amount
    assert sum(value for _, value in seen) == pytest.approx(amount, rel=0.002)
    held = [value for at, value in zip(whole, actual) if GAP[0] + 120 <= at < GAP[1] - 60]
    assert all(value == pytest.approx(held[0]) for value in held)  # not known: not zero


def fetch(url: str) -> str:
    """What a server answers that may still be starting."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


@pytest.mark.parametrize(
    "preset, models",
    [
        ("vllm", {NAMES[LLAMA]: 0, NAMES[QWEN]: 1}),
        ("kserve", {"sklearn-iris": 2}),
        ("triton", {"resnet50": 3}),
        ("haproxy", {"chat": 4}),
        ("nginx-ingress", {"chat": 5}),
        ("generic", {"embed": 7}),
    ],
)
def test_a_preset_reads_the_demand_that_was(
    server: Prometheus, run: Run, preset: str, models: dict[str, int]
) -> None:
    # The last minute is amid a window that ends half a minute later.
    words = ["--prometheus", server.url, "--preset", preset, *times(START, END + 30)]
    done = run(list(models), *words)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["from"] == day(START)
    assert result["days"] == pytest.approx(HOURS / 24, abs=1e-6)
    assert list(result["series"]["demand"]) == sorted(models)
    for name, key in models.items():
        actual = result["series"]["demand"][name]["actual"]
        assert len(actual) == PARTS
        compare(actual, key, START, result["series"]["stepS"])


def queries(proxy: Proxy) -> list[dict[str, str]]:
    split = [urllib.parse.urlsplit(path) for path in proxy.asked]
    return [dict(urllib.parse.parse_qsl(url.query)) for url in split]


def test_haproxy_exports_what_its_preset_asks_for(tmp_path: pathlib.Path) -> None:
    """The installed one, beside whose page the history above was written."""
    port = prometheus_server.free_port()
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n"
        f"frontend page\n bind 127.0.0.1:{port}\n default_backend chat\n"
        " http-request use-service prometheus-exporter if { path /metrics }\n"
        "backend chat\n http-request return status 200\n"
    )
    with subprocess.Popen(["haproxy", "-db", "-q", "-f", config]) as haproxy:
        try:
            for _ in range(3):
                fetch(f"http://127.0.0.1:{port}/v1/predict")
            page = fetch(f"http://127.0.0.1:{port}/metrics")
        finally:
            haproxy.kill()
    assert '\nhaproxy_backend_http_requests_total{proxy="chat"} 3\n' in page
    assert '\nhaproxy_backend_http_responses_total{proxy="chat",code="2xx"} 3\n' in page


def test_more_points_than_a_server_gives_are_asked_for_in_parts(proxy: Proxy, run: Run) -> None:
    words = ["--prometheus", proxy.url, "--preset", "triton", "--step", "2s"]
    words += ["--resolution", "15s", *times(START, END + 60)]
    done = run(["resnet50"], *words)
    assert done.returncode == 0, done.stderr
    parts = [(float(q["start"]), float(q["end"])) for q in queries(proxy)]
    assert [(end - start) / 2 + 1 for start, end in parts] == [10_000, 4_400]
    assert parts[0][0] == START + 61  # what a window of two minutes amid the first step tells of
    assert parts[1][0] == parts[0][1] + 2
    result = json.loads(done.stdout)
    assert result["from"] == day(START)
    compare(result["series"]["demand"]["resnet50"]["actual"], 3, START, 60)
    assert "10000/14400 asking Prometheus" in done.stderr
    assert proxy.encodings == ["gzip", "gzip"]


def test_an_answer_that_was_saved(server: Prometheus, run: Run, tmp_path: pathlib.Path) -> None:
    promql = "sum by (model) (rate(nv_inference_request_success[2m]))"
    query = {"query": promql, "start": str(START), "end": str(END), "step": "60"}
    url = f"{server.url}/api/v1/query_range?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        (tmp_path / "saved.json").write_bytes(answer.read())
    saved = run(["resnet50"], "--history", "saved.json")
    assert saved.returncode == 0, saved.stderr
    asked = run(["resnet50"], "--prometheus", server.url, "--query", promql, *times())
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == saved.stdout


def test_a_new_model_cuts_the_others_short_and_that_is_told(server: Prometheus, run: Run) -> None:
    words = ["--prometheus", server.url, *times(START, END + 30)]
    promql = "sum by (model) (rate(trtllm_request_total%s[%%s]))"
    both = run(["new", "old"], *words, "--query", promql % "")
    assert both.returncode == 0, both.stderr
    assert json.loads(both.stdout)["days"] == pytest.approx((END - NEW) / 86400, abs=0.002)
    assert "note: 0.0563 of 0.333 days are played" in both.stderr
    assert 'without "new" there are more' in both.stderr
    alone = run(["old"], *words, "--query", promql % '{model="old"}')
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["days"] == pytest.approx(HOURS / 24, abs=1e-6)
    assert "note:" not in alone.stderr


def test_a_query_of_ones_own(server: Prometheus, run: Run) -> None:
    """HAProxy's responses by class: those that were no errors, half of all here."""
    promql = 'sum by (proxy) (rate(haproxy_backend_http_responses_total{code!="5xx"}[%s]))'
    done = run(["chat"], "--prometheus", server.url, "--query", promql, *times(START, END + 30))
    assert done.returncode == 0, done.stderr
    actual = json.loads(done.stdout)["series"]["demand"]["chat"]["actual"]
    compare([2 * value for value in actual], 4, START, 60)


def test_what_a_server_refuses_is_told_with_the_way_out(proxy: Proxy, run: Run) -> None:
    ask = ["--prometheus", proxy.url, *times(START, START + 3600)]
    preset = ["--preset", "triton"]

    def refused(*words: str) -> str:
        done = run(["resnet50"], *words)
        assert done.returncode == 1
        assert not done.stdout
        return done.stderr

    wrong = refused(*ask, "--query", "sum by (model (x)")
    assert "(400): " in wrong and "parse error: unexpected" in wrong
    assert "; try the query in Prometheus' own page" in wrong
    promql = "vllm:request_success_total * on (model_name) vllm:request_success_total"
    assert "(422): found duplicate series for the match group" in refused(*ask, "--query", promql)
    assert len(proxy.asked) == 2  # neither is asked for again, in shorter parts
    elsewhere = refused("--prometheus", f"{proxy.url}/graph", *preset, *times())
    assert "(404): no Prometheus API there; give what stands before /graph" in elsewhere
    early = refused(*preset, "--prometheus", proxy.url, *times(START - 7200, START - 3600))
    assert "knows no series for: sum by" in early
    assert "rate() needs two scrapes within 120 s: a longer --step" in early
    assert "no ServedModel named" in refused(*ask, "--preset", "haproxy")
    assert "leave its demand out (--query)" in refused(*ask, "--preset", "haproxy")
    short = refused(*preset, "--prometheus", proxy.url, *times(START, START + 120))
    assert "--start must be 150 s or more before --end: rate() looks back" in short
    proxy.instead = (503, {}, b"Service Unavailable")
    assert "(503): no reason given; it may be starting or overloaded" in refused(*ask, *preset)
    proxy.instead = (302, {"Location": "/login"}, b"")
    assert "(302): no reason given; it sends elsewhere" in refused(*ask, *preset)
    proxy.instead = (200, {}, b"<html>log in</html>")
    assert "'[' or '{' expected" in refused(*ask, *preset)
    nobody = f"http://127.0.0.1:{prometheus_server.free_port()}"
    assert "cannot connect" in refused("--prometheus", nobody, *preset, *times())


def test_a_token_passes_a_proxy(proxy: Proxy, run: Run, tmp_path: pathlib.Path) -> None:
    proxy.token = "winter"
    words = ["--prometheus", proxy.url, "--preset", "triton", *times(START, START + 3600)]
    refused = run(["resnet50"], *words)
    assert refused.returncode == 1
    assert "(401): no reason given; give --token-file, and --user where" in refused.stderr
    (tmp_path / "token").write_text("winter\n")
    done = run(["resnet50"], *words, "--token-file", "token")
    assert done.returncode == 0, done.stderr


# --- a server with TLS, basic authentication and a low limit ------------------------------------

WINTER = "$2b$04$abcdefghijklmnopqrstuuMmN2bLlOx6epL.W6vjZ4aOxqAKFjXeK"  # bcrypt of "winter"
WEB = """\
tls_server_config: {{cert_file: {0}/cert.pem, key_file: {0}/key.pem}}
basic_auth_users: {{penguin: "{1}"}}
"""
SAMPLES_MOST = 2000


@pytest.fixture(scope="module")
def guarded(
    data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, pathlib.Path]]:
    folder = tmp_path_factory.mktemp("guarded")
    prometheus_server.self_signed(folder)
    (folder / "password").write_text("winter\n")
    shutil.copytree(data, folder / "data", ignore=shutil.ignore_patterns("wal", "lock"))
    limit = f"--query.max-samples={SAMPLES_MOST}"
    web = WEB.format(folder, WINTER)
    with Prometheus(folder, folder / "data", limit, web=web) as running:
        yield running, folder


def test_a_name_and_a_password(
    guarded: tuple[Prometheus, pathlib.Path], run: Run, tmp_path: pathlib.Path
) -> None:
    server, folder = guarded
    words = ["--prometheus", server.url, "--preset", "triton", *times(START, START + 3600)]
    ca = ["--ca", str(folder / "cert.pem")]
    password = ["--token-file", str(folder / "password")]
    strange = run(["resnet50"], *words, *password, "--user", "penguin")
    assert strange.returncode == 1
    assert "certificate is not trusted" in strange.stderr and "CA file" in strange.stderr
    bearer = run(["resnet50"], *words, *ca, *password)
    assert bearer.returncode == 1
    assert "(401): no reason given; give --token-file, and --user where" in bearer.stderr
    alone = run(["resnet50"], *words, *ca, "--user", "penguin")
    assert "--user needs the password: --token-file FILE" in alone.stderr
    (tmp_path / "wrong").write_text("summer\n")
    wrong = run(["resnet50"], *words, *ca, "--user", "penguin", "--token-file", "wrong")
    assert wrong.returncode == 1 and "(401)" in wrong.stderr
    shown = server.url.replace("//", "//penguin:winter@")
    inside = run(["resnet50"], "--prometheus", shown, *words[2:], *ca)
    assert inside.returncode == 1
    assert "no name and no password in a URL" in inside.stderr
    assert "winter" not in inside.stderr
    done = run(["resnet50"], *words, *ca, *password, "--user", "penguin")
    assert done.returncode == 0, done.stderr


def test_what_is_too_much_at_once_is_asked_for_in_shorter_parts(
    guarded: tuple[Prometheus, pathlib.Path], server: Prometheus, run: Run
) -> None:
    limited, folder = guarded
    models = list(NAMES.values())
    words = ["--preset", "vllm", *times(START, END + 30)]
    words += ["--ca", str(folder / "cert.pem"), "--token-file", str(folder / "password")]
    at_once = run(models, "--prometheus", server.url, *words)
    in_parts = run(models, "--prometheus", limited.url, *words, "--user", "penguin")
    assert in_parts.returncode == 0, in_parts.stderr
    assert in_parts.stdout == at_once.stdout
    assert "120/480 asking Prometheus" in in_parts.stderr
    promql = "sum by (model_name) (rate(vllm:request_success_total[8h]))"
    words = ["--query", promql, "--user", "penguin", *words[2:]]
    heavy = run(models, "--prometheus", limited.url, *words)
    assert heavy.returncode == 1
    assert "too many samples into memory" in heavy.stderr
    assert "a longer --step or a query of fewer series" in heavy.stderr
