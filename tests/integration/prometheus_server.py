"""A real Prometheus (Debian's package `prometheus`) on loopback, over a history that a test wrote.

`Counter` is one as a program exports it, `build` makes a data folder of what was read of some with
promtool, `Prometheus` serves a folder, `Proxy` stands before a server.
"""

from __future__ import annotations

import dataclasses
import http.server
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import pytest

Rate = Callable[[float], float]  # of a time: requests a second


def need() -> None:
    """`make deps` installs it; without it a test says what is missing."""
    for program in ("prometheus", "promtool"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (make deps)")


@dataclasses.dataclass
class Series:
    labels: dict[str, str]
    samples: list[tuple[float, float]]


@dataclasses.dataclass
class Counter:
    """A counter that grows by `rate`, read every `every` seconds where `alive` and `scraped` say so.

    Each of `resets` is a restart: it begins at 0 again.
    """

    labels: dict[str, str]
    rate: Rate
    offset: float = 0
    resets: tuple[float, ...] = ()
    alive: tuple[float, float] = (float("-inf"), float("inf"))

    def read(
        self, start: float, end: float, every: float, scraped: Callable[[float], bool]
    ) -> Series:
        samples: list[tuple[float, float]] = []
        at, value = start + self.offset, 0.0
        while at <= end:
            if self.alive[0] <= at < self.alive[1]:
                if any(at - every < reset <= at for reset in self.resets):
                    value = self.rate(at) * (at - max(r for r in self.resets if r <= at))
                elif samples:
                    value += self.rate(at - every / 2) * every
                if scraped(at):
                    samples.append((at, value))
            at += every
        return Series(self.labels, samples)


def exposition(families: Iterable[tuple[str, str, str, list[Series]]]) -> str:
    """OpenMetrics text of (family, type, name of its samples, series)."""
    lines = []
    for family, kind, name, all_series in families:
        lines.append(f"# TYPE {family} {kind}")
        for series in all_series:
            labels = ",".join(f'{key}="{value}"' for key, value in series.labels.items())
            lines += [f"{name}{{{labels}}} {value:.10g} {at:.3f}" for at, value in series.samples]
    return "\n".join([*lines, "# EOF", ""])


def build(folder: pathlib.Path, text: str) -> pathlib.Path:
    """A data folder that holds the text's samples."""
    data = folder / "data"
    (folder / "history.txt").write_text(text)
    words = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    subprocess.run([*words, folder / "history.txt", data], check=True, stdout=subprocess.DEVNULL)
    return data


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def self_signed(folder: pathlib.Path) -> None:
    """cert.pem, which is its own authority, and key.pem, for 127.0.0.1."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)


def check_page(url: str) -> None:
    """A page of metrics is as Prometheus wants it, to promtool's last advice."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        page = answer.read()
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), url


def scraping(pages: dict[str, str]) -> str:
    """A configuration that reads pages, by the names of their jobs, twice a second."""
    jobs = [
        {"job_name": name, "scrape_interval": "500ms", "static_configs": [{"targets": [address]}]}
        for name, address in pages.items()
    ]
    return json.dumps({"scrape_configs": jobs})  # JSON is YAML


class Prometheus:
    """`with Prometheus(folder, data) as server:` answers on server.url."""

    def __init__(
        self, folder: pathlib.Path, data: pathlib.Path, *words: str, config: str = "", web: str = ""
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"{'https' if 'tls_server_config' in web else 'http'}://127.0.0.1:{self.port}"
        (folder / "prometheus.yml").write_text(config)
        self.log = folder / "prometheus.log"
        self.words = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=20y",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
            *words,
        ]
        if web:
            (folder / "web.yml").write_text(web)
            self.words.append(f"--web.config.file={folder}/web.yml")

    def ready(self) -> bool:
        loose = ssl.create_default_context()
        loose.check_hostname, loose.verify_mode = False, ssl.CERT_NONE
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=5, context=loose).close()
        except urllib.error.HTTPError as answer:
            return answer.code == 401  # it would be, to those whom it knows
        except OSError:
            return False
        return True

    def get(self, path: str, **query: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def ask(self, promql: str) -> dict[str, float]:
        """What a query yields now, by job."""
        result = self.get("query", query=promql)["result"]
        return {series["metric"].get("job", ""): float(series["value"][1]) for series in result}

    def complaints(self) -> list[str]:
        """Of the pages that it reads."""
        return [t["lastError"] for t in self.get("targets")["activeTargets"] if t["lastError"]]

    def rules(self) -> list[dict[str, Any]]:
        """All alerts and records of its rule files, with their health."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def __enter__(self) -> Prometheus:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.words, stdout=log, stderr=log)
        for _ in range(600):
            if self.ready():
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"prometheus did not start: {self.log.read_text()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        self.process.kill()  # nothing in its folder is needed later
        self.process.wait()


class Proxy:
    """`with Proxy(server) as proxy:` hands on what is asked of proxy.url, and remembers it."""

    def __init__(self, server: Prometheus) -> None:
        self.upstream = server.url
        self.asked: list[str] = []
        self.encodings: list[str | None] = []
        self.token: str | None = None  # wanted of those who ask
        self.instead: tuple[int, dict[str, str], bytes] | None = None

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {}, b"Unauthorized\n"
        if self.instead:
            return self.instead
        self.asked.append(path)
        kept = {k: v for k, v in headers.items() if k in ("Accept", "Accept-Encoding")}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.upstream + path, headers=kept), timeout=60
            ) as got:
                status, found, body = got.status, got.headers, got.read()
        except urllib.error.HTTPError as refused:
            status, found, body = refused.code, refused.headers, refused.read()
        self.encodings.append(found["Content-Encoding"])
        names = ("Content-Type", "Content-Encoding")
        return status, {name: found[name] for name in names if found[name]}, body

    def __enter__(self) -> Proxy:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                status, headers, body = proxy.answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
