"""deploy/kubernetes/act on a real API server: all of it is taken, and huddle's account can change of nodes and
pods what huddle does, and nothing else."""

from __future__ import annotations

import collections.abc
import json
import pathlib

import pytest

from tests.kubernetes.api import JSON_PATCH, MERGE, Api, ApiError, Object
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import keep_logs, need
from tests.kubernetes.test_doctor import run
from tests.lab.enter import REPOSITORY

NAMESPACE, ACCOUNT = "huddle-system", "huddle-controller"
TENANT = "shop"
DEPLOY = REPOSITORY / "deploy/kubernetes"
FOREIGN = {"key": "example.com/mine", "value": "x", "effect": "NoSchedule"}
DRAINING = {"key": "huddle.energy/draining", "effect": "NoSchedule"}
STRATEGIC = "application/strategic-merge-patch+json"
EXCLUDE = "node.kubernetes.io/exclude-disruption"


@pytest.fixture(name="server", scope="module")
def _server(folder: pathlib.Path) -> collections.abc.Iterator[ControlPlane]:
    """etcd and the API server alone, with all that `kubectl apply -k` makes; a node, and a pod of a
    ReplicaSet in a namespace with the Role `huddle-move`."""
    need("control")
    with ControlPlane(folder / "act") as cluster:
        try:
            cluster.start_etcd()
            cluster.start_apiserver()
            api = cluster.api
            for name in ("default", "kube-node-lease"):
                api.wait_for("a namespace", lambda n=name: api.find("namespaces", n))
            apply(cluster, "-k", DEPLOY / "act")
            api.create("namespaces", {"metadata": {"name": TENANT}})
            api.create("serviceaccounts", {"metadata": {"name": "default"}}, TENANT)
            apply(cluster, "-n", TENANT, "-f", DEPLOY / "move/role.yaml")
            node: Object = {"metadata": {"name": "n1", "labels": {"zone": "a"}}}
            api.create("nodes", {**node, "spec": {"taints": [FOREIGN]}})
            api.create("pods", pod("victim"), TENANT)
            yield cluster
        finally:
            keep_logs(cluster.folder, "act")


def apply(cluster: ControlPlane, *words: object) -> None:
    done = cluster.kubectl("apply", *map(str, words))
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="huddle", scope="module")
def _huddle(server: ControlPlane) -> Api:
    """The API as huddle's account sees it, once the policies are in force."""
    token = server.account_token(NAMESPACE, ACCOUNT)
    huddle = Api(server.address, server.port, server.pki.ca, token=token)
    body = {"metadata": {"labels": {"probe": "x"}}}

    def in_force(plural: str, name: str, namespace: str) -> bool:
        try:
            huddle.request("PATCH", api_path(plural, name, namespace), body, MERGE)
            return False
        except ApiError as error:
            return denied(error)

    server.api.wait_for("the fence of nodes", lambda: in_force("nodes", "n1", ""))
    server.api.wait_for("the fence of pods", lambda: in_force("pods", "victim", TENANT))
    reset: Object = {"metadata": {"labels": {"probe": None}}}
    server.api.patch("nodes", "n1", reset)
    server.api.patch("pods", "victim", reset, TENANT)
    return huddle


def api_path(plural: str, name: str, namespace: str) -> str:
    return Api.path(plural, namespace, name) + "?dryRun=All"


def denied(error: ApiError) -> bool:
    return "ValidatingAdmissionPolicy" in str(error) and "huddle" in str(error)


def pod(name: str, **meta: object) -> Object:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u-1"}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    metadata: Object = {"name": name, "labels": {"app": "web"}, "ownerReferences": [owner]}
    spec = {
        "containers": [{"name": "c", "image": "none"}],
        "affinity": {"nodeAffinity": required},
    }
    return {"metadata": {**metadata, **meta}, "spec": spec}


SURGE = {"huddle.energy/move": "m", "huddle.energy/withheld-label": "pod-template-hash"}


def test_of_a_node_only_what_is_huddles(huddle: Api) -> None:
    taints = huddle.get("nodes", "n1")["spec"]["taints"]
    allowed = {
        "metadata": {"labels": {EXCLUDE: "true"}, "annotations": {"huddle.energy/x": "y"}},
        "spec": {"taints": [*taints, DRAINING]},
    }
    huddle.patch("nodes", "n1", allowed)
    huddle.patch(
        "nodes", "n1", {"metadata": {"labels": {EXCLUDE: None}}, "spec": {"taints": taints}}
    )
    refused: list[Object] = [
        {"spec": {"taints": [DRAINING]}},  # a foreign one would go
        {"spec": {"taints": [*taints, {"key": "example.com/other", "effect": "NoExecute"}]}},
        {"spec": {"taints": [{**FOREIGN, "effect": "NoExecute"}]}},
        {"spec": {"unschedulable": True}},
        {"metadata": {"labels": {"zone": "b"}}},
        {"metadata": {"labels": {"zone": None}}},
        {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
        {"metadata": {"annotations": {"cluster-autoscaler.kubernetes.io/x": "y"}}},
        {"metadata": {"finalizers": ["example.com/f"]}},
    ]
    for body in refused:
        with pytest.raises(ApiError) as error:
            huddle.patch("nodes", "n1", body)
        assert denied(error.value), (body, error.value)


def test_of_a_nodes_status_only_the_condition(huddle: Api, server: ControlPlane) -> None:
    own: Object = {"type": "huddle.energy/Asleep", "status": "True", "reason": "Asleep"}
    ready: Object = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"conditions": [ready], "capacity": {"cpu": "4"}, "allocatable": {"cpu": "4"}}
    server.api.patch("nodes", "n1", {"status": status}, sub="status", content=STRATEGIC)
    refused: list[Object] = [
        {"conditions": [{**ready, "status": "False"}]},
        {"conditions": [{**own, "type": "MemoryPressure"}]},
        {"conditions": [{**own, "type": "huddle.energy/Other"}]},
        {"conditions": [{"$patch": "delete", "type": "Ready"}]},
        {"capacity": {"cpu": "400"}},
        {"allocatable": {"nvidia.com/gpu": "8"}},
        {"addresses": [{"type": "InternalIP", "address": "10.0.0.9"}]},
        {"nodeInfo": {"bootID": "another"}},
        {"volumesInUse": ["v"]},
    ]

    def is_refused(body: Object) -> bool:
        try:
            huddle.patch("nodes", "n1", {"status": body}, sub="status", content=STRATEGIC)
            return False
        except ApiError as error:
            assert denied(error), (body, error)
            return True

    server.api.wait_for("the fence of a status", lambda: is_refused(refused[0]))
    for body in refused:
        assert is_refused(body), body
    huddle.patch("nodes", "n1", {"status": {"conditions": [own]}}, sub="status", content=STRATEGIC)
    found = {c["type"]: c["status"] for c in server.api.get("nodes", "n1")["status"]["conditions"]}
    assert found == {"Ready": "True", own["type"]: "True"}
    gone = {"$patch": "delete", "type": own["type"]}
    huddle.patch("nodes", "n1", {"status": {"conditions": [gone]}}, sub="status", content=STRATEGIC)
    assert [c["type"] for c in server.api.get("nodes", "n1")["status"]["conditions"]] == ["Ready"]


def test_of_a_pod_only_what_a_move_takes(huddle: Api, server: ControlPlane) -> None:
    cost = "controller.kubernetes.io/pod-deletion-cost"
    notes = {cost: "-1", "huddle.energy/moved-by": "m"}
    huddle.patch("pods", "victim", {"metadata": {"annotations": notes}}, TENANT)
    refused: list[Object] = [
        {"metadata": {"labels": {"app": "other"}}},
        {"metadata": {"labels": {"pod-template-hash": "1"}}},  # it was not withheld from this one
        {"metadata": {"annotations": {"example.com/x": "y"}}},
        {"metadata": {"annotations": {"huddle.energy/withheld-label": "app"}}},
        {"metadata": {"annotations": {"huddle.energy/move": "m"}}},  # it could be deleted then
        {"metadata": {"ownerReferences": None}},
        {"spec": {"activeDeadlineSeconds": 1}},
    ]
    for body in refused:
        with pytest.raises(ApiError) as error:
            huddle.patch("pods", "victim", body, TENANT)
        assert denied(error.value), (body, error.value)
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "other"}]
    with pytest.raises(ApiError) as error:
        huddle.patch("pods", "victim", image, TENANT, content=JSON_PATCH)
    assert denied(error.value)
    with pytest.raises(ApiError) as error:
        huddle.delete("pods", "victim", TENANT)
    assert denied(error.value)
    huddle.create("pods", pod("surge", annotations=SURGE), TENANT)
    huddle.patch("pods", "surge", {"metadata": {"labels": {"pod-template-hash": "1"}}}, TENANT)
    huddle.delete("pods", "surge", TENANT)
    bare = pod("bare", annotations=SURGE)
    del bare["metadata"]["ownerReferences"]
    loose = pod("loose", annotations=SURGE)
    del loose["spec"]["affinity"]
    for body in (bare, loose, pod("unmarked")):
        with pytest.raises(ApiError) as error:
            huddle.create("pods", body, TENANT)
        assert denied(error.value), (body, error.value)


def test_of_a_pool_only_its_own_finalizer(server: ControlPlane, huddle: Api) -> None:
    done = run(server.admin_kubeconfig, "install", "crds")
    assert done.returncode == 0, done.stderr
    server.api.wait_for("powerpools", lambda: server.api.list("powerpools") == [])
    meta = {"name": "p", "finalizers": ["example.com/f"]}
    server.api.create("powerpools", {"metadata": meta, "spec": {"minAwake": 1}})
    own = ["example.com/f", "huddle.energy/awake"]
    refused: list[Object] = [
        {"spec": {"mode": "act"}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"metadata": {"finalizers": ["huddle.energy/awake"]}},
        {"metadata": {"finalizers": [*own, "example.com/g"]}},
    ]

    def is_refused(body: Object) -> bool:
        try:
            huddle.request("PATCH", api_path("powerpools", "p", ""), body, MERGE)
            return False
        except ApiError as error:
            return denied(error)

    for body in refused:
        server.api.wait_for(f"no to {body}", lambda body=body: is_refused(body))
    huddle.patch("powerpools", "p", {"metadata": {"finalizers": own}})
    huddle.patch("powerpools", "p", {"metadata": {"finalizers": ["example.com/f"]}})
    server.api.patch("powerpools", "p", {"metadata": {"finalizers": None}})


def test_the_fence_is_for_huddle_alone(server: ControlPlane, huddle: Api) -> None:
    server.api.patch("nodes", "n1", {"metadata": {"labels": {"zone": "c"}}})
    server.api.patch("pods", "victim", {"metadata": {"labels": {"app": "web2"}}}, TENANT)
    server.api.patch("pods", "victim", {"metadata": {"labels": {"app": "web"}}}, TENANT)


def test_rights_that_it_has_not(huddle: Api) -> None:
    for plural, namespace in (("secrets", NAMESPACE), ("configmaps", TENANT), ("roles", TENANT)):
        with pytest.raises(ApiError) as error:
            huddle.list(plural, namespace)
        assert error.value.code == 403
    for act in (
        lambda: huddle.delete("nodes", "n1"),
        lambda: huddle.create("pods", pod("p", annotations=SURGE), "default"),
        lambda: huddle.create("leases", {"metadata": {"name": "x"}}, TENANT),
        lambda: huddle.get("leases", "another", NAMESPACE),
    ):
        with pytest.raises(ApiError) as error:
            act()
        assert error.value.code == 403
    lease = huddle.create("leases", {"metadata": {"name": "huddle-controller"}}, NAMESPACE)
    huddle.replace("leases", lease)


def test_auth_check_knows_the_shipped_rights(server: ControlPlane) -> None:
    """All that huddle asks for is in deploy/kubernetes/act, but what is optional; and a rule that is taken away is
    missed by its name, with what is off without it."""

    def check() -> tuple[int, dict[str, Object]]:
        done = run(server.admin_kubeconfig, "auth", "check", "--account", ACCOUNT, "-o", "json")
        assert done.returncode in (0, 3), done.stderr
        rules = json.loads(done.stdout)["rules"]
        missing = {r["resource"]: r for r in rules if not r["allowed"] and not r["optional"]}
        return done.returncode, missing

    assert check() == (0, {})
    server.api.delete("clusterrolebindings", "huddle-users")
    lost = server.api.wait_for("it is missed", lambda: check()[1])
    assert lost.keys() == {"tokenreviews", "subjectaccessreviews"}
    assert lost["tokenreviews"]["missing"] == "create" and lost["tokenreviews"]["off"]


def test_two_controllers_with_a_store_each(server: ControlPlane) -> None:
    made = server.api.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/{ACCOUNT}")
    spec = made["spec"]
    assert spec["replicas"] == 2 and spec["volumeClaimTemplates"][0]["metadata"]["name"] == "state"
    mounted = {v["name"] for v in spec["template"]["spec"]["volumes"]}
    assert "state" not in mounted and {"config", "tls", "tokens", "tmp"} == mounted
    assert "preferredDuringSchedulingIgnoredDuringExecution" in str(spec["template"]["spec"])
    assert not server.api.find("deployments", ACCOUNT, NAMESPACE)
    assert server.api.find("poddisruptionbudgets", ACCOUNT, NAMESPACE)
