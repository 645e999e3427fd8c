"""An API server for tests of what writes: objects of any kind by their paths, with resourceVersions and
their conflicts, and faults: the next requests of a method are answered as FAULTS says."""

from __future__ import annotations

import collections.abc
import copy
import http.server
import json
import socket
import struct
import threading
import uuid
from typing import Any

Object = dict[str, Any]
FAULTS = {
    "refused": "the connection breaks before anything was done",
    "lost": "done, and the connection breaks",
    "silent": "done, and no answer comes",
    "500": "not done",
    "500 done": "done all the same",
    "429": "not done",
    "429 for 30 s": "not done, and not to be asked for again sooner",
    "403": "not done",
    "html": "done, and a proxy answers",
    "empty": "done, and nothing of it is told",
}


class Refusal(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


def merge(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merge(new.get(key), value)
    return new


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _serve(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        fault = self.server.store.fault(self.command)
        code, answer = 500, {"kind": "Status", "code": 500, "message": "out of order"}
        if fault in ("refused", "429", "403", "500"):
            code = int(fault) if fault.isdigit() else code
        elif fault == "429 for 30 s":
            code, answer = 429, {
                "kind": "Status",
                "code": 429,
                "details": {"retryAfterSeconds": 30},
            }
        else:
            code, answer = self.server.store.handle(self.command, self.path, body)
        if fault == "silent":
            self.server.store.silence.wait(30)
        if fault in ("refused", "lost", "silent"):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        if fault == "empty":
            code, answer = 200, {}
        if fault == "500 done":
            code, answer = 500, {"kind": "Status", "code": 500, "message": "etcd: timed out"}
        text = b"<html>sign in</html>" if fault == "html" else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/html" if fault == "html" else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *unused: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: KubeStore) -> None:
        self.store = store
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *unused: object) -> None:
        pass  # a client went away


class KubeStore:
    """`with KubeStore() as store:` serves on store.url. `seen` has method, path and body of each request,
    also of those that a fault kept from being done."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, Object] = {}
        self.version = 0
        self.faults: dict[str, list[str]] = collections.defaultdict(list)
        self.seen: list[tuple[str, str, Any]] = []
        self.silence = threading.Event()

    def __enter__(self) -> KubeStore:
        self.server = Server(self)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.silence.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def fault(self, method: str) -> str:
        with self.lock:
            queue = self.faults[method]
            return queue.pop(0) if queue else ""

    def count(self, method: str) -> int:
        return sum(seen[0] == method for seen in list(self.seen))

    def handle(self, method: str, path: str, body: Any) -> tuple[int, Object]:
        with self.lock:
            self.seen.append((method, path, copy.deepcopy(body)))
            try:
                done = getattr(self, f"_{method.lower()}")(path, body)
                return 201 if method == "POST" else 200, done
            except Refusal as error:
                status = {"kind": "Status", "code": error.code, "reason": error.reason}
                return error.code, {**status, "message": error.reason}

    def _known(self, path: str) -> Object:
        if path not in self.objects:
            raise Refusal(404, "NotFound")
        return self.objects[path]

    def put(self, path: str, thing: Object) -> Object:
        """As it is, with a new version."""
        self.version += 1
        metadata = {**thing.get("metadata", {}), "resourceVersion": str(self.version)}
        self.objects[path] = {**copy.deepcopy(thing), "metadata": metadata}
        return self.objects[path]

    def _get(self, path: str, unused: Any) -> Object:
        return self._known(path)

    def _post(self, path: str, body: Object) -> Object:
        full = f"{path}/{body['metadata']['name']}"
        if full in self.objects:
            raise Refusal(409, "AlreadyExists")
        body["metadata"].setdefault("uid", str(uuid.uuid4()))
        return self.put(full, body)

    def _put(self, path: str, body: Object) -> Object:
        old = self._known(path)
        if body["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Refusal(409, "Conflict")
        return old if body == old else self.put(path, body)

    def _patch(self, path: str, body: Object) -> Object:
        return self.put(path, merge(self._known(path), body))

    def _delete(self, path: str, unused: Any) -> Object:
        self._known(path)
        return self.objects.pop(path)
