"""huddle's own Kubernetes client, through client_driver, on a real API server and its etcd."""

from __future__ import annotations

import base64
import collections.abc
import contextlib
import json
import pathlib
import socket
import threading

import pytest

from tests.kubernetes.api import Object
from tests.kubernetes.client import Client
from tests.kubernetes.cluster import IN_CLUSTER, ControlPlane
from tests.kubernetes.conftest import keep_logs, need


@pytest.fixture(scope="module")
def server(folder: pathlib.Path) -> collections.abc.Iterator[ControlPlane]:
    """etcd and the API server alone: no controller puts anything right."""
    need("control")
    # From a snapshot of its cache it would serve a page whose revision etcd has forgotten.
    flags = {"kube-apiserver": {"feature-gates": "ListFromCacheSnapshot=false"}}
    people = {"nobody": ["nobody"]}
    with ControlPlane(folder / "client", people=people, flags=flags) as cluster:
        try:
            cluster.start_etcd()
            cluster.start_apiserver()
            cluster.api.wait_for("a namespace", lambda: cluster.api.find("namespaces", "default"))
            cluster.api.create("serviceaccounts", {"metadata": {"name": "default"}}, "default")
            yield cluster
        finally:
            keep_logs(cluster.folder, "client")


@pytest.fixture
def admin(server: ControlPlane) -> collections.abc.Iterator[Client]:
    """By a client certificate that stands in the kubeconfig."""
    with Client(files=server.admin_kubeconfig) as client:
        yield client


def changed(
    server: ControlPlane, name: str, change: collections.abc.Callable[[Object], None]
) -> pathlib.Path:
    """The administrator's kubeconfig with something else in it."""
    text: Object = json.loads(server.admin_kubeconfig.read_text(encoding="utf-8"))
    change(text)
    file = server.folder / f"{name}.kubeconfig"
    file.write_text(json.dumps(text), encoding="utf-8")
    return file


def test_discovery_of_a_real_server(admin: Client) -> None:
    can = admin.say(discover=True)
    assert (can["major"], can["minor"]) == (1, 37)
    assert can["streaming_lists"] is True
    assert can["stale"] == ""
    assert can["eviction"] == "v1"
    prefixes = can["prefixes"]
    assert prefixes["pods"] == "/api/v1"
    assert prefixes["resourceclaims"] == "/apis/resource.k8s.io/v1"
    assert prefixes["horizontalpodautoscalers"] == "/apis/autoscaling/v2"
    assert prefixes["scaledobjects"] == ""
    foreign = {"scaledobjects", "inferenceservices", "leaderworkersets"}
    ours = {"servedmodels", "powerpools", "powerpolicies", "nodepowers"}
    assert {name for name, prefix in prefixes.items() if not prefix} == foreign | ours


def test_a_broken_aggregated_api_fails_nothing(server: ControlPlane, admin: Client) -> None:
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "service": {"name": "none", "namespace": "default"},
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    server.api.request("POST", path, service)
    server.api.wait_for("its state", lambda: admin.say(discover=True)["stale"])
    can = admin.say(discover=True)
    assert can["stale"] == "metrics.k8s.io/v1beta1 (stale)"
    assert can["prefixes"]["pods"] == "/api/v1"
    server.api.request("DELETE", f"{path}/v1beta1.metrics.k8s.io")


def test_writes_and_what_refuses_them(admin: Client) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    body: Object = {"metadata": {"name": "one"}, "data": {"a": "1"}}
    made = admin.send("POST", maps, body)
    assert (made["reason"], made["http"]) == ("OK", 201)
    assert admin.send("POST", maps, body)["reason"] == "AlreadyExists"
    merge = "application/merge-patch+json"
    assert admin.send("PATCH", f"{maps}/one", {"data": {"b": "2"}}, merge)["reason"] == "OK"
    assert admin.send("PUT", f"{maps}/one", made["object"])["reason"] == "Conflict"
    assert admin.get(f"{maps}/one")["object"]["data"] == {"a": "1", "b": "2"}
    apply = "application/apply-patch+yaml"
    two = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "two"}}
    owner = "?fieldManager=huddle"
    assert admin.send("PATCH", f"{maps}/two{owner}", two, apply)["http"] == 201
    assert admin.send("POST", maps, {"metadata": {"name": "N O"}})["reason"] == "Invalid"
    assert admin.get(f"{maps}/none")["reason"] == "NotFound"
    assert admin.say(method="DELETE", path=f"{maps}/one")["reason"] == "OK"


def test_versions_of_the_future_and_of_the_past(server: ControlPlane, admin: Client) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    ahead = admin.get(f"{maps}?resourceVersion=99999999&resourceVersionMatch=NotOlderThan")
    assert ahead["reason"] == "ResourceVersionTooLarge"
    assert ahead["retry_after_ms"] == 1000
    for name in ("x", "y", "z"):
        server.api.create("configmaps", {"metadata": {"name": name}}, "default")
    page = admin.get(f"{maps}?limit=1")["object"]["metadata"]["continue"]
    assert admin.get(f"{maps}?limit=1&continue={page}")["reason"] == "OK"
    server.api.patch("configmaps", "x", {"data": {"a": "1"}}, "default")
    server.compact()
    assert admin.get(f"{maps}?limit=1&continue={page}")["reason"] == "Expired"


def test_lists_of_several_pages(server: ControlPlane, admin: Client) -> None:
    server.api.create("namespaces", {"metadata": {"name": "many"}})
    for i in range(501):
        server.api.create("configmaps", {"metadata": {"name": f"c{i}"}}, "many")
    names = admin.say(list="/api/v1/namespaces/many/configmaps")["names"]
    assert len(names) == len(set(names)) == 501


def test_a_tenants_nul_blinds_nobody(server: ControlPlane, admin: Client) -> None:
    body: Object = {"metadata": {"name": "nul", "annotations": {"a": "x\0y"}}}
    server.api.create("configmaps", body, "default")
    assert "nul" in admin.say(list="/api/v1/namespaces/default/configmaps")["names"]
    got = admin.get("/api/v1/namespaces/default/configmaps/nul")
    assert got["object"]["metadata"]["annotations"]["a"] == "x\0y"


def test_a_budget_refuses_an_eviction(server: ControlPlane, admin: Client) -> None:
    api = server.api
    container = {"name": "main", "image": "none"}
    pod = {"metadata": {"name": "p", "labels": {"app": "p"}}, "spec": {"containers": [container]}}
    api.create("pods", pod, "default")
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.patch("pods", "p", {"status": running}, "default", "status")
    budget = {"selector": {"matchLabels": {"app": "p"}}, "minAvailable": 1}
    api.create("poddisruptionbudgets", {"metadata": {"name": "p"}, "spec": budget}, "default")
    status = {
        "observedGeneration": 1,
        "disruptionsAllowed": 0,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
    }
    api.patch("poddisruptionbudgets", "p", {"status": status}, "default", "status")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    refused = admin.send("POST", "/api/v1/namespaces/default/pods/p/eviction", eviction)
    assert (refused["reason"], refused["http"]) == ("DisruptionBudget", 429)
    assert "disruption budget" in refused["message"]


def test_tokens(server: ControlPlane) -> None:
    with Client(files=server.kubeconfig("nobody")) as client:
        refused = client.get("/api/v1/nodes")
        assert (refused["reason"], refused["http"]) == ("Forbidden", 403)
        assert 'User "nobody" cannot list resource "nodes"' in refused["message"]

    def bad(text: Object) -> None:
        text["users"][0]["user"] = {"token": "no-such-token"}

    with Client(files=changed(server, "bad", bad)) as client:
        assert client.get("/api/v1/nodes")["reason"] == "Unauthorized"


def test_a_pods_token_is_read_again(server: ControlPlane, tmp_path: pathlib.Path) -> None:
    env = server.in_cluster(tmp_path, "default", "default")
    token = tmp_path / IN_CLUSTER / "token"
    good = token.read_text(encoding="utf-8")
    token.write_text("no-such-token", encoding="utf-8")
    with Client(env=env, in_cluster=tmp_path / IN_CLUSTER) as client:
        assert client.get("/api/v1/nodes")["reason"] == "Unauthorized"
        token.write_text(good, encoding="utf-8")
        refused = client.get("/api/v1/nodes")
        assert refused["reason"] == "Forbidden"
        assert "system:serviceaccount:default:default" in refused["message"]


def whoami(client: Client) -> Object:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = client.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    user: Object = answer["object"]["status"]["userInfo"]
    return user


def test_impersonation(server: ControlPlane) -> None:
    def become(text: Object) -> None:
        text["users"][0]["user"] |= {
            "as": "ann",
            "as-uid": "7",
            "as-groups": ["one", "two"],
            "as-user-extra": {"scopes.example.com/x": ["view"]},
        }

    with Client(files=changed(server, "as", become)) as client:
        user = whoami(client)
        assert (user["username"], user["uid"]) == ("ann", "7")
        assert {"one", "two"} <= set(user["groups"])
        assert user["extra"] == {"scopes.example.com/x": ["view"]}


def test_the_name_of_the_server(server: ControlPlane) -> None:
    def named(name: str) -> collections.abc.Callable[[Object], None]:
        return lambda text: text["clusters"][0]["cluster"].update({"tls-server-name": name})

    with Client(files=changed(server, "named", named("kubernetes.default.svc"))) as client:
        assert client.get("/version")["reason"] == "OK"
    with Client(files=changed(server, "misnamed", named("other.example"))) as client:
        assert "not trusted" in client.get("/version")["error"]


def test_a_plugin_gives_a_certificate(server: ControlPlane) -> None:
    status = {
        "clientCertificateData": (server.folder / "admin.pem").read_text(encoding="utf-8"),
        "clientKeyData": (server.folder / "admin.key").read_text(encoding="utf-8"),
    }
    version = "client.authentication.k8s.io/v1"
    said = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    answer = server.folder / "credential.json"
    answer.write_text(json.dumps(said), encoding="utf-8")
    told = server.folder / "told.json"
    script = server.folder / "plugin.sh"
    script.write_text(f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >{told}\ncat {answer}\n')
    script.chmod(0o700)

    def plugin(text: Object) -> None:
        text["users"][0]["user"] = {
            "exec": {
                "apiVersion": version,
                "command": "./plugin.sh",
                "interactiveMode": "Never",
                "provideClusterInfo": True,
            }
        }

    with Client(files=changed(server, "plugin", plugin)) as client:
        assert whoami(client)["username"] == "admin"
    cluster = json.loads(told.read_text(encoding="utf-8"))["spec"]["cluster"]
    assert cluster["server"] == server.url
    assert base64.b64decode(cluster["certificate-authority-data"]) == server.pki.ca.read_bytes()


def relay(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    other.close()


def test_a_proxy_is_gone_through(server: ControlPlane) -> None:
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        asked.append(head.split(b"\r\n")[0].decode())
        target = socket.create_connection((server.address, server.port))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=relay, args=(target, client), daemon=True).start()
        relay(client, target)

    threading.Thread(target=serve, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def proxied(text: Object) -> None:
        text["clusters"][0]["cluster"]["proxy-url"] = url

    with Client(files=changed(server, "proxied", proxied)) as client:
        assert client.get("/version")["reason"] == "OK"
    assert asked == [f"CONNECT {server.address}:{server.port} HTTP/1.1"]
