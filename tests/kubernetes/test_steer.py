"""huddle-controller acts: in a pool with `mode: act` it moves pods by adoption onto the nodes that its
plan keeps, without a change of any Deployment, and whoever leads next ends what was begun."""

from __future__ import annotations

import collections.abc
import contextlib
import pathlib
import subprocess
import time

import pytest

from tests.kubernetes.api import Api, Object, drop_definitions, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import COST, DRAIN, Watched, close, of_app, owner, put_one_on_each
from tests.kubernetes.test_doctor import quiet, run
from tests.kubernetes.test_observe import served_model
from tests.lab.controller import Controller
from tests.lab.lab import BUILD, REPOSITORY

MODELS = ["chat", "embed", "rank"]
N = 2
OBSERVE = REPOSITORY / "deploy/kubernetes/observe/role.yaml"
MOVE_ROLE = "huddle-move"
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


def may_move(cluster: ControlPlane, namespace: str) -> None:
    """Gives the user `steerer` what deploy/kubernetes says that moves take, and nothing more."""
    api, group = cluster.api, "rbac.authorization.k8s.io"
    done = cluster.kubectl("apply", "-f", str(OBSERVE))
    assert done.returncode == 0, done.stderr
    look = api.get("clusterroles", "huddle-observe")["rules"]
    look += [
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]},
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["get", "list"]},
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["get", "list"],
        },
        {"apiGroups": ["huddle.energy"], "resources": ["servedmodels/status"], "verbs": ["patch"]},
    ]
    api.allow("steerer", look, f"steerer-{namespace}")
    lease = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    rules = {
        "lease": {**lease, "verbs": ["create", "get", "update"]},
        MOVE_ROLE: {
            "apiGroups": [""],
            "resources": ["pods"],
            "verbs": ["create", "patch", "delete"],
        },
    }
    for name, rule in rules.items():
        meta = {"metadata": {"name": name}}
        api.create("roles", {**meta, "rules": [rule]}, namespace)
        subject = {"kind": "User", "apiGroup": group, "name": "steerer"}
        role = {"apiGroup": group, "kind": "Role", "name": name}
        api.create("rolebindings", {**meta, "roleRef": role, "subjects": [subject]}, namespace)


def may_no_more(api: Api, namespace: str) -> None:
    for plural in ("clusterrolebindings", "clusterroles"):
        api.delete(plural, f"steerer-{namespace}")


class Steerer:
    """A controller that may act, and what it does to the pods of a namespace."""

    def __init__(
        self,
        cluster: ControlPlane,
        namespace: str,
        folder: pathlib.Path,
        models: list[str],
        replicas: int,
    ) -> None:
        self.api, self.namespace, self.folder = cluster.api, namespace, folder
        self.models, self.replicas = models, replicas
        kubernetes: Object = {"kubeconfig": str(cluster.kubeconfig("steerer"))}
        kubernetes |= {"namespace": namespace, "lease": LEASE}
        self.controller = Controller(folder, kubernetes=kubernetes)

    def pods(self) -> list[Object]:
        return [p for name in self.models for p in of_app(self.api, self.namespace, name)]

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
        assert len(pods) == self.replicas * len(self.models)
        assert all(ready(p) and owner(p) for p in pods)
        for pod in pods:
            assert not {COST, MARK} & pod["metadata"].get("annotations", {}).keys()

    def wait_leading(self) -> None:
        def leads() -> bool:
            status = self.controller.get("clusters")["items"][0]["status"]
            return bool(status["lead"]["leads"])

        self.api.wait_for("the Lease", leads, 60)

    def plan(self) -> int:
        """The number of the plan in force; 0: none."""
        plans = self.controller.get("plans")["items"]
        return int(plans[0]["metadata"]["uid"]) if plans else 0

    def ctl(self, *words: str) -> str:
        done = subprocess.run(
            [BUILD / "huddlectl", *words],
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "HUDDLE_SERVER": f"http://127.0.0.1:{self.controller.port}",
            },
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def events(self, reason: str) -> list[str]:
        listed = self.controller.get("events")["items"]
        return [e["message"] for e in listed if e["reason"] == reason]


def spread_out(api: Api, namespace: str, nodes: list[str]) -> None:
    """The pods of all models, on six of the twelve nodes, one each."""
    for node in nodes[6:]:
        close(api, node, True)
    for name in MODELS:
        make(api, namespace, name)
    count = N * len(MODELS)

    def pods() -> list[Object]:
        return [p for name in MODELS for p in of_app(api, namespace, name)]

    def are_ready() -> bool:
        slices = api.list("endpointslices", namespace)
        ends = [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]
        return len(pods()) == len(ends) == count and all(map(ready, pods()))

    put_one_on_each(api, pods, are_ready)
    for node in nodes[6:]:
        close(api, node, False)


@contextlib.contextmanager
def steering(
    cluster: ControlPlane, namespace: str, folder: pathlib.Path, models: list[str], replicas: int
) -> collections.abc.Iterator[Steerer]:
    """Definitions, a policy and a pool that observes, and a controller that is not started yet."""
    api = cluster.api
    done = run(cluster.admin_kubeconfig, "install", "crds")
    assert done.returncode == 0, done.stderr
    api.wait_for("powerpools", lambda: api.list("powerpools") == [])
    may_move(cluster, namespace)
    steerer = Steerer(cluster, namespace, folder, models, replicas)
    try:
        api.create("powerpolicies", policy())
        api.create("powerpools", pool("observe"))
        yield steerer
    finally:
        if steerer.controller.process:
            steerer.controller.stop()
        drop_definitions(api)
        may_no_more(api, namespace)


@pytest.fixture(name="steerer")
def on_hollow_nodes(
    hollow: HollowNodes, namespace: str, tmp_path: pathlib.Path
) -> collections.abc.Iterator[Steerer]:
    quiet(hollow.cluster.api)
    with steering(hollow.cluster, namespace, tmp_path, MODELS, N) as steerer:
        spread_out(hollow.cluster.api, namespace, hollow.names)
        yield steerer


def test_pods_come_together_on_fewer_nodes(steerer: Steerer) -> None:
    api = steerer.api
    before = steerer.used()
    assert len(before) == 6
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


def test_a_pause_takes_back_what_was_begun(steerer: Steerer) -> None:
    api, before = steerer.api, {p["metadata"]["uid"] for p in steerer.pods()}
    steerer.set("powerpools", "all", mode="act")
    steerer.controller.start()
    with Watched(api, steerer.namespace, MODELS, N) as watched:
        api.wait_for("a surge", steerer.surges, 60)
        steerer.set("powerpolicies", "soon", paused=True)
        api.wait_for("the old pods", lambda: not steerer.surges() and not steerer.moves(), 60)
    watched.check()
    steerer.assert_clean()
    assert {p["metadata"]["uid"] for p in steerer.pods()} == before
    assert steerer.events("MoveAborted") and not steerer.events("Moved")


def test_what_nobody_knows_of_is_taken_back(steerer: Steerer) -> None:
    """A pod that was to take the place of one that is gone, and a move that was written down and not
    begun: as a controller leaves them that ends at the worst moments. In pools that only observe by
    now, for that is what the next one finds: it takes the Lease for them."""
    api, namespace = steerer.api, steerer.namespace
    steerer.set("powerpolicies", "soon", paused=True)
    move: Object = {"id": "0123456789", "recipe": "adopt", "node": "hollow-12", "leaderEpoch": 1}
    victim = steerer.pods()[0]["metadata"]
    move |= {"victim": victim["name"], "victimUID": victim["uid"]}
    api.patch("servedmodels", MODELS[0], {"status": {"moves": [move]}}, namespace, "status")
    annotations = {"huddle.energy/move": "i", "huddle.energy/moved-for": "plan"}
    annotations |= {"huddle.energy/replaces": "gone", "huddle.energy/replaces-pod": "chat-gone"}
    sets = api.list("replicasets", namespace)
    chat = next(s for s in sets if s["metadata"]["name"].startswith("chat-"))["metadata"]
    owner_of = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": False}
    owner_of |= {"name": chat["name"], "uid": chat["uid"]}
    meta: Object = {"name": "orphan", "labels": {"app": "chat"}, "annotations": annotations}
    meta["ownerReferences"] = [owner_of]
    spec = {"nodeName": "hollow-12", "containers": [{"name": "main", "image": "none"}]}
    api.create("pods", {"metadata": meta, "spec": spec}, namespace)
    steerer.controller.start()
    api.wait_for("no orphan", lambda: not api.find("pods", "orphan", namespace), 60)
    api.wait_for("no move", lambda: not steerer.moves(), 60)
    steerer.assert_clean()


def test_without_its_role_nothing_moves_and_the_right_is_named(steerer: Steerer) -> None:
    api, before = steerer.api, {p["metadata"]["uid"] for p in steerer.pods()}
    api.delete("rolebindings", MOVE_ROLE, steerer.namespace)
    steerer.set("powerpools", "all", mode="act")
    steerer.controller.start()
    api.wait_for("a refusal", lambda: steerer.events("MoveRefused"), 60)
    assert 'cannot create resource "pods"' in steerer.events("MoveRefused")[0]
    api.wait_for("no move", lambda: not steerer.moves(), 60)
    assert {p["metadata"]["uid"] for p in steerer.pods()} == before
    steerer.assert_clean()
