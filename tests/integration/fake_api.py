"""A stand-in for the controller's API, for tests of huddlectl: objects in memory, resource versions with
conflicts, watches, Status errors, and the means to misbehave on purpose."""

from __future__ import annotations

import copy
import http.server
import json
import threading
import urllib.parse
from typing import Any

GROUP = "/apis/huddle.energy/v1alpha1"
VERBS = ("drain", "sleep", "wake", "cordon", "uncordon", "hold", "release", "pause", "resume")


class FakeApi:
    """`with FakeApi() as api:` serves on api.url."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.version = 1
        self.requests: list[tuple[str, str, Any]] = []  # method, path with query, body
        self.changes: list[tuple[int, str, str, dict[str, Any]]] = []  # version, kind, type, object
        self.changed = threading.Condition()
        self.token: str | None = None
        self.conflicts = 0  # so many PUTs are answered with 409
        self.busy = 0  # so many requests are answered with 429
        self.gone_below = 0  # watches from before this version are 410
        self.watch_ends_after = 1000000  # changes
        self.watches = 0  # that were begun
        self.refusals: dict[str, tuple[int, str]] = {}  # "sleep" -> status, message
        self.on_verb: Any = None
        self.report: dict[str, Any] = {}
        self.closing = False

    def __enter__(self) -> "FakeApi":
        handler = type("Handler", (_Handler,), {"api": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *unused: object) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def put(self, plural: str, name: str, change: str = "", **parts: Any) -> dict[str, Any]:
        """Adds or replaces an object and tells those who watch."""
        with self.changed:
            self.version += 1
            old = self.objects.setdefault(plural, {}).get(name)
            object_ = {
                "apiVersion": "huddle.energy/v1alpha1",
                "kind": KINDS[plural],
                "metadata": {
                    "name": name,
                    "uid": f"uid-{name}",
                    "creationTimestamp": "2026-11-23T07:00:00Z",
                    "labels": parts.pop("labels", {}),
                    **parts.pop("metadata", {}),
                },
                **parts,
            }
            object_["metadata"]["resourceVersion"] = str(self.version)
            self.objects[plural][name] = object_
            kind = change or ("MODIFIED" if old else "ADDED")
            self.changes.append((self.version, plural, kind, copy.deepcopy(object_)))
            self.changed.notify_all()
            return object_


KINDS = {
    "servedmodels": "ServedModel",
    "powerpools": "PowerPool",
    "powerpolicies": "PowerPolicy",
    "nodes": "Node",
    "nodepowers": "NodePower",
    "replicas": "Replica",
    "plans": "Plan",
    "events": "Event",
    "journal": "JournalEntry",
    "clusters": "Cluster",
}
REASONS = {401: "Unauthorized", 404: "NotFound", 409: "Conflict", 410: "Expired", 422: "Invalid"}


class _Handler(http.server.BaseHTTPRequestHandler):
    api: FakeApi
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused: object) -> None:
        pass

    # --- answers ---

    def answer(self, status: int, value: object) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str) -> None:
        self.answer(
            status,
            {
                "kind": "Status",
                "status": "Failure",
                "reason": REASONS.get(status, "InternalError"),
                "code": status,
                "message": message,
            },
        )

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    # --- requests ---

    def handle_any(self) -> None:
        api = self.api
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        api.requests.append((self.command, self.path, body))
        if api.token and self.headers.get("Authorization") != f"Bearer {api.token}":
            self.refuse(401, "no valid token")
        elif api.busy > 0:
            api.busy -= 1
            self.refuse(429, "too many requests")
        elif url.path == "/version":
            self.answer(200, {"gitVersion": "v9.9.9"})
        elif url.path == "/report":
            self.answer(200, api.report | query if "echo" in api.report else api.report)
        elif url.path.startswith(GROUP + "/"):
            parts = [urllib.parse.unquote(p) for p in url.path[len(GROUP) + 1 :].split("/")]
            self.handle_objects(parts, query, body)
        else:
            self.refuse(404, "no such path")

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def handle_objects(self, parts: list[str], query: dict[str, str], body: Any) -> None:
        plural, name = parts[0], parts[1] if len(parts) > 1 else None
        objects = self.api.objects.setdefault(plural, {})
        if len(parts) == 3:
            self.act(objects, name or "", parts[2], body)
        elif self.command == "GET" and query.get("watch") == "true":
            self.watch(plural, name, int(query.get("resourceVersion", "0")))
        elif self.command == "POST":
            self.store(plural, body["metadata"]["name"], body, query, 201)
        elif name is None:
            self.answer(
                200,
                {
                    "kind": KINDS[plural] + "List",
                    "metadata": {"resourceVersion": str(self.api.version)},
                    "items": list(objects.values()),
                },
            )
        elif name not in objects:
            self.refuse(404, f'{KINDS[plural]} "{name}" not found')
        elif self.command == "GET":
            self.answer(200, objects[name])
        elif self.command == "PUT":
            self.replace(plural, name, body, query)
        elif self.command == "DELETE":
            gone = objects[name] if "dryRun" in query else objects.pop(name)
            self.answer(200, gone)

    def replace(self, plural: str, name: str, body: Any, query: dict[str, str]) -> None:
        now = self.api.objects[plural][name]["metadata"]["resourceVersion"]
        if self.api.conflicts > 0:
            self.api.conflicts -= 1
            self.api.put(plural, name, spec=self.api.objects[plural][name]["spec"])
            self.refuse(409, "was changed by somebody else meanwhile: read it again")
        elif body["metadata"].get("resourceVersion") != now:
            self.refuse(409, "was changed by somebody else meanwhile: read it again")
        else:
            self.store(plural, name, body, query, 200)

    def store(self, plural: str, name: str, body: Any, query: dict[str, str], status: int) -> None:
        if "dryRun" in query:
            self.answer(status, body)
            return
        labels = body["metadata"].get("labels", {})
        self.answer(status, self.api.put(plural, name, labels=labels, spec=body["spec"]))

    def act(self, objects: dict[str, Any], name: str, verb: str, body: Any) -> None:
        if verb in self.api.refusals:
            self.refuse(*self.api.refusals[verb])
        elif verb not in VERBS or (name not in objects and name != "_"):
            self.refuse(404, f'Node "{name}" not found')
        else:
            if self.api.on_verb:
                self.api.on_verb(name, verb, body)
            self.answer(200, objects.get(name, {"kind": "Cluster"}))

    def watch(self, plural: str, name: str | None, since: int) -> None:
        api = self.api
        if since < api.gone_below:
            self.refuse(410, f"resourceVersion {since} is too old: list again")
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        told = 0
        api.watches += 1
        with api.changed:
            while not api.closing and told < api.watch_ends_after:
                for version, kind, type_, object_ in list(api.changes):
                    own = object_["metadata"]["name"]
                    if version > since and kind == plural and name in (None, own):
                        line = json.dumps({"type": type_, "object": object_}).encode() + b"\n"
                        self.chunk(line[:7])  # a line may come in pieces
                        self.chunk(line[7:])
                        told += 1
                    since = max(since, version)
                api.changed.wait(0.2)
            self.chunk(b"")
