"""huddle's Kubernetes client on the wire: a server of ours with TLS that does what it is told to."""

from __future__ import annotations

import collections.abc
import contextlib
import gzip
import http.server
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from typing import Any

import pytest

from kube_store import KubeStore
from tests.kubernetes.api import Object
from tests.kubernetes.client import Client
from tests.kubernetes.leasing import kubeconfig as plain_kubeconfig
from tests.kubernetes.pki import Pki


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        connection = self.connection
        assert isinstance(connection, ssl.SSLSocket)
        peer: Any = connection.getpeercert()
        names = [v for part in (peer or {}).get("subject", ()) for k, v in part]
        self.server.seen.append(
            {
                "path": self.path,
                "port": self.client_address[1],
                "peer": names[-1] if names else "",
                "authorization": self.headers.get("Authorization"),
                "host": self.headers.get("Host"),
                "agent": self.headers.get("User-Agent"),
                "encoding": self.headers.get("Accept-Encoding"),
                "alpn": connection.selected_alpn_protocol(),
            }
        )
        status, headers, body = self.server.answers.get(self.path, (200, {}, b"{}"))
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if "Content-Length" in headers:
            self.close_connection = True

    def log_message(self, *unused: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """`answers`: path to (status, headers, body)."""

    daemon_threads = True

    def __init__(self, pki: Pki, certificate: pathlib.Path, port: int = 0) -> None:
        self.seen: list[Object] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        context.load_verify_locations(pki.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *unused: object) -> None:
        pass  # a client that does not trust us goes away

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def pki(tmp_path: pathlib.Path) -> Pki:
    made = Pki(tmp_path)
    made.server("server", ["127.0.0.1"], ["api.example"])
    return made


@pytest.fixture
def server(pki: Pki) -> collections.abc.Iterator[Server]:
    running = Server(pki, pki.folder / "server.pem")
    yield running
    running.stop()


def kubeconfig(server: Server, pki: Pki, user: Object, **cluster: object) -> pathlib.Path:
    file = pki.folder / "kubeconfig"
    text = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": server.url, "certificate-authority": "ca.pem", **cluster},
            }
        ],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(json.dumps(text), encoding="utf-8")
    return file


def test_a_request_as_the_server_sees_it(server: Server, pki: Pki) -> None:
    file = kubeconfig(server, pki, {"token": "secret"}, **{"tls-server-name": "api.example"})
    with Client(files=file) as client:
        assert client.get("/x")["reason"] == "OK"
    (seen,) = server.seen
    assert seen["authorization"] == "Bearer secret"
    assert seen["host"] == server.url.removeprefix("https://")  # not the name in the certificate
    assert seen["agent"].startswith("huddle/")
    assert seen["encoding"] == "gzip"
    assert seen["alpn"] == "http/1.1"  # the server would have had h2


def test_packed_answers(server: Server, pki: Pki) -> None:
    packed = {"Content-Encoding": "gzip"}
    whole = gzip.compress(json.dumps({"kind": "PodList", "items": [{"n": 1}] * 9000}).encode())
    short = {**packed, "Content-Length": str(len(whole))}
    server.answers["/packed"] = (200, packed, whole)
    server.answers["/cut"] = (200, short, whole[:-100])
    server.answers["/torn"] = (200, packed, whole[:-100])
    server.answers["/bomb"] = (200, packed, gzip.compress(b" " * (17 << 20) + b"{}"))
    with Client(files=kubeconfig(server, pki, {})) as client:
        assert len(client.get("/packed")["object"]["items"]) == 9000
        assert "error" in client.get("/cut")
        assert "error" in client.get("/torn")
        assert "longer than 16777216 bytes" in client.get("/bomb")["error"]
        assert client.get("/x")["reason"] == "OK"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_sent_once(tmp_path: pathlib.Path, method: str) -> None:
    """Also on a kept connection that breaks before the answer, where libcurl would send it again."""
    with KubeStore() as store, Client(files=plain_kubeconfig(tmp_path, store.url)) as client:
        for n in range(1, 4):
            assert client.get("/x")["reason"] == "NotFound"
            store.faults[method] = ["lost"]
            answer = client.send(method, "/x", {"metadata": {"name": f"y{n}"}})
            assert "the connection broke before an answer came" in answer["error"]
            assert store.count(method) == n
            assert client.get("/x/y1")["reason"] == ("OK" if method == "POST" else "NotFound")


def test_a_redirect_leads_nowhere(server: Server, pki: Pki) -> None:
    other = Server(pki, pki.folder / "server.pem")
    server.answers["/moved"] = (302, {"Location": f"{other.url}/x"}, b"")
    with Client(files=kubeconfig(server, pki, {"token": "secret"})) as client:
        assert "does `server` name one?" in client.get("/moved")["error"]
    other.stop()
    assert other.seen == []


def test_a_client_certificate_that_changes_is_shown(server: Server, pki: Pki) -> None:
    pki.client("before", "before")
    pki.client("after", "after")

    def put(name: str) -> None:
        for suffix in ("pem", "key"):
            shutil.copyfile(pki.folder / f"{name}.{suffix}", pki.folder / f"mine.{suffix}")

    put("before")
    user = {"client-certificate": "mine.pem", "client-key": "mine.key"}
    with Client(files=kubeconfig(server, pki, user)) as client:
        for _ in range(3):
            assert client.get("/x")["reason"] == "OK"
        put("after")
        time.sleep(1.1)  # it looks once a second
        assert client.get("/x")["reason"] == "OK"
        time.sleep(2.1)  # from then on it keeps connections again
        for _ in range(3):
            assert client.get("/x")["reason"] == "OK"
    assert [s["peer"] for s in server.seen] == ["before"] * 3 + ["after"] * 4
    ports = [s["port"] for s in server.seen]
    assert len(set(ports[:3])) == 1
    assert ports[3] != ports[0]
    assert len(set(ports[4:])) == 1


def test_a_ca_that_changes_is_read_again(server: Server, pki: Pki, tmp_path: pathlib.Path) -> None:
    (tmp_path / "other").mkdir()
    other = Pki(tmp_path / "other")
    other.server("server", ["127.0.0.1"], [])
    port = server.server_address[1]
    with Client(files=kubeconfig(server, pki, {})) as client:
        assert client.get("/x")["reason"] == "OK"
        server.stop()
        for name in ("ca.pem", "ca.key"):
            shutil.copyfile(other.folder / name, pki.folder / name)
        time.sleep(1.1)
        renewed = Server(other, other.folder / "server.pem", port)
        assert client.get("/x")["reason"] == "OK"
        renewed.stop()


def test_a_dead_peer_is_looked_for(server: Server, pki: Pki) -> None:
    with Client(files=kubeconfig(server, pki, {})) as client:
        assert client.get("/x")["reason"] == "OK"
        port = server.seen[0]["port"]
        shown = subprocess.run(
            ["ss", "-tnoH", "sport", "=", f":{port}"], capture_output=True, text=True, check=True
        )
        assert "timer:(keepalive," in shown.stdout


def test_silence_is_no_answer(pki: Pki) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        file = pki.folder / "kubeconfig"
        file.write_text(
            json.dumps(
                {
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "c"}}],
                    "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
                }
            ),
            encoding="utf-8",
        )
        with Client(files=file) as client:
            began = time.monotonic()
            assert "no answer in time" in client.get("/x")["error"]
            assert 4 < time.monotonic() - began < 20
