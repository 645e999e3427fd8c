"""huddlectl move on hollow nodes: pods move by adoption, whatever else is going on, or are refused with
the reason, or all is taken back."""

from __future__ import annotations

import collections.abc
import concurrent.futures
import contextlib
import subprocess
import threading
import time

import pytest

from tests.kubernetes.api import Api, ApiError, Object, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import DRAIN, MOVE, Mover, Watched, another_node, of_app, owner

N = 3
GRACE_S = 8


def make(
    api: Api, namespace: str, name: str, lifecycle: Object | None = DRAIN, **pod: object
) -> None:
    """A Deployment of N pods behind a Service, all Ready."""
    spec: Object = {"terminationGracePeriodSeconds": GRACE_S, **pod}
    body = deployment(name, N, pod=spec, container={"lifecycle": lifecycle or {}})
    api.create("deployments", body, namespace)
    service = {"selector": {"app": name}, "ports": [{"port": 80}]}
    api.create("services", {"metadata": {"name": name}, "spec": service}, namespace)
    api.wait_for("pods Ready", lambda: is_whole(api, namespace, name))


def is_whole(api: Api, namespace: str, name: str) -> bool:
    if sum(ready(p) for p in of_app(api, namespace, name)) != N:
        return False
    slices = api.list(
        "endpointslices", namespace, labelSelector=f"kubernetes.io/service-name={name}"
    )
    ends = [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]
    status = api.get("deployments", name, namespace)["status"]
    return len(ends) == N and status.get("readyReplicas") == N


def first(api: Api, namespace: str, name: str = "web") -> Object:
    return sorted(of_app(api, namespace, name), key=lambda p: p["metadata"]["name"])[0]


def surge(api: Api, namespace: str, name: str = "web") -> Object | None:
    return next((p for p in of_app(api, namespace, name) if not owner(p)), None)


def move_often(mover: Mover, name: str, times: int, nodes: list[str]) -> int:
    for turn in range(times):
        pods = of_app(mover.api, mover.namespace, name)
        pod = pods[turn % len(pods)]
        node = another_node(pod, nodes, turn)
        output = mover.move(pod["metadata"]["name"], node)
        assert "moved: pod/" in output
        now = of_app(mover.api, mover.namespace, name)
        assert pod["metadata"]["uid"] not in {p["metadata"]["uid"] for p in now}
        assert [p for p in now if MOVE in p["metadata"].get("annotations", {})]
    return times


def move_all(hollow: HollowNodes, namespace: str, names: list[str], times: int) -> Watched:
    mover = Mover(hollow.cluster, namespace)
    with Watched(hollow.cluster.api, namespace, names, N) as watched:
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            moved = list(pool.map(lambda n: move_often(mover, n, times, hollow.names), names))
    assert moved == [times] * len(names)
    return watched


def test_12_moves(hollow: HollowNodes, namespace: str) -> None:
    names = ["a", "b", "c"]
    for name in names:
        make(hollow.cluster.api, namespace, name)
    move_all(hollow, namespace, names, 4).check()


@contextlib.contextmanager
def churn(
    api: Api, namespace: str, writers: int = 8, size: int = 60_000
) -> collections.abc.Iterator[list[int]]:
    """Writers that put an annotation of 60 kB on pods of their own, again and again."""
    ending = threading.Event()
    written = [0] * writers

    def write(i: int) -> None:
        pod = {"containers": [{"name": "c", "image": "none"}], "terminationGracePeriodSeconds": 0}
        api.create("pods", {"metadata": {"name": f"churn-{i}"}, "spec": pod}, namespace)
        while not ending.is_set():
            value = f"{written[i]:08}" + "x" * size
            api.patch("pods", f"churn-{i}", {"metadata": {"annotations": {"x": value}}}, namespace)
            written[i] += 1
            time.sleep(0.02)
        api.delete("pods", f"churn-{i}", namespace, gracePeriodSeconds=0)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield written
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def test_6_moves_under_churn(hollow: HollowNodes, namespace: str) -> None:
    names = ["a", "b"]
    for name in names:
        make(hollow.cluster.api, namespace, name)
    with churn(hollow.cluster.api, namespace) as written:
        watched = move_all(hollow, namespace, names, 3)
    watched.check()
    assert sum(written) > 150


# --- refused -------------------------------------------------------------------------------------


def budget(api: Api, namespace: str, name: str, least: int) -> None:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
    api.create("poddisruptionbudgets", {"metadata": {"name": name}, "spec": spec}, namespace)
    api.wait_for(
        "the budget counted",
        lambda: api.get("poddisruptionbudgets", name, namespace)["status"].get("currentHealthy")
        == N,
    )


def test_refused_with_the_reason(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    name, node = pod["metadata"]["name"], another_node(pod, hollow.names)
    budget(api, namespace, "b", N)
    mover.refused(name, node, "BudgetExhausted: poddisruptionbudget/b allows no disruption now")
    budget(api, namespace, "c", 1)
    mover.refused(name, node, "TwoBudgets")
    for b in ("b", "c"):
        api.delete("poddisruptionbudgets", b, namespace)
    mover.refused(name, pod["spec"]["nodeName"], "AlreadyThere")
    mover.refused(name, "n99", "NoSuchNode")
    api.patch("nodes", node, {"spec": {"unschedulable": True}})
    try:
        mover.refused(name, node, "NodeCordoned")
    finally:
        api.patch("nodes", node, {"spec": {"unschedulable": None}})
    taint = {"key": "mine", "value": "x", "effect": "NoSchedule"}
    api.patch("nodes", node, {"spec": {"taints": [taint]}})
    try:
        mover.refused(name, node, "NodeTainted")
    finally:
        api.patch("nodes", node, {"spec": {"taints": None}})
    api.patch("deployments", "web", {"spec": {"paused": True}}, namespace)
    mover.refused(name, node, "Paused")
    api.patch("deployments", "web", {"spec": {"paused": False}}, namespace)
    api.wait_for("it goes on", lambda: is_settled(api, namespace))
    mover.move(name, node)  # it was these things that stood against it


def is_settled(api: Api, namespace: str) -> bool:
    d = api.get("deployments", "web", namespace)
    return bool(d["status"]["observedGeneration"] == d["metadata"]["generation"])


def test_refused_by_what_the_pod_is(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web", lifecycle=None)
    pod = first(api, namespace)
    name, node = pod["metadata"]["name"], another_node(pod, hollow.names)
    assert "lifecycle.preStop.sleep" in mover.refused(name, node, "NoPreStop")
    mover.move(name, node, "--acknowledge-drain")
    set_ = deployment("set", 1, container={"lifecycle": DRAIN}, serviceName="set")
    api.create("statefulsets", set_, namespace)
    api.wait_for("set-0", lambda: any(ready(p) for p in of_app(api, namespace, "set")))
    ref = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "set"}
    scaler = {"metadata": {"name": "set"}, "spec": {"scaleTargetRef": ref, "maxReplicas": 2}}
    api.create("horizontalpodautoscalers", scaler, namespace)
    mover.refused("set-0", node, "ReplicasNotHuddles")
    alone = {"containers": [{"name": "c", "image": "none"}]}
    api.create("pods", {"metadata": {"name": "alone"}, "spec": alone}, namespace)
    mover.refused("alone", node, "BarePod")
    code, output = mover.run("nobody", "--to", node)
    assert code == 1 and f"there is no pod/nobody in namespace {namespace}" in output


def test_refused_without_room_and_by_a_quota(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    name, node = pod["metadata"]["name"], another_node(pod, hollow.names)
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": str(N)}}}
    api.request("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/q"
    api.wait_for(
        "the quota counted",
        lambda: api.request("GET", path).get("status", {}).get("used", {}).get("pods") == str(N),
    )
    mover.refused(name, node, "exceeded quota")
    api.request("DELETE", path)
    make(api, namespace, "large")
    wants = {"requests": {"cpu": "200m"}}
    patch = {"spec": {"containers": [{"name": "main", "resources": wants}]}}
    api.request(
        "PATCH",
        api.path("deployments", namespace, "large"),
        {"spec": {"template": patch}},
        content="application/strategic-merge-patch+json",
    )
    api.wait_for("the large ones", lambda: is_rolled_out(api, namespace, "large"), 90)
    large = of_app(api, namespace, "large")
    taken = {p["spec"]["nodeName"] for p in large}
    node = next(n for n in hollow.names if n not in taken)  # else its kubelet refuses the holder
    has = api.get("nodes", node)["status"]["allocatable"]["cpu"]
    assert has.isdecimal()
    fill = {"requests": {"cpu": f"{int(has) * 1000 - 100}m"}}
    holder = {"nodeName": node, "containers": [{"name": "c", "image": "none", "resources": fill}]}
    api.create("pods", {"metadata": {"name": "holder"}, "spec": holder}, namespace)
    mover.refused(large[0]["metadata"]["name"], node, "NoRoom")


def is_rolled_out(api: Api, namespace: str, name: str) -> bool:
    d = api.get("deployments", name, namespace)
    pods = api.list("pods", namespace, labelSelector=f"app={name}")
    return bool(
        d["status"]["observedGeneration"] == d["metadata"]["generation"]
        and d["status"].get("updatedReplicas") == N
        and len(pods) == N
        and all(ready(p) for p in pods)
    )


def test_refused_during_a_rollout(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    template = {"metadata": {"annotations": {"turn": "2"}}}
    stuck = {"spec": {"template": {**template, "spec": {"nodeSelector": {"no": "such"}}}}}
    api.patch("deployments", "web", stuck, namespace)
    api.wait_for("a new ReplicaSet", lambda: len(api.list("replicasets", namespace)) == 2)
    old = next(p for p in of_app(api, namespace, "web") if ready(p))
    mover.refused(old["metadata"]["name"], another_node(pod, hollow.names), "Rollout")


# --- taken back, and gone on with ------------------------------------------------------------------


def follow(process: subprocess.Popen[str], word: str) -> None:
    """Reads the program's lines until one has the word."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return
    raise AssertionError(f"no {word!r} in {lines}")


@pytest.mark.parametrize("word", ["created pod/", "marked as", "handed over"])
def test_killed_in_the_middle_and_run_again(hollow: HollowNodes, namespace: str, word: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    words = [pod["metadata"]["name"], "--to", another_node(pod, hollow.names), "--settle", "500ms"]
    with Watched(api, namespace, ["web"], N) as watched:
        process = mover.start(*words)
        follow(process, word)
        process.kill()
        process.communicate()
        code, output = mover.run(*words)
        assert code == 0 and "moved: pod/" in output, output
    watched.check()
    assert len([p for p in of_app(api, namespace, "web") if MOVE in annotated(p)]) == 1


def annotated(pod: Object) -> Object:
    found: Object = pod["metadata"].get("annotations", {})
    return found


def test_taken_back(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    name, node = pod["metadata"]["name"], another_node(pod, hollow.names)
    with Watched(api, namespace, ["web"], N) as watched:
        process = mover.start(name, "--to", node, "--settle", "60s")
        follow(process, "Settling")
        code, output = mover.run(name, "--to", another_node(pod, hollow.names, 1))
        assert code == 1 and "MoveUnderWay" in output
        code, output = mover.run(name, "--abort")
        assert code == 0 and f"taken back: pod/{name} stays where it is" in output
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 1 and "SurgeGone" in output
        api.wait_for("the surge gone", lambda: surge(api, namespace) is None)
    watched.check()
    assert first(api, namespace)["metadata"]["uid"] == pod["metadata"]["uid"]
    code, output = mover.run(name, "--abort")
    assert code == 0 and f"there is no move of pod/{name} to take back" in output


def test_taken_back_when_a_rollout_begins(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    process = mover.start(
        pod["metadata"]["name"], "--to", another_node(pod, hollow.names), "--settle", "60s"
    )
    follow(process, "Settling")
    template = {"template": {"metadata": {"annotations": {"turn": "2"}}}}
    api.patch("deployments", "web", {"spec": template}, namespace)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and ("Rollout" in output or "VictimGone" in output), output
    api.wait_for("rolled out", lambda: is_rolled_out(api, namespace, "web"), 90)
    assert surge(api, namespace) is None


def test_abandoned_surge_is_removed_after_its_deadline(hollow: HollowNodes, namespace: str) -> None:
    api, mover = hollow.cluster.api, Mover(hollow.cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    words = [pod["metadata"]["name"], "--to", another_node(pod, hollow.names)]
    process = mover.start(*words, "--settle", "4s", "--deadline", "5s")
    follow(process, "created pod/")
    process.kill()
    process.communicate()
    left = surge(api, namespace)
    assert left
    time.sleep(5)
    code, output = mover.run(*words, "--settle", "500ms")
    assert code == 0 and "deleted pod/" in output and "moved: pod/" in output, output
    assert left["metadata"]["uid"] not in [
        p["metadata"]["uid"] for p in of_app(api, namespace, "web")
    ]


def test_rights_that_are_missing_are_named(cluster: ControlPlane, namespace: str) -> None:
    api, mover = cluster.api, Mover(cluster, namespace)
    make(api, namespace, "web")
    pod = first(api, namespace)
    with pytest.raises(ApiError):
        cluster.as_user("tenant").list("pods", namespace)
    mover.words[-1] = str(cluster.kubeconfig("tenant"))
    code, output = mover.run(pod["metadata"]["name"], "--to", "hollow-1")
    assert code == 1 and 'User "tenant" cannot get' in output, output
