"""An API server for tests that lists and watches one kind of object as Kubernetes does, and misbehaves
on demand: on sockets of its own, so that every byte and every end of a connection is its choice.

Faults are queued by place (`list`, `check`, `watch`: the request; `event`: the next event of any watch)
and each is used once. See FAULTS.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
import struct
import threading
import time
import urllib.parse
import uuid
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]

PATH = "/api/v1/pods"
FAULTS = {
    "list": ["410", "429", "500", "503", "gzip", "reset", "html"],
    "check": ["429", "500", "reset"],
    "watch": ["410", "429", "500", "503", "reset", "end"],
    "event": ["expired", "error", "reset", "cut", "twice", "swap", "end"],
}
STATUS = {
    "410": ("Expired", "too old resource version"),
    "429": ("TooManyRequests", "too many requests, please try again later"),
    "500": ("InternalError", "etcdserver: leader changed"),
    "503": ("ServiceUnavailable", "apiserver is shutting down"),
    "504": ("Timeout", "Too large resource version"),
}


def status(code: str, message: str = "", causes: list[Object] | None = None) -> Object:
    reason, words = STATUS[code]
    details = {"retryAfterSeconds": 1, "causes": causes} if causes else {}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message or words,
        "code": int(code),
        "details": details,
    }


class Hangup(Exception):
    """This connection ends now, as it is."""


class KubeApi:
    """`streaming`: what a watch with sendInitialEvents does: `yes`, `ignored`, `refused` (422), `etcd`
    (ERROR 500 of an etcd that is too old). `chunk`: bytes of a chunk of a watch, 0: an event each.
    """

    def __init__(self, streaming: str = "yes") -> None:
        self.changed = threading.Condition()
        self.objects: dict[Key, Object] = {}
        self.version = 1000
        self.oldest = 1000  # events before it are compacted
        self.events: list[tuple[int, str, Object]] = []
        self.faults: dict[str, list[str]] = {place: [] for place in FAULTS}
        self.asked: list[str] = []  # paths and queries
        self.streaming, self.chunk, self.silent = streaming, 0, False
        self.bookmark_s = 0.5
        self.open: set[socket.socket] = set()
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    # --- what happens in it ---

    def put(
        self, name: str, namespace: str = "default", fresh: bool = False, **more: Any
    ) -> Object:
        """Creates or changes an object; `fresh` replaces one of that name by another of a new uid, as if
        the deletion had been missed."""
        with self.changed:
            key = (namespace, name)
            old = None if fresh else self.objects.get(key)
            self.version += 1
            metadata = {
                "namespace": namespace,
                "name": name,
                "uid": old["metadata"]["uid"] if old else str(uuid.uuid4()),
                "resourceVersion": str(self.version),
                **more.pop("metadata", {}),
            }
            thing = {"metadata": metadata, **more}
            self.objects[key] = thing
            self._tell("MODIFIED" if old else "ADDED", thing)
            return thing

    def delete(self, name: str, namespace: str = "default") -> None:
        with self.changed:
            thing = self.objects.pop((namespace, name))
            self.version += 1
            last = {**thing["metadata"], "resourceVersion": str(self.version)}
            self._tell("DELETED", {**thing, "metadata": last})

    def _tell(self, kind: str, thing: Object) -> None:
        self.events.append((self.version, kind, thing))
        self.changed.notify_all()

    def compact(self) -> None:
        """Forgets all that happened."""
        with self.changed:
            self.events.clear()
            self.oldest = self.version

    def backup(self) -> tuple[int, dict[Key, Object]]:
        with self.changed:
            return self.version, dict(self.objects)

    def restore(self, backup: tuple[int, dict[Key, Object]]) -> None:
        """The store is again what it was; every connection breaks, as with a restart."""
        with self.changed:
            self.version, self.objects = backup[0], dict(backup[1])
            self.oldest, self.events = self.version, []
        self.break_all()

    def break_all(self) -> None:
        with self.changed:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it is gone already
            self.changed.notify_all()

    def close(self) -> None:
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)  # else who waits in accept() would wait on
        self.acceptor.join()
        self.listener.close()
        self.break_all()

    def state(self) -> dict[Key, tuple[str, str]]:
        """uid and resourceVersion of all that is there."""
        with self.changed:
            return {
                key: (o["metadata"]["uid"], o["metadata"]["resourceVersion"])
                for key, o in self.objects.items()
            }

    def fault(self, place: str) -> str:
        with self.changed:
            return self.faults[place].pop(0) if self.faults[place] else ""

    # --- connections ---

    def _accept(self) -> None:
        while not self.closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self.changed:
            self.open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                self._answer(connection, _request(connection))
        except (OSError, Hangup):
            pass
        finally:
            with self.changed:
                self.open.discard(connection)
                connection.close()

    def _answer(self, connection: socket.socket, target: str) -> None:
        path, _, query = target.partition("?")
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.asked.append(target)
        if path != PATH:
            _reply(connection, 404, {"kind": "Status", "code": 404})
        elif asked.get("watch") == "true":
            self._watch(connection, asked)
        elif "resourceVersion" in asked:
            self._check(connection, asked)
        else:
            self._list(connection, asked)

    def _spoil(self, connection: socket.socket, fault: str, body: Object) -> bool:
        """Answers as `fault` says; False: there is none."""
        if fault in STATUS:
            _reply(connection, int(fault), status(fault), "Retry-After: 1\r\n" * (fault == "429"))
        elif fault == "html":
            _send_whole(connection, 200, b"<html>sign in</html>", "text/html")
        elif fault == "gzip":
            packed = gzip.compress(json.dumps(body).encode())
            _send_whole(
                connection, 200, packed[: len(packed) // 2], more="Content-Encoding: gzip\r\n"
            )
        elif fault == "reset":
            text = json.dumps(body).encode()
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
            )
            connection.sendall(head.encode() + b"\r\n\r\n" + text[: len(text) // 2])
            _reset(connection)
            raise Hangup
        return bool(fault)

    # --- requests ---

    def _check(self, connection: socket.socket, asked: dict[str, str]) -> None:
        if self._spoil(connection, self.fault("check"), {"items": []}):
            return
        with self.changed:
            ahead = int(asked["resourceVersion"]) > self.version
        if ahead:
            causes = [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ]
            _reply(connection, 504, status("504", causes=causes))
        else:
            self._list(connection, {"limit": asked["limit"]}, spoil=False)

    def _list(self, connection: socket.socket, asked: dict[str, str], spoil: bool = True) -> None:
        with self.changed:
            version, start = self.version, ("", "")
            if "continue" in asked:
                token = json.loads(base64.urlsafe_b64decode(asked["continue"]))
                version, start = token[0], (token[1], token[2])
            expired = version < self.oldest
            things = self._as_of(version)
        keys = sorted(key for key in things if key > start)
        limit = int(asked.get("limit", "0")) or len(keys)
        more = ""
        if len(keys) > limit:
            token = json.dumps([version, *keys[limit - 1]]).encode()
            more = base64.urlsafe_b64encode(token).decode()
        metadata = {"resourceVersion": str(version), "continue": more}
        body = {"kind": "PodList", "metadata": metadata, "items": [things[k] for k in keys[:limit]]}
        if spoil and self._spoil(connection, self.fault("list"), body):
            return
        if expired:
            _reply(connection, 410, {**status("410"), "metadata": {"continue": "inconsistent"}})
        else:
            _reply(connection, 200, body)

    def _as_of(self, version: int) -> dict[Key, Object]:
        """What was there then, by undoing what came after; exact as far as keys and uids go."""
        things = dict(self.objects)
        for at, kind, thing in reversed(self.events):
            if at <= version:
                break
            key = (thing["metadata"]["namespace"], thing["metadata"]["name"])
            if kind == "ADDED":
                things.pop(key, None)
            elif kind == "DELETED":
                things[key] = thing
        return things

    def _watch(self, connection: socket.socket, asked: dict[str, str]) -> None:
        fault = self.fault("watch")
        if fault in STATUS or fault == "reset":
            self._spoil(connection, fault, {"type": "ADDED", "object": {"metadata": {"name": "x"}}})
            return
        stream = "sendInitialEvents" in asked and self.streaming != "ignored"
        if stream and self.streaming == "refused":
            body = {"kind": "Status", "code": 422, "message": "sendInitialEvents is forbidden"}
            _reply(connection, 422, body)
            return
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        if fault == "end":
            connection.sendall(b"0\r\n\r\n")
            return
        if stream and self.streaming == "etcd":
            self._send(connection, "ERROR", status("500", "RequestWatchProgress is disabled"))
            connection.sendall(b"0\r\n\r\n")
            return
        with self.changed:
            at = int(asked.get("resourceVersion") or self.version)
            expired = at < self.oldest
            first = list(self.objects.values()) if "sendInitialEvents" in asked else []
            at = self.version if first else at
        if expired:
            self._send(connection, "ERROR", status("410"))
            connection.sendall(b"0\r\n\r\n")
            return
        for thing in first:
            self._send(connection, "ADDED", thing)
        if stream:
            mark = {
                "resourceVersion": str(at),
                "annotations": {"k8s.io/initial-events-end": "true"},
            }
            self._send(connection, "BOOKMARK", {"metadata": mark})
        self._follow(connection, at)

    def _follow(self, connection: socket.socket, at: int) -> None:
        marked = time.monotonic()
        while True:
            with self.changed:
                if not any(version > at for version, _, _ in self.events):
                    self.changed.wait(self.bookmark_s)
                if self.closed or connection not in self.open or connection.fileno() < 0:
                    raise Hangup
                if self.silent:
                    continue
                if at < self.oldest:
                    raise Hangup  # it was not sent before it was compacted
                new = [event for event in self.events if event[0] > at]
                known = at <= self.version
            while new:
                at = self._event(connection, at, new)
            if known and not new and time.monotonic() - marked >= self.bookmark_s:
                marked = time.monotonic()
                self._send(connection, "BOOKMARK", {"metadata": {"resourceVersion": str(at)}})

    def _event(self, connection: socket.socket, at: int, new: list[tuple[int, str, Object]]) -> int:
        """Sends the first, or what a fault makes of it; its version."""
        version, kind, thing = new.pop(0)
        fault = self.fault("event")
        if fault == "expired":
            self._send(connection, "ERROR", status("410"))
            connection.sendall(b"0\r\n\r\n")
            raise Hangup
        if fault == "error":
            self._send(connection, "ERROR", status("500"))
            connection.sendall(b"0\r\n\r\n")
            raise Hangup
        if fault == "end":
            connection.sendall(b"0\r\n\r\n")
            raise Hangup
        if fault in ("reset", "cut"):
            text = json.dumps({"type": kind, "object": thing}).encode()
            connection.sendall(_chunks(text[: len(text) // 2], 0))
            if fault == "reset":
                _reset(connection)
            else:
                connection.sendall(b"0\r\n\r\n")
            raise Hangup
        if fault == "swap" and new and _may_swap(kind, thing, new[0]):
            self._send(connection, new[0][1], new[0][2])
            self._send(connection, kind, thing)
            return new.pop(0)[0]
        for _ in range(2 if fault == "twice" else 1):
            self._send(connection, kind, thing)
        return version

    def _send(self, connection: socket.socket, kind: str, thing: Object) -> None:
        text = json.dumps({"type": kind, "object": thing}).encode() + b"\n"
        connection.sendall(_chunks(text, self.chunk))


def _may_swap(kind: str, thing: Object, other: tuple[int, str, Object]) -> bool:
    """Two changes of one object in the wrong order are for nobody to see, as versions are opaque."""
    same = thing["metadata"]["name"] == other[2]["metadata"]["name"]
    return not same or "DELETED" in (kind, other[1])


def _reset(connection: socket.socket) -> None:
    """Has the close that follows drop what is under way."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _chunks(text: bytes, size: int) -> bytes:
    size = size or max(len(text), 1)
    parts = (text[i : i + size] for i in range(0, len(text), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def _request(connection: socket.socket) -> str:
    """Reads one; its target."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            raise Hangup
        head += part
    return head.split(b" ", 2)[1].decode()


def _send_whole(
    connection: socket.socket,
    code: int,
    body: bytes,
    kind: str = "application/json",
    more: str = "",
) -> None:
    head = f"HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


def _reply(connection: socket.socket, code: int, body: Object, more: str = "") -> None:
    _send_whole(connection, code, json.dumps(body).encode(), more=more)
