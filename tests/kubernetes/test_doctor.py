"""huddlectl doctor and auth check on a real API server: each finding has its object, and nothing is
found where there is nothing."""

from __future__ import annotations

import collections.abc
import json
import os
import pathlib
import subprocess

import pytest

from tests.kubernetes.api import Api, Object
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.lab.enter import REPOSITORY

HUDDLECTL = REPOSITORY / os.environ.get("HUDDLE_BUILD", "build/release") / "huddlectl"
HOSTNAME = "kubernetes.io/hostname"
PRE_STOP = {"lifecycle": {"preStop": {"sleep": {"seconds": 15}}}}


def run(kubeconfig: pathlib.Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HUDDLECTL, *words, "--kubeconfig", kubeconfig],
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )


def doctor(cluster: ControlPlane, *words: str) -> Object:
    """The report, of the administrator; its exit code is checked."""
    done = run(cluster.admin_kubeconfig, "doctor", "-o", "json", *words)
    assert done.returncode in (0, 3), done.stderr
    report: Object = json.loads(done.stdout)
    bad = [f for f in report["findings"] if f["severity"] != "note"]
    assert done.returncode == (3 if bad else 0)
    return report


def found(report: Object) -> set[tuple[str, str]]:
    return {(f["code"], f["object"]["name"]) for f in report["findings"]}


def one(report: Object, code: str) -> Object:
    hits = [f for f in report["findings"] if f["code"] == code]
    assert len(hits) == 1, report["findings"]
    assert hits[0]["what"] and hits[0]["derived"] and hits[0]["wayOut"]
    hit: Object = hits[0]
    return hit


def ready(api: Api, namespace: str, name: str, n: int) -> None:
    def is_so() -> bool:
        status = api.get("deployments", name, namespace)["status"]
        return int(status.get("readyReplicas", 0)) == n

    api.wait_for(f"{n} pods of {name}", is_so)


def quiet(api: Api) -> None:
    """Waits until what other tests made has gone."""
    plurals = ("deployments", "daemonsets", "replicasets", "jobs", "pods")
    api.wait_for("an empty cluster", lambda: not any(api.list(p) for p in plurals), 120)


def pod(name: str, **spec: object) -> Object:
    first = {"name": "main", "image": "none"}
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [first], "automountServiceAccountToken": False, **spec},
    }


def test_clean_cluster_has_no_finding(cluster: ControlPlane) -> None:
    quiet(cluster.api)
    report = doctor(cluster)
    assert report["findings"] == []
    estimate = report["estimate"]
    assert len(estimate["couldSleep"]) == estimate["nodes"] - 2
    text = run(cluster.admin_kubeconfig, "doctor")
    assert text.returncode == 0
    assert "0 would be hurt, 0 stop huddle" in text.stdout
    assert "nodes could sleep now" in text.stdout


def test_a_good_deployment_has_no_finding(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    quiet(api)
    good = deployment("good", 2, container=PRE_STOP, pod={"terminationGracePeriodSeconds": 60})
    api.create("deployments", good, namespace)
    selects = {"selector": {"app": "good"}, "ports": [{"port": 80}]}
    api.create("services", {"metadata": {"name": "good"}, "spec": selects}, namespace)
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "good"}}}
    api.create("poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": budget}, namespace)
    ready(api, namespace, "good", 2)
    api.wait_for(
        "the budget counted",
        lambda: api.get("poddisruptionbudgets", "b", namespace)["status"]["disruptionsAllowed"]
        == 1,
    )
    assert doctor(cluster)["findings"] == []


def test_daemon_set_that_tolerates_everything(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    for name, tolerations in (
        ("all", [{"operator": "Exists"}]),
        ("some", [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]),
    ):
        body = deployment(name, 1, pod={"tolerations": tolerations})
        del body["spec"]["replicas"]
        api.create("daemonsets", body, namespace)
    api.wait_for(
        "it on every node",
        lambda: api.get("daemonsets", "all", namespace)["status"].get("numberReady") == 12,
    )
    report = doctor(cluster, "-n", namespace)
    assert found(report) == {("DaemonSetRollout", "all")}
    assert "10 sleeping nodes against 1" in one(report, "DaemonSetRollout")["what"]
    more = {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}}
    api.patch("daemonsets", "all", more, namespace)
    assert found(doctor(cluster, "-n", namespace)) == set()


def test_spread_that_counts_sleepers(cluster: ControlPlane, namespace: str) -> None:
    for name, policy in (("ignores", {}), ("honors", {"nodeTaintsPolicy": "Honor"})):
        constraint = {
            "maxSkew": 1,
            "topologyKey": HOSTNAME,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": name}},
            **policy,
        }
        body = deployment(name, 6, pod={"topologySpreadConstraints": [constraint]})
        cluster.api.create("deployments", body, namespace)
        ready(cluster.api, namespace, name, 6)
    report = doctor(cluster, "-n", namespace)
    assert found(report) == {("SpreadCountsSleepers", "ignores")}
    awake = 12 - len(report["estimate"]["couldSleep"])
    assert (
        one(report, "SpreadCountsSleepers")["what"] == f"{6 - awake} of 6 pods would not schedule"
    )


def test_workloads_that_lose_requests_or_have_no_room(
    cluster: ControlPlane, namespace: str
) -> None:
    api = cluster.api
    short = {"terminationGracePeriodSeconds": 16}
    vllm = {**PRE_STOP, "args": ["vllm", "serve"]}
    for body in (
        deployment("abrupt", 2),
        deployment("short", 2, container=PRE_STOP, pod=short),
        deployment("vllm", 2, container=vllm, pod={"terminationGracePeriodSeconds": 90}),
        deployment("recreate", 1, strategy={"type": "Recreate"}),
        deployment("lonely", 1, strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
        deployment("big", 1, container={"resources": {"requests": {"cpu": "64"}}}),
    ):
        api.create("deployments", body, namespace)
    for name in ("abrupt", "short", "vllm"):
        spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
        api.create("services", {"metadata": {"name": name}, "spec": spec}, namespace)
    waiting = {("Pending", p["metadata"]["name"]) for p in unschedulable(api, namespace)}
    assert found(doctor(cluster, "-n", namespace)) == waiting | {
        ("NoPreStop", "abrupt"),
        ("GraceTooShort", "short"),
        ("ShutdownTimeoutZero", "vllm"),
        ("Recreate", "recreate"),
        ("SingleReplicaNoSurge", "lonely"),
        ("NoSurgeRoom", "big"),
    }


def unschedulable(api: Api, namespace: str) -> list[Object]:
    def waiting() -> list[Object]:
        return [
            p
            for p in api.list("pods", namespace)
            if any(c.get("reason") == "Unschedulable" for c in p["status"].get("conditions", []))
        ]

    pods: list[Object] = api.wait_for("a pod that waits", waiting)
    return pods


def test_pods_that_hold_their_node(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    host = {"name": "h", "hostPath": {"path": "/tmp"}}
    api.create("pods", pod("bare"), namespace)
    api.create("deployments", deployment("host", 2, pod={"volumes": [host]}), namespace)
    unsafe = deployment("unsafe", 2)
    note = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    unsafe["spec"]["template"]["metadata"]["annotations"] = note
    api.create("deployments", unsafe, namespace)
    job = {"template": pod("job", restartPolicy="Never")}
    job["template"]["metadata"].pop("name")
    api.create("jobs", {"metadata": {"name": "job"}, "spec": job}, namespace)
    api.wait_for(
        "six pods on nodes",
        lambda: len([p for p in api.list("pods", namespace) if "nodeName" in p["spec"]]) == 6,
    )
    report = doctor(cluster, "-n", namespace)
    assert found(report) == {
        ("BarePod", "bare"),
        ("HostPath", "host"),
        ("NotSafeToEvict", "unsafe"),
        ("Job", "job"),
    }
    assert report["estimate"]["counts"]["held"] >= 1


def test_budgets_that_refuse(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    api.create("deployments", deployment("web", 2), namespace)
    ready(api, namespace, "web", 2)
    for name, least in (("full", 2), ("other", 1)):
        spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
        api.create("poddisruptionbudgets", {"metadata": {"name": name}, "spec": spec}, namespace)
    api.wait_for(
        "the budgets counted",
        lambda: api.get("poddisruptionbudgets", "other", namespace)["status"]["disruptionsAllowed"]
        == 1,
    )
    report = doctor(cluster, "-n", namespace)
    assert ("BudgetAllowsNone", "full") in found(report)
    assert ("BudgetAllowsNone", "other") not in found(report)
    assert "evictions fail" in one(report, "BudgetsOverlap")["what"]


@pytest.fixture
def marked(cluster: ControlPlane) -> collections.abc.Iterator[None]:
    """Nodes as other hands leave them."""
    api = cluster.api
    api.patch("nodes", "hollow-1", {"spec": {"unschedulable": True}})
    taint = {"key": "team", "value": "a", "effect": "NoSchedule"}
    api.patch("nodes", "hollow-2", {"spec": {"taints": [taint]}})
    labels = {
        "hollow-3": "karpenter.sh/nodepool",
        "hollow-4": "node-role.kubernetes.io/control-plane",
    }
    for node, label in labels.items():
        api.patch("nodes", node, {"metadata": {"labels": {label: "x"}}})
    machine = {"cluster.x-k8s.io/machine": "m"}
    api.patch("nodes", "hollow-5", {"metadata": {"annotations": machine}})
    status = {"metadata": {"name": "cluster-autoscaler-status"}}
    api.create("configmaps", status, "kube-system")
    yield
    api.delete("configmaps", "cluster-autoscaler-status", "kube-system")
    api.patch("nodes", "hollow-1", {"spec": {"unschedulable": None, "taints": None}})
    api.patch("nodes", "hollow-2", {"spec": {"taints": None}})
    for node, label in labels.items():
        api.patch("nodes", node, {"metadata": {"labels": {label: None}}})
    gone = {"cluster.x-k8s.io/machine": None}
    api.patch("nodes", "hollow-5", {"metadata": {"annotations": gone}})


def test_other_hands_on_nodes(cluster: ControlPlane, marked: None) -> None:
    quiet(cluster.api)
    report = doctor(cluster)
    assert found(report) == {
        ("Cordoned", "hollow-1"),
        ("ForeignTaint", "hollow-2"),
        ("Karpenter", "hollow-3"),
        ("ControlPlane", "hollow-4"),
        ("MachineRemediation", "hollow-5"),
        ("ClusterAutoscaler", "cluster-autoscaler-status"),
    }
    counts = report["estimate"]["counts"]
    assert [counts[v] for v in ("cordoned", "tainted", "poweredByOthers", "controlPlane")] == [
        1
    ] * 4
    assert not {f"hollow-{i}" for i in (1, 2, 3, 4)} & set(report["estimate"]["couldSleep"])


def test_user_with_few_rights_is_told_what_is_off(cluster: ControlPlane) -> None:
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]
    cluster.api.allow("huddle", rules, "huddle-looks")
    huddle = cluster.as_user("huddle")
    huddle.wait_for("the role", lambda: may_list_nodes(huddle))
    file = cluster.kubeconfig("huddle")
    checked = run(file, "auth", "check", "-o", "json")
    assert checked.returncode == 3, checked.stderr
    answers = {
        (r["resource"], r["subresource"], r["verbs"]): r
        for r in json.loads(checked.stdout)["rules"]
        if not r["namespace"]
    }
    assert answers["nodes", "", "get list watch"]["allowed"]
    assert not answers["nodes", "", "patch"]["allowed"]
    pods = answers["pods", "", "get list watch"]
    assert pods["missing"] == "get list watch" and "does not see what runs" in pods["off"]
    assert "no: patch" in run(file, "auth", "check").stdout
    admin = run(cluster.admin_kubeconfig, "auth", "check")
    assert admin.returncode == 0 and "no:" not in admin.stdout
    done = run(file, "doctor", "-o", "json")
    assert done.returncode == 3, done.stderr
    seen = found(json.loads(done.stdout))
    assert ("NotSeen", "pods") in seen and ("NotSeen", "nodes") not in seen
    assert ("Rights", "pods/eviction") in seen


def may_list_nodes(api: Api) -> bool:
    return len(api.list("nodes")) == 12


def test_what_cannot_be_asked_is_an_error(cluster: ControlPlane, tmp_path: pathlib.Path) -> None:
    missing = run(tmp_path / "none", "doctor")
    assert missing.returncode == 1 and "no such kubeconfig" in missing.stderr
    twice = run(cluster.admin_kubeconfig, "doctor", "-A", "-n", "x")
    assert twice.returncode == 2 and "contradict" in twice.stderr
