"""huddle-controller as the scheduler of pods that ask for it, on hollow nodes that are given to it."""

from __future__ import annotations

import collections.abc
import pathlib

import pytest

from tests.kubernetes.api import Api, Object, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import of_app
from tests.kubernetes.test_steer import Steerer, steering
from tests.lab.lab import REPOSITORY

TAINT = {"key": "huddle.energy/bind", "effect": "NoSchedule"}
TOLERATES = [{"key": "huddle.energy/bind", "operator": "Exists"}]
OURS = {"schedulerName": "huddle", "tolerations": TOLERATES}
NODES = ["hollow-1", "hollow-2", "hollow-3"]
ROLE = REPOSITORY / "deploy/kubernetes/bind/role.yaml"


def asks(name: str, replicas: int, cpu: str = "1m", **spec: object) -> Object:
    resources = {"requests": {"cpu": cpu, "memory": "1Mi"}}
    return deployment(name, replicas, pod=OURS | spec, container={"resources": resources})


def condition(pod: Object) -> Object:
    conditions: list[Object] = pod["status"].get("conditions", [])
    return next((c for c in conditions if c["type"] == "PodScheduled"), {})


@pytest.fixture(name="nodes")
def _nodes(hollow: HollowNodes) -> collections.abc.Iterator[Api]:
    """Three nodes with the taint, and the rights of the overlay for the user `steerer`."""
    api = hollow.cluster.api
    done = hollow.cluster.kubectl("apply", "-f", str(ROLE))
    assert done.returncode == 0, done.stderr
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "steerer"}
    api.patch("clusterrolebindings", "huddle-bind", {"subjects": [subject]})
    events = {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}
    api.allow("steerer", [events], "steerer-tells")
    for name in NODES:
        api.patch("nodes", name, {"spec": {"taints": [TAINT]}})
    yield api
    for name in NODES:
        api.patch("nodes", name, {"spec": {"taints": None}})
    for plural in ("clusterrolebindings", "clusterroles"):
        api.delete(plural, "huddle-bind")
        api.delete(plural, "steerer-tells")


def places(steerer: Steerer, name: str) -> set[str]:
    pods = of_app(steerer.api, steerer.namespace, name)
    return {p["spec"]["nodeName"] for p in pods if ready(p)}


def test_pods_that_ask_for_huddle_get_a_node(
    cluster: ControlPlane, nodes: Api, namespace: str, tmp_path: pathlib.Path
) -> None:
    with steering(cluster, namespace, tmp_path, [], 0) as steerer:
        nodes.create("deployments", asks("web", 6), namespace)
        steerer.controller.start()
        steerer.set("powerpools", "all", mode="act")
        steerer.wait_leading()
        assert not places(steerer, "web")  # the pool says `scheduling: steer`
        steerer.set("powerpools", "all", scheduling="bind")

        def all_ready() -> bool:
            return sum(map(ready, of_app(nodes, namespace, "web"))) == 6

        nodes.wait_for("six pods", all_ready, 60)
        assert len(places(steerer, "web")) == 1 and places(steerer, "web") <= set(NODES)
        refuses_by_name(steerer)
        waits_for_room(steerer)


def refuses_by_name(steerer: Steerer) -> None:
    api, anti = steerer.api, {"topologyKey": "kubernetes.io/hostname"}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [anti]}
    body = asks("alone", 1, affinity={"podAntiAffinity": required})
    api.create("deployments", body, steerer.namespace)

    def refused() -> bool:
        pods = of_app(api, steerer.namespace, "alone")
        return bool(pods) and condition(pods[0]).get("reason") == "HuddleUnsupported"

    api.wait_for("a word about it", refused, 60)
    assert "anti-affinity" in condition(of_app(api, steerer.namespace, "alone")[0])["message"]

    def told() -> bool:
        events = api.list("events", steerer.namespace)
        return any(e["reason"] == "HuddleUnsupported" for e in events)

    api.wait_for("an Event", told, 60)


def waits_for_room(steerer: Steerer) -> None:
    """What fits nowhere says so as the default scheduler would, and has its node once there is room."""
    api = steerer.api
    cpu = int(api.get("nodes", NODES[0])["status"]["allocatable"]["cpu"])
    api.create("deployments", asks("large", 4, f"{900 * cpu}m"), steerer.namespace)

    def three_and_one() -> bool:
        pods = of_app(api, steerer.namespace, "large")
        waits = [p for p in pods if condition(p).get("reason") == "Unschedulable"]
        return len(places(steerer, "large")) == 3 and len(waits) == 1

    api.wait_for("one on each node, and one that waits", three_and_one, 60)
    (waits,) = [p for p in of_app(api, steerer.namespace, "large") if not ready(p)]
    assert "3 have too little (cpu)" in condition(waits)["message"]
    api.patch("deployments", "large", {"spec": {"replicas": 3}}, steerer.namespace)
    api.wait_for(
        "three pods, all ready",
        lambda: [ready(p) for p in of_app(api, steerer.namespace, "large")] == [True] * 3,
        60,
    )
