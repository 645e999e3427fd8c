"""A proxy between one controller and an API server: it sees each write, and may stop the controller before
the server has it, or after it is committed and before the controller knows.

It ends TLS with the API server's own certificate, so the controller needs only another port in its
kubeconfig; requests are passed on as they are, one at a time on each connection.
"""

from __future__ import annotations

import collections.abc
import json
import pathlib
import socket
import ssl
import threading

from tests.kubernetes.api import Object
from tests.kubernetes.cluster import ControlPlane

BEFORE, AFTER = "before", "after"
READS = ("GET", "HEAD", "OPTIONS")
NOT_OF_A_MOVE = ("leases", "events", "selfsubjectaccessreviews", "powerpools", "powerpolicies")
NOT_OF_A_MOVE += ("nodes", "nodepowers")  # of a sleep: test_sleep_crash.py
PRECONDITIONS = ("uid", "resourceVersion")
Moment = tuple[str, str]  # what is written, and BEFORE or AFTER


class Gone(Exception):
    """One side has closed the connection."""


class Stream:
    """Reads heads and bodies of HTTP/1.1 from a socket."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock, self.rest = sock, b""

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Gone
        self.rest += data

    def until(self, end: bytes) -> bytes:
        while end not in self.rest:
            self._fill()
        at = self.rest.index(end) + len(end)
        found, self.rest = self.rest[:at], self.rest[at:]
        return found

    def exactly(self, n: int) -> bytes:
        while len(self.rest) < n:
            self._fill()
        found, self.rest = self.rest[:n], self.rest[n:]
        return found


def header(head: bytes, name: str) -> str:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def body_parts(stream: Stream, head: bytes) -> collections.abc.Iterator[bytes]:
    """The bytes of a body as they come, framing and all."""
    if header(head, "transfer-encoding").lower() != "chunked":
        yield stream.exactly(int(header(head, "content-length") or 0))
        return
    while True:
        line = stream.until(b"\r\n")
        size = int(line.split(b";")[0], 16)
        yield line + stream.exactly(size + 2)  # without trailers: API servers send none
        if size == 0:
            return


def leaves(thing: object, path: str = "") -> collections.abc.Iterator[str]:
    if isinstance(thing, dict) and thing:
        for key, value in thing.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif path.rpartition(".")[2] not in PRECONDITIONS:
        yield path if thing else f"{path}={json.dumps(thing)}"


def what_is_written(method: str, path: str, body: bytes) -> str:
    """A write without its names and values: "PATCH pods metadata.labels.pod-template-hash"; "": it is none, or
    no part of a move."""
    words = path.partition("?")[0].strip("/").split("/")
    words = words[2:] if words[0] == "api" else words[3:]
    if words[:1] == ["namespaces"]:
        words = words[2:]
    if method in READS or not words or words[0] in NOT_OF_A_MOVE:
        return ""
    kind = f"{words[0]}/{words[2]}" if len(words) > 2 else words[0]
    fields = sorted(leaves(json.loads(body or b"{}"))) if method == "PATCH" else []
    if kind == "servedmodels/status":  # the other fields say how the model is
        fields = [f for f in fields if f.startswith("status.moves")]
        if not fields:
            return ""
    return " ".join([method, kind, *fields])


class FaultProxy:
    """Listens on loopback; `kubeconfig` is the way through it. For each write of a move `at` is called
    with the Moment, by the thread that carries it; when it says True the connection is closed there
    and then."""

    def __init__(
        self, cluster: ControlPlane, user: str, at: collections.abc.Callable[[Moment], bool]
    ) -> None:
        self.cluster, self.at = cluster, at
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        folder = cluster.folder
        self.inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.inner.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.outer = ssl.create_default_context(cafile=str(cluster.pki.ca))
        text: Object = json.loads(cluster.kubeconfig(user).read_text(encoding="utf-8"))
        text["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        self.kubeconfig: pathlib.Path = folder / f"{user}-through-{self.port}.kubeconfig"
        self.kubeconfig.write_text(json.dumps(text), encoding="utf-8")
        self.kubeconfig.chmod(0o600)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with (
                self.inner.wrap_socket(peer, server_side=True) as client,
                socket.create_connection((self.cluster.address, self.cluster.port)) as plain,
                self.outer.wrap_socket(plain, server_hostname=self.cluster.address) as server,
            ):
                asked, answered = Stream(client), Stream(server)
                while self._pass_one(asked, answered):
                    pass
        except (Gone, OSError):
            pass  # one of them has ended, or was ended

    def _pass_one(self, asked: Stream, answered: Stream) -> bool:
        """One request and its answer; False: no further one."""
        head = asked.until(b"\r\n\r\n")
        body = b"".join(body_parts(asked, head))
        method, path, _ = head.decode("latin-1").split(" ", 2)
        what = what_is_written(method, path, body)
        if what and self.at((what, BEFORE)):
            return False
        answered.sock.sendall(head + body)
        head = answered.until(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if what:  # committed, and the answer is not passed on before
            rest = b"".join(body_parts(answered, head))
            if status < 300 and self.at((what, AFTER)):
                return False
            asked.sock.sendall(head + rest)
        else:
            asked.sock.sendall(head)
            for part in body_parts(answered, head) if status not in (204, 304) else ():
                asked.sock.sendall(part)
        return header(head, "connection").lower() != "close"
