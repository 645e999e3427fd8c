"""An API server for tests of who follows many kinds of objects: each path is a list and a watch of objects
that are kept as text, so that they may hold what no JSON library writes. A path that is `absent` is 404."""

from __future__ import annotations

import collections
import http.server
import threading
import urllib.parse


FORBIDDEN = '{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no right"}'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        lists = self.server.lists
        with lists.changed:
            lists.asked[path] += 1
            absent, since = path in lists.absent, len(lists.events[path])
            items = ",".join(lists.objects[path].values())
        if absent:
            self._answer(404, '{"kind": "Status", "code": 404, "reason": "NotFound"}')
        elif path in lists.forbidden:
            self._answer(403, FORBIDDEN)
        elif asked.get("watch") == "true":
            self._watch(path, int(asked["resourceVersion"]))
        else:
            self._answer(
                200, f'{{"metadata": {{"resourceVersion": "{since}"}}, "items": [{items}]}}'
            )

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
                    lambda: lists.closed or path in lists.absent or len(events) > at
                )
                if lists.closed or path in lists.absent:
                    return
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
    """`with KubeLists() as lists:` serves on lists.url. `asked` counts requests by path."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.objects: dict[str, dict[str, str]] = collections.defaultdict(dict)
        self.events: dict[str, list[str]] = collections.defaultdict(list)
        self.absent: set[str] = set()
        self.forbidden: set[str] = set()
        self.asked: collections.Counter[str] = collections.Counter()
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

    def put(self, path: str, name: str, text: str) -> None:
        """Creates or changes the object of this name; `text` is all of it."""
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
