"""An API server for tests of who follows many kinds of objects: each path is a list, in pages where that is
asked for, and a watch of objects whose str() is their text, so that they may hold what no JSON library
writes, and be made only when they are told. A path that is `absent` is 404, one that is `forbidden` 403. What is written is taken,
merged and told to those who watch."""

from __future__ import annotations

import collections
import http.server
import itertools
import json
import pathlib
import threading
import urllib.parse

from tests.integration.kube_store import merge


BOOKMARK_S = 60
FORBIDDEN = '{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no right"}'
NOT_FOUND = '{"kind": "Status", "code": 404, "reason": "NotFound"}'


def place(path: str) -> tuple[str, str]:
    """The path under which the kind of an object is listed in all namespaces, and its key there:
    NAMESPACE/NAME, or NAME. Of a list the name is "". What is below the object is the object."""
    words = path.strip("/").split("/")
    n_group = 2 if words[0] == "api" else 3
    rest = words[n_group:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1] + "/", rest[2:]
    return "/".join(["", *words[:n_group], *rest[:1]]), namespace + "".join(rest[1:2])


def kubeconfig(folder: pathlib.Path, url: str) -> str:
    """A kubeconfig in the folder for this server."""
    known = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u"}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps({"kind": "Config", "current-context": "c", **known}))
    return str(path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        lists = self.server.lists
        kind, key = place(path)
        with lists.changed:
            lists.asked[path] += 1
            absent = path in lists.absent
        if absent:
            self._answer(404, NOT_FOUND)
        elif path in lists.forbidden:
            self._answer(403, FORBIDDEN)
        elif key.rpartition("/")[2]:
            self._object(kind, key)
        elif asked.get("watch") == "true":
            self._watch(path, int(asked["resourceVersion"]))
        else:
            self._list(path, int(asked.get("limit", "0")), asked.get("continue", "0 0"))

    def _list(self, path: str, limit: int, token: str) -> None:
        """`token`: how many objects were told, and the version of the first page."""
        told, since = (int(word) for word in token.split())
        lists = self.server.lists
        with lists.changed:
            since = since or len(lists.events[path])
            objects = lists.objects[path].values()
            page = list(itertools.islice(objects, told, told + limit if limit else None))
            more = len(objects) > told + len(page)
        meta = {"resourceVersion": str(since)}
        if more:
            meta["continue"] = f"{told + len(page)} {since}"
        items = ",".join(map(str, page))
        self._answer(200, f'{{"metadata": {json.dumps(meta)}, "items": [{items}]}}')

    def _object(self, kind: str, key: str) -> None:
        with self.server.lists.changed:
            text = self.server.lists.objects[kind].get(key)
        self._answer(200 if text else 404, str(text) if text else NOT_FOUND)

    def _write(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        kind, key = place(self.path.partition("?")[0])
        lists = self.server.lists
        with lists.changed:
            lists.written[f"{self.command} {kind}"] += 1
            if self.command == "POST":
                key += body["metadata"]["name"]
            old = lists.objects[kind].get(key)
            patched = self.command == "PATCH"
            if patched and old:
                body = merge(json.loads(str(old)), body)
            if not patched or old:
                body["metadata"]["resourceVersion"] = str(len(lists.events[kind]) + 1)
                lists.put(kind, key, json.dumps(body))
        if patched and not old:
            self._answer(404, NOT_FOUND)
        else:
            self._answer(201 if self.command == "POST" else 200, json.dumps(body))

    do_POST = do_PUT = do_PATCH = _write

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _watch(self, path: str, at: int) -> None:
        lists = self.server.lists
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while True:
            with lists.changed:
                events = lists.events[path]
                lists.changed.wait_for(
                    lambda: lists.closed
                    or path in lists.absent | lists.forbidden
                    or len(events) > at,
                    BOOKMARK_S,
                )
                if lists.closed or path in lists.absent | lists.forbidden:
                    return
                text = f'{{"type": "BOOKMARK", "object": {{"metadata": {{"resourceVersion": "{at}"}}}}}}'
                if len(events) > at:
                    text, at = events[at], at + 1
            self.wfile.write(text.encode())
            self.wfile.flush()

    def log_message(self, *unused: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, lists: KubeLists) -> None:
        self.lists = lists
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *unused: object) -> None:
        pass  # a client went away


class KubeLists:
    """`with KubeLists() as lists:` serves on lists.url. `asked` counts GETs by path, `written`
    others by method and list: "PATCH /api/v1/nodes"."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.objects: dict[str, dict[str, object]] = collections.defaultdict(dict)
        self.events: dict[str, list[str]] = collections.defaultdict(list)
        self.absent: set[str] = set()
        self.forbidden: set[str] = set()
        self.asked: collections.Counter[str] = collections.Counter()
        self.written: collections.Counter[str] = collections.Counter()
        self.closed = False

    def __enter__(self) -> KubeLists:
        self.server = Server(self)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def put(self, path: str, name: str, text: object) -> None:
        """Creates or changes the object of this name; str(text) is all of it."""
        with self.changed:
            kind = "MODIFIED" if name in self.objects[path] else "ADDED"
            self.objects[path][name] = text
            self.events[path].append(f'{{"type": "{kind}", "object": {text}}}')
            self.changed.notify_all()

    def delete(self, path: str, name: str) -> None:
        with self.changed:
            text = self.objects[path].pop(name)
            self.events[path].append(f'{{"type": "DELETED", "object": {text}}}')
            self.changed.notify_all()

    def hide(self, path: str, absent: bool) -> None:
        """Its definition is not there, or is again."""
        with self.changed:
            (self.absent.add if absent else self.absent.discard)(path)
            self.changed.notify_all()

    def refuse(self, path: str, refused: bool) -> None:
        """Whoever asks may not, or may again."""
        with self.changed:
            (self.forbidden.add if refused else self.forbidden.discard)(path)
            self.changed.notify_all()
