"""huddle-controller acts: in a pool with `mode: act` it moves pods by adoption onto the nodes that its
plan keeps, without a change of any Deployment, and whoever leads next ends what was begun."""

from __future__ import annotations

import collections.abc
import pathlib
import shutil
import signal
import time

import pytest

from tests.kubernetes.api import Api, Object, ready
from tests.kubernetes.cluster import deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import COST, DRAIN, MOVE, Watched, of_app, owner
from tests.kubernetes.test_doctor import quiet, run
from tests.kubernetes.test_observe import served_model
from tests.lab.controller import Controller

MODELS = ["chat", "embed", "rank"]
N = 2
MARK = "huddle.energy/moved-by"
LEASE = {"duration": "6s", "renewDeadline": "4s", "retryPeriod": "1s"}
SOON_S = 240.0  # for a consolidation: some ten moves, each with 5 s to settle


def policy(**spec: object) -> Object:
    budget = {"moves": 4, "sleeps": 12}  # a pod is moved so that its node may sleep
    own: Object = {"interval": "2s", "strategy": "demand", "budget": budget}
    return {"metadata": {"name": "soon"}, "spec": {**own, **spec}}


def pool(mode: str) -> Object:
    spec: Object = {"mode": mode, "minAwake": 1, "spare": 0, "policy": "soon"}
    return {"metadata": {"name": "all"}, "spec": spec | {"boot": {"time": "1s", "energy": "1J"}}}


def make(api: Api, namespace: str, name: str, lifecycle: Object = DRAIN) -> None:
    """A Deployment of N pods behind a Service, and its ServedModel."""
    container: Object = {"lifecycle": lifecycle}
    container["resources"] = {"requests": {"cpu": "100m", "memory": "100Mi"}}
    spec = {"terminationGracePeriodSeconds": 8}
    api.create("deployments", deployment(name, N, pod=spec, container=container), namespace)
    service = {"selector": {"app": name}, "ports": [{"port": 80}]}
    api.create("services", {"metadata": {"name": name}, "spec": service}, namespace)
    api.create("servedmodels", served_model(name), namespace)


class Steerer:
    """A controller that may act, and what it does to the pods of a namespace."""

    def __init__(self, hollow: HollowNodes, namespace: str, folder: pathlib.Path) -> None:
        self.api, self.namespace, self.folder = hollow.cluster.api, namespace, folder
        kubernetes: Object = {"kubeconfig": str(hollow.cluster.kubeconfig("admin"))}
        kubernetes |= {"namespace": namespace, "lease": LEASE}
        self.controller = Controller(folder, kubernetes=kubernetes)

    def pods(self) -> list[Object]:
        return [p for name in MODELS for p in of_app(self.api, self.namespace, name)]

    def used(self) -> set[str]:
        return {p["spec"].get("nodeName", "") for p in self.pods()}

    def surges(self) -> list[Object]:
        return [p for p in self.pods() if not owner(p)]

    def moves(self) -> list[Object]:
        """Those that stand in the status of ServedModels."""
        models = self.api.list("servedmodels", self.namespace)
        return [m for s in models for m in s.get("status", {}).get("moves", [])]

    def set(self, plural: str, name: str, **spec: object) -> None:
        self.api.patch(plural, name, {"spec": spec})

    def wait_consolidated(self, most: int) -> None:
        self.api.wait_for(
            f"pods on {most} nodes, and nothing left of the moves",
            lambda: len(self.used()) <= most and not self.surges() and not self.moves(),
            SOON_S,
        )

    def assert_clean(self) -> None:
        pods = self.pods()
        assert len(pods) == N * len(MODELS) and all(ready(p) and owner(p) for p in pods)
        for pod in pods:
            assert not {COST, MARK} & pod["metadata"].get("annotations", {}).keys()

    def events(self, reason: str) -> list[str]:
        listed = self.controller.get("events")["items"]
        return [e["message"] for e in listed if e["reason"] == reason]


def spread_out(api: Api, namespace: str, nodes: list[str]) -> None:
    """The pods of all models, on six of the twelve nodes, one each."""
    for node in nodes[6:]:
        api.patch("nodes", node, {"spec": {"unschedulable": True}})
    for name in MODELS:
        make(api, namespace, name)
    count = N * len(MODELS)

    def are_ready() -> bool:
        pods = [p for name in MODELS for p in of_app(api, namespace, name)]
        return len(pods) == count and all(map(ready, pods))

    api.wait_for("pods", are_ready, 90)
    for node in nodes[6:]:
        api.patch("nodes", node, {"spec": {"unschedulable": None}})


@pytest.fixture(name="steerer")
def steering(
    hollow: HollowNodes, namespace: str, tmp_path: pathlib.Path
) -> collections.abc.Iterator[Steerer]:
    cluster, api = hollow.cluster, hollow.cluster.api
    quiet(api)
    done = run(cluster.admin_kubeconfig, "install", "crds")
    assert done.returncode == 0, done.stderr
    api.wait_for("powerpools", lambda: api.list("powerpools") == [])
    steerer = Steerer(hollow, namespace, tmp_path)
    try:
        spread_out(api, namespace, hollow.names)
        api.create("powerpolicies", policy())
        api.create("powerpools", pool("observe"))
        yield steerer
    finally:
        print(steerer.controller.log.read_text()[-20000:])
        if steerer.controller.process:
            steerer.controller.stop()
        for crd in api.list("customresourcedefinitions"):
            api.delete("customresourcedefinitions", crd["metadata"]["name"])


def test_pods_come_together_on_fewer_nodes(steerer: Steerer) -> None:
    api = steerer.api
    before = steerer.used()
    assert len(before) == 6, "the scheduler has not spread them"
    steerer.controller.start()
    api.wait_for("a plan", lambda: steerer.controller.get("plans")["items"], 60)
    with Watched(api, steerer.namespace, MODELS, N) as watched:
        time.sleep(6)
        assert steerer.used() == before and not steerer.moves()  # it observes
        steerer.set("powerpools", "all", mode="act")
        api.wait_for("a move in the status of its model", steerer.moves, 60)
        steerer.wait_consolidated(2)
    watched.check()
    steerer.assert_clean()
    assert watched.most_surges == 1
    assert len(steerer.events("Moved")) >= 4 and not steerer.events("MoveRefused")


def test_another_controller_ends_what_was_begun(steerer: Steerer) -> None:
    """Killed in mid-move, again and again, with an empty store each time."""
    api = steerer.api
    steerer.set("powerpools", "all", mode="act")
    with Watched(api, steerer.namespace, MODELS, N) as watched:
        for turn in range(3):
            steerer.controller.start()
            api.wait_for("a surge", lambda: steerer.surges() or len(steerer.used()) <= 2, 120)
            time.sleep(turn * 2.5)
            steerer.controller.stop(signal.SIGKILL)
            shutil.rmtree(steerer.folder / "state")
        steerer.controller.start()
        steerer.wait_consolidated(2)
    watched.check()
    steerer.assert_clean()
