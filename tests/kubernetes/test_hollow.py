"""The control plane with hollow nodes is a real Kubernetes: what huddle's tests on it rely on."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest

from tests.kubernetes.api import Api, ApiError, Object, ready
from tests.kubernetes.build import VERSION, asset
from tests.kubernetes.cluster import IN_CLUSTER, ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes


def run_pods(api: Api, namespace: str, n: int, name: str = "web") -> list[Object]:
    """A Deployment with all its n pods Ready."""
    api.create("deployments", deployment(name, n), namespace)
    found: list[Object] = api.wait_for("pods Ready", lambda: ready_pods(api, namespace, n))
    return found


def ready_pods(api: Api, namespace: str, n: int) -> list[Object] | None:
    pods = [p for p in api.list("pods", namespace) if ready(p)]
    return pods if len(pods) == n else None


def test_nodes_are_ready_kubelets(hollow: HollowNodes) -> None:
    nodes = hollow.cluster.api.list("nodes")
    assert sorted(n["metadata"]["name"] for n in nodes) == sorted(hollow.names)
    assert all(ready(n) for n in nodes)
    hollow.cluster.api.wait_for(
        "a lease of each",
        lambda: {
            lease["metadata"]["name"]
            for lease in hollow.cluster.api.list("leases", "kube-node-lease")
        }
        == set(hollow.names),
    )
    if not asset("kubemark"):
        assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes} == {f"v{VERSION}"}


def test_pods_run_spread_over_nodes(cluster: ControlPlane, namespace: str) -> None:
    pods = run_pods(cluster.api, namespace, 6)
    assert len({p["spec"]["nodeName"] for p in pods}) > 1
    assert all(p["status"]["phase"] == "Running" for p in pods)


def test_evicted_pod_is_replaced(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    victim = run_pods(api, namespace, 3)[0]["metadata"]
    assert api.evict(victim["name"], namespace, victim["uid"])["status"] == "Success"
    api.wait_for("the pod gone", lambda: api.find("pods", victim["name"], namespace) is None)
    api.wait_for("three pods again", lambda: ready_pods(api, namespace, 3))


def test_eviction_refused_by_budget(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    pod = run_pods(api, namespace, 2)[0]["metadata"]["name"]
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    api.create("poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": budget}, namespace)
    api.wait_for(
        "the budget counted",
        lambda: api.get("poddisruptionbudgets", "b", namespace)["status"].get("currentHealthy")
        == 2,
    )
    with pytest.raises(ApiError) as refused:
        api.evict(pod, namespace)
    assert refused.value.code == 429
    causes = refused.value.status["details"]["causes"]
    assert [c["reason"] for c in causes] == ["DisruptionBudget"]


def test_409_in_its_three_forms(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    old = api.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}}, namespace)
    api.patch("configmaps", "c", {"data": {"a": "2"}}, namespace)
    with pytest.raises(ApiError, match="409 Conflict"):
        api.replace("configmaps", old)
    with pytest.raises(ApiError, match="409 AlreadyExists"):
        api.create("configmaps", {"metadata": {"name": "c"}}, namespace)
    with pytest.raises(ApiError, match="409 Conflict.*[Pp]recondition"):
        api.delete("configmaps", "c", namespace, preconditions={"uid": "another"})


def test_410_of_a_watch_and_of_a_list(cluster: ControlPlane, namespace: str) -> None:
    """Of Events, which the API server does not cache: of others it remembers a minute's pages."""
    api = cluster.api
    about = {"kind": "Namespace", "name": namespace, "namespace": namespace}
    for name in ("a", "b"):
        api.create("events", {"metadata": {"name": name}, "involvedObject": about}, namespace)
    path = api.path("events", namespace)
    first = api.request("GET", f"{path}?limit=1")["metadata"]
    api.create("events", {"metadata": {"name": "c"}, "involvedObject": about}, namespace)
    cluster.compact()
    with pytest.raises(ApiError, match="410 Expired"):
        api.request("GET", f"{path}?limit=1&continue={first['continue']}")
    old = f"{path}?watch=1&resourceVersion={int(first['resourceVersion']) - 1}"
    events = list(api.watch(old, 10))
    assert [(e["type"], e["object"]["code"]) for e in events] == [("ERROR", 410)]


def test_kubeconfigs_work_with_kubectl(cluster: ControlPlane) -> None:
    listed = cluster.kubectl("get", "nodes", "-o", "json")
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)["items"]) == len(cluster.api.list("nodes"))
    refused = cluster.kubectl("get", "nodes", user="tenant")
    assert refused.returncode != 0 and 'User "tenant" cannot list' in refused.stderr


def test_user_has_the_rights_of_a_role_only(cluster: ControlPlane) -> None:
    tenant = cluster.as_user("tenant")
    with pytest.raises(ApiError, match="403 Forbidden"):
        tenant.list("priorityclasses")
    rules = [{"apiGroups": ["scheduling.k8s.io"], "resources": ["*"], "verbs": ["list"]}]
    cluster.api.allow("tenant", rules, "tenant-looks")
    tenant.wait_for("the role", lambda: can(tenant, "priorityclasses"))
    with pytest.raises(ApiError, match="403 Forbidden"):
        tenant.delete("priorityclasses", "system-node-critical")


def test_streaming_list_ends_with_its_bookmark(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    api.create("configmaps", {"metadata": {"name": "a"}}, namespace)
    kinds = [(e["type"], e["object"]["kind"]) for e in streaming_list(api, namespace)]
    assert kinds[-1] == ("BOOKMARK", "ConfigMap") and ("ADDED", "ConfigMap") in kinds


def test_no_streaming_list_on_debians_etcd(folder: pathlib.Path, cluster: ControlPlane) -> None:
    with ControlPlane(folder / "old-etcd", etcd="etcd-debian").start() as old:
        (event,) = streaming_list(old.api, "default")
        assert (event["type"], event["object"]["code"]) == ("ERROR", 500)
        assert "RequestWatchProgress is disabled" in event["object"]["message"]


def streaming_list(api: Api, namespace: str) -> list[Object]:
    """Its events up to the one that says that all has been sent."""
    events = []
    query = (
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    )
    for event in api.watch(f"{api.path('configmaps', namespace)}?{query}", 10):
        events.append(event)
        marks = event["object"].get("metadata", {}).get("annotations") or {}
        if event["type"] == "BOOKMARK" and marks.get("k8s.io/initial-events-end") == "true":
            break
    return events


def can(api: Api, plural: str) -> bool:
    try:
        api.list(plural)
        return True
    except ApiError as error:
        assert error.code == 403
        return False


def test_in_cluster_files_are_a_service_accounts(cluster: ControlPlane, namespace: str) -> None:
    root = cluster.folder / f"pod-{namespace}"
    env = cluster.in_cluster(root, namespace, "default")
    files = root / IN_CLUSTER
    assert (files / "namespace").read_text() == namespace
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    url = f"https://{env['KUBERNETES_SERVICE_HOST']}:{env['KUBERNETES_SERVICE_PORT']}"
    answer = subprocess.run(
        ["curl", "-sS", "--cacert", str(files / "ca.crt"), "-H", "Content-Type: application/json"]
        + ["-H", f"Authorization: Bearer {(files / 'token').read_text()}", "-d", json.dumps(body)]
        + [f"{url}/apis/authentication.k8s.io/v1/selfsubjectreviews"],
        check=True,
        capture_output=True,
        text=True,
    )
    user = json.loads(answer.stdout)["status"]["userInfo"]["username"]
    assert user == f"system:serviceaccount:{namespace}:default"
