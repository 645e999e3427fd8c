"""The Kubernetes API as tests use it: plain HTTP and JSON, independent of huddle's own client."""

from __future__ import annotations

import collections.abc
import http.client
import json
import pathlib
import ssl
import threading
import time
import urllib.parse
from typing import Any

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

IDLE_S = 20.0

# plural: (path of the group and version, kind, is it in namespaces)
KINDS = {
    "csinodes": ("/apis/storage.k8s.io/v1", "CSINode", False),
    "nodes": ("/api/v1", "Node", False),
    "namespaces": ("/api/v1", "Namespace", False),
    "pods": ("/api/v1", "Pod", True),
    "services": ("/api/v1", "Service", True),
    "secrets": ("/api/v1", "Secret", True),
    "configmaps": ("/api/v1", "ConfigMap", True),
    "events": ("/api/v1", "Event", True),
    "serviceaccounts": ("/api/v1", "ServiceAccount", True),
    "deployments": ("/apis/apps/v1", "Deployment", True),
    "replicasets": ("/apis/apps/v1", "ReplicaSet", True),
    "statefulsets": ("/apis/apps/v1", "StatefulSet", True),
    "daemonsets": ("/apis/apps/v1", "DaemonSet", True),
    "jobs": ("/apis/batch/v1", "Job", True),
    "poddisruptionbudgets": ("/apis/policy/v1", "PodDisruptionBudget", True),
    "horizontalpodautoscalers": ("/apis/autoscaling/v2", "HorizontalPodAutoscaler", True),
    "endpointslices": ("/apis/discovery.k8s.io/v1", "EndpointSlice", True),
    "leases": ("/apis/coordination.k8s.io/v1", "Lease", True),
    "roles": ("/apis/rbac.authorization.k8s.io/v1", "Role", True),
    "rolebindings": ("/apis/rbac.authorization.k8s.io/v1", "RoleBinding", True),
    "clusterroles": ("/apis/rbac.authorization.k8s.io/v1", "ClusterRole", False),
    "clusterrolebindings": ("/apis/rbac.authorization.k8s.io/v1", "ClusterRoleBinding", False),
    "priorityclasses": ("/apis/scheduling.k8s.io/v1", "PriorityClass", False),
    "customresourcedefinitions": (
        "/apis/apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        False,
    ),
    "servedmodels": ("/apis/huddle.energy/v1alpha1", "ServedModel", True),
    "powerpools": ("/apis/huddle.energy/v1alpha1", "PowerPool", False),
    "powerpolicies": ("/apis/huddle.energy/v1alpha1", "PowerPolicy", False),
    "nodepowers": ("/apis/huddle.energy/v1alpha1", "NodePower", False),
}


class ApiError(Exception):
    """An answer of 400 and above; `status` is the server's own object, or {} without one."""

    def __init__(self, code: int, status: Object, text: str) -> None:
        super().__init__(f"{code} {status.get('reason', '')}: {status.get('message', text)}")
        self.code = code
        self.status = status

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))


class Api:
    """One user's view of a server. Threads may share it: each keeps a connection of its own."""

    def __init__(
        self,
        address: str,
        port: int,
        ca: pathlib.Path,
        token: str = "",
        certificate: pathlib.Path | None = None,
    ) -> None:
        self.address, self.port, self.token = address, port, token
        self.tls = ssl.create_default_context(cafile=str(ca))
        if certificate:
            self.tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._local = threading.local()

    def connect(self, limit_s: float = 30.0) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self.address, self.port, context=self.tls, timeout=limit_s
        )

    def _headers(self, content: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": content}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _send(self, method: str, path: str, body: bytes | None, content: str) -> tuple[int, bytes]:
        """On the thread's own connection; once more when the server had closed it in between. One that
        was idle for long is not used for what cannot be sent twice."""
        idle_s = time.monotonic() - getattr(self._local, "used", 0.0)
        for fresh in (False, True):
            connection = getattr(self._local, "connection", None)
            if connection is None or fresh or idle_s > IDLE_S:
                idle_s = 0.0
                connection = self._local.connection = self.connect()
            sent = False
            try:
                connection.request(method, path, body, self._headers(content))
                sent = True
                answer = connection.getresponse()
                whole = answer.status, answer.read()
                self._local.used = time.monotonic()
                return whole
            except (http.client.HTTPException, ConnectionError, ssl.SSLError):
                connection.close()
                self._local.connection = None
                if fresh or (sent and method != "GET"):
                    raise
        raise AssertionError("not reached")

    def raw(
        self, method: str, path: str, body: object = None, content: str = "application/json"
    ) -> str:
        """The body of the answer; ApiError from 400 on."""
        data = None if body is None else json.dumps(body).encode()
        code, answer = self._send(method, path, data, content)
        text = answer.decode(errors="replace")
        if code >= 400:
            try:
                status = json.loads(text)
            except ValueError:
                status = {}
            raise ApiError(code, status if isinstance(status, dict) else {}, text[:400])
        return text

    def request(
        self, method: str, path: str, body: object = None, content: str = "application/json"
    ) -> Object:
        answer: Object = json.loads(self.raw(method, path, body, content))
        return answer

    # --- objects ---

    @staticmethod
    def path(plural: str, namespace: str = "", name: str = "", sub: str = "") -> str:
        group, _, namespaced = KINDS[plural]
        middle = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return (
            f"{group}{middle}/{plural}" + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")
        )

    def get(self, plural: str, name: str, namespace: str = "") -> Object:
        return self.request("GET", self.path(plural, namespace, name))

    def find(self, plural: str, name: str, namespace: str = "") -> Object | None:
        """get(), or None where there is no such object."""
        try:
            return self.get(plural, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, plural: str, namespace: str = "", **query: str) -> list[Object]:
        """The items; `query` as the API has it: labelSelector, fieldSelector, limit..."""
        text = "?" + urllib.parse.urlencode(query) if query else ""
        items: list[Object] = self.request("GET", self.path(plural, namespace) + text)["items"]
        return items

    def create(self, plural: str, body: Object, namespace: str = "") -> Object:
        group, kind, _ = KINDS[plural]
        full = {"apiVersion": group.split("/", 2)[2], "kind": kind, **body}
        return self.request("POST", self.path(plural, namespace), full)

    def patch(
        self,
        plural: str,
        name: str,
        body: object,
        namespace: str = "",
        sub: str = "",
        content: str = MERGE,
    ) -> Object:
        return self.request("PATCH", self.path(plural, namespace, name, sub), body, content)

    def replace(self, plural: str, body: Object, sub: str = "") -> Object:
        meta = body["metadata"]
        path = self.path(plural, meta.get("namespace", ""), meta["name"], sub)
        return self.request("PUT", path, body)

    def delete(self, plural: str, name: str, namespace: str = "", **options: object) -> Object:
        """`options` are DeleteOptions: gracePeriodSeconds, propagationPolicy, preconditions."""
        return self.request("DELETE", self.path(plural, namespace, name), options or None)

    def evict(self, pod: str, namespace: str, uid: str = "") -> Object:
        body: Object = {"apiVersion": "policy/v1", "kind": "Eviction"}
        body["metadata"] = {"name": pod, "namespace": namespace}
        if uid:
            body["deleteOptions"] = {"preconditions": {"uid": uid}}
        return self.request("POST", self.path("pods", namespace, pod, "eviction"), body)

    def scale(self, plural: str, name: str, namespace: str, replicas: int) -> None:
        self.patch(plural, name, {"spec": {"replicas": replicas}}, namespace, "scale")

    def allow(self, user: str, rules: collections.abc.Sequence[Object], name: str = "") -> None:
        """Gives a user a ClusterRole of these rules."""
        name = name or user.replace(":", "-")
        self.create("clusterroles", {"metadata": {"name": name}, "rules": rules})
        self.create(
            "clusterrolebindings",
            {
                "metadata": {"name": name},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": name,
                },
                "subjects": [
                    {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}
                ],
            },
        )

    # --- time ---

    def watch(self, path: str, limit_s: float) -> collections.abc.Iterator[Object]:
        """The events of a watch until the server ends it or `limit_s` have passed."""
        connection = self.connect(limit_s)
        end = time.monotonic() + limit_s
        try:
            connection.request("GET", path, headers=self._headers("application/json"))
            answer = connection.getresponse()
            if answer.status >= 400:
                text = answer.read().decode(errors="replace")
                raise ApiError(answer.status, json.loads(text), text)
            while time.monotonic() < end:
                line = answer.readline()
                if not line:
                    return
                yield json.loads(line)
        except TimeoutError:
            return
        finally:
            connection.close()

    def wait_for(
        self, what: str, condition: collections.abc.Callable[[], Any], limit_s: float = 60.0
    ) -> Any:
        """What condition() answers as soon as it is true; a 404 meanwhile is a no."""
        end = time.monotonic() + limit_s
        problem: object = "still not so"
        while time.monotonic() < end:
            try:
                found = condition()
                if found:
                    return found
            except (ApiError, OSError) as error:
                if isinstance(error, ApiError) and error.code not in (404, 429, 500, 503):
                    raise
                problem = error
            time.sleep(0.1)
        raise AssertionError(f"waited {limit_s:g} s for {what}: {problem}")


def condition(thing: Object, kind: str) -> bool:
    """Is this condition of an object's status True?"""
    found = [c for c in thing.get("status", {}).get("conditions", []) if c["type"] == kind]
    return bool(found) and found[0]["status"] == "True"


def ready(thing: Object) -> bool:
    """Of a Node or Pod that is not on its way out. A kubelet may say Ready before it says Running, and
    a pod that does not run yet is outside of every disruption budget: here it is both."""
    phase = thing["status"].get("phase", "Running")
    gone = "deletionTimestamp" in thing["metadata"]
    return condition(thing, "Ready") and phase == "Running" and not gone


def drop_definitions(api: Api) -> None:
    """Of huddle's kinds, with all their objects. A PowerPool whose controller is gone keeps its finalizer,
    and would keep its definition."""
    crds = [c["metadata"]["name"] for c in api.list("customresourcedefinitions")]
    if "powerpools.huddle.energy" in crds:
        for pool in api.list("powerpools"):
            api.patch("powerpools", pool["metadata"]["name"], {"metadata": {"finalizers": None}})
    for name in crds:
        api.delete("customresourcedefinitions", name)
    api.wait_for("no definitions", lambda: not api.list("customresourcedefinitions"), 60)
