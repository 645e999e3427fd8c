"""A client of the controller's API, as small as it can be: one kept-alive HTTPS connection."""

from __future__ import annotations

import http.client
import json
import pathlib
import ssl
import threading

GROUP = "/apis/huddle.energy/v1alpha1"


class ApiError(Exception):
    """The controller answered, but not with what was asked for."""


class Api:
    def __init__(self, host: str, port: int, ca: pathlib.Path, token: str) -> None:
        self.host, self.port, self.token = host, port, token
        self.tls = ssl.create_default_context(cafile=str(ca))
        self.connection: http.client.HTTPSConnection | None = None
        self.lock = threading.Lock()

    def request(self, method: str, path: str, body: object = None) -> dict:
        """The decoded answer. OSError: not reachable; ApiError: refused."""
        with self.lock:
            for attempt in (1, 2):  # a kept connection may have been closed meanwhile
                try:
                    return self._once(method, path, body)
                except (http.client.HTTPException, OSError):
                    self.close()
                    if attempt == 2 or method not in ("GET", "PUT"):
                        raise
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: object) -> dict:
        if not self.connection:
            self.connection = http.client.HTTPSConnection(
                self.host, self.port, context=self.tls, timeout=5
            )
        headers = {"Authorization": f"Bearer {self.token}"}
        text = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            text = json.dumps(body)
        self.connection.request(method, path, text, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise ApiError(f"{method} {path}: {answer.status}: {content.decode(errors='replace')}")
        return json.loads(content) if content[:1] in (b"{", b"[") else {"text": content.decode()}

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None

    def items(self, plural: str) -> list[dict]:
        return self.request("GET", f"{GROUP}/{plural}")["items"]

    def get(self, plural: str, name: str) -> dict:
        return self.request("GET", f"{GROUP}/{plural}/{name}")

    def status(self, plural: str) -> dict[str, dict]:
        """name -> status of all objects of a kind."""
        return {item["metadata"]["name"]: item["status"] for item in self.items(plural)}
