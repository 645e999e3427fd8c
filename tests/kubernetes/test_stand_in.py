"""Pods move by one more replica that stands in, where huddle may write `replicas` and may make no pods: a
Deployment's by surge-evict-shrink, a StatefulSet's by borrowing an ordinal; whoever does it may be killed."""

from __future__ import annotations

import collections.abc
import contextlib
import pathlib
import shutil
import signal
import threading
import time

import pytest

from tests.kubernetes.api import Api, ApiError, Object, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import BASE, DRAIN, LEFT, Mover, of_app, owner
from tests.kubernetes.test_doctor import quiet
from tests.kubernetes.test_steer import MOVE_ROLE, Steerer, may_move, may_no_more, steering
from tests.lab.lab import REPOSITORY

N = 2
WEB, DB = "web", "db"
SCALE = REPOSITORY / "deploy/kubernetes/move/scale.yaml"


def make(api: Api, namespace: str) -> None:
    """A Deployment and a StatefulSet of N pods each, behind Services."""
    container: Object = {"lifecycle": DRAIN}
    container["resources"] = {"requests": {"cpu": "100m", "memory": "100Mi"}}
    pod = {"terminationGracePeriodSeconds": 8}
    for name, plural in ((WEB, "deployments"), (DB, "statefulsets")):
        more = {"serviceName": name} if name == DB else {}
        api.create(plural, deployment(name, N, pod=pod, container=container, **more), namespace)
        service = {"selector": {"app": name}, "ports": [{"port": 80}]}
        api.create("services", {"metadata": {"name": name}, "spec": service}, namespace)
    api.wait_for("pods Ready", lambda: is_whole(api, namespace), 90)


def is_whole(api: Api, namespace: str) -> bool:
    slices = api.list("endpointslices", namespace)
    ends = [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]
    pods = [p for name in (WEB, DB) for p in of_app(api, namespace, name)]
    return len(pods) == len(ends) == 2 * N and all(map(ready, pods))


def may_scale_alone(cluster: ControlPlane, namespace: str) -> None:
    """The user `steerer` has what deploy/kubernetes says that these moves take; it may make no pods."""
    api, group = cluster.api, "rbac.authorization.k8s.io"
    api.delete("rolebindings", MOVE_ROLE, namespace)
    done = cluster.kubectl("apply", "-n", namespace, "-f", str(SCALE))
    assert done.returncode == 0, done.stderr
    body = {"subjects": [{"kind": "User", "apiGroup": group, "name": "steerer"}]}
    api.patch("rolebindings", "huddle-scale", body, namespace)
    look = api.get("clusterroles", f"steerer-{namespace}")["rules"]
    look.append(
        {
            "apiGroups": ["autoscaling"],
            "resources": ["horizontalpodautoscalers"],
            "verbs": ["get", "list"],
        }
    )
    look.append({"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]})
    api.patch("clusterroles", f"steerer-{namespace}", {"rules": look})


class Watched:
    """Looks ten times a second at what must never happen."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.looks, self.least, self.most = 0, N, 0
        self.problem: Exception | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._watch()
        except Exception as problem:  # it would be lost with the thread
            self.problem = problem

    def _watch(self) -> None:
        while not self._ending.is_set():
            pods = self.api.list("pods", self.namespace)
            for name in (WEB, DB):
                mine = [p for p in pods if p["metadata"]["labels"]["app"] == name]
                alive = [p for p in mine if "deletionTimestamp" not in p["metadata"]]
                self.least = min(self.least, sum(map(ready, alive)))
                self.most = max(self.most, len(alive))
            self.looks += 1
            time.sleep(0.1)

    def check(self) -> None:
        """Never fewer ready pods than before, never two more; nothing is left."""
        assert not self.problem, self.problem
        assert self.looks > 5 and self.least >= N and self.most <= N + 1
        api, namespace = self.api, self.namespace
        api.wait_for("as many pods as before", lambda: is_whole(api, namespace), 60)
        assert api.get("deployments", WEB, namespace)["spec"]["replicas"] == N
        assert api.get("statefulsets", DB, namespace)["spec"]["replicas"] == N
        for pod in of_app(api, namespace, WEB) + of_app(api, namespace, DB):
            assert owner(pod) and not LEFT & pod["metadata"].get("annotations", {}).keys()


@contextlib.contextmanager
def only(api: Api, nodes: list[str], open_: set[str]) -> collections.abc.Iterator[None]:
    """The scheduler has no other nodes than these."""
    for node in nodes:
        api.patch("nodes", node, {"spec": {"unschedulable": node not in open_ or None}})
    try:
        yield
    finally:
        for node in nodes:
            api.patch("nodes", node, {"spec": {"unschedulable": None}})


@pytest.fixture(name="mover")
def _mover(hollow: HollowNodes, namespace: str) -> collections.abc.Iterator[Mover]:
    may_move(hollow.cluster, namespace)
    may_scale_alone(hollow.cluster, namespace)
    mover = Mover(hollow.cluster, namespace)
    mover.words[-1] = str(hollow.cluster.kubeconfig("steerer"))
    yield mover
    may_no_more(hollow.cluster.api, namespace)


def test_by_hand_and_killed_at_each_step(hollow: HollowNodes, namespace: str, mover: Mover) -> None:
    """No pod may be made: what adoption would need is refused, and a replica more is not."""
    api = hollow.cluster.api
    with only(api, hollow.names, set(hollow.names[:4])):
        make(api, namespace)
    target = hollow.names[5]
    with pytest.raises(ApiError):
        hollow.cluster.as_user("steerer").create("pods", {"metadata": {"name": "x"}}, namespace)
    web = of_app(api, namespace, WEB)[0]["metadata"]
    with only(api, hollow.names, {target}), Watched(api, namespace) as watched:
        for pod, words in (
            (web["name"], ["marked as part", "scaled deployment/web to 3", "evicted pod/"]),
            ("db-0", ["scaled statefulset/db to 3", "evicted pod/db-0"]),
        ):
            order = [pod, "--to", target, "--settle", "500ms"]
            for word in words:
                kill_at(mover, order, word)
            code, output = mover.run(*order)
            assert code == 0 or "AlreadyThere" in output, output
        api.wait_for("both there", lambda: there(api, namespace, target) == {WEB, DB}, 60)
    watched.check()
    by_deletion_cost(hollow, namespace, mover)
    left = {p["metadata"]["uid"] for p in of_app(api, namespace, WEB)}
    assert web["uid"] not in left


def by_deletion_cost(hollow: HollowNodes, namespace: str, mover: Mover) -> None:
    """Nor may a pod be evicted: its ReplicaSet deletes the one that is marked."""
    api, target = hollow.cluster.api, hollow.names[6]
    rules = api.get("roles", "huddle-scale", namespace)["rules"]
    rules = [r for r in rules if r["resources"] != ["pods/eviction"]]
    api.patch("roles", "huddle-scale", {"rules": rules}, namespace)
    pod = of_app(api, namespace, WEB)[0]["metadata"]
    order = [pod["name"], "--to", target, "--settle", "500ms"]
    with only(api, hollow.names, {target}), Watched(api, namespace) as watched:
        kill_at(mover, order, "not by an eviction")
        kill_at(mover, order, "marked as the cheapest")
        code, output = mover.run(*order)
        assert code == 0, output
    watched.check()
    assert pod["uid"] not in {p["metadata"]["uid"] for p in of_app(api, namespace, WEB)}
    code, output = mover.run(
        "db-1", "--to", hollow.names[7], "--settle", "500ms", "--deadline", "9s"
    )
    assert code == 1 and "EvictionRefused" in output, output
    watched.check()


def kill_at(mover: Mover, order: list[str], word: str) -> None:
    process = mover.start(*order)
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            break
    else:
        raise AssertionError(f"no {word!r} in {lines}")
    process.kill()
    process.communicate()


def there(api: Api, namespace: str, node: str) -> set[str]:
    pods = [p for name in (WEB, DB) for p in of_app(api, namespace, name)]
    return {p["metadata"]["labels"]["app"] for p in pods if p["spec"].get("nodeName") == node}


@pytest.fixture(name="steerer")
def _steerer(
    hollow: HollowNodes, namespace: str, tmp_path: pathlib.Path
) -> collections.abc.Iterator[Steerer]:
    api = hollow.cluster.api
    quiet(api)
    with steering(hollow.cluster, namespace, tmp_path, [WEB, DB], N) as steerer:
        may_scale_alone(hollow.cluster, namespace)
        with only(api, hollow.names, set(hollow.names[:2])):
            make(api, namespace)
            for name, kind in ((WEB, "Deployment"), (DB, "StatefulSet")):
                ref = {"apiVersion": "apps/v1", "kind": kind, "name": name}
                api.create(
                    "servedmodels",
                    {"metadata": {"name": name}, "spec": {"targetRef": ref}},
                    namespace,
                )
            yield steerer


def test_a_controller_brings_them_together(steerer: Steerer) -> None:
    """From two nodes to one, and killed, store and all, while it scales."""
    api, namespace = steerer.api, steerer.namespace
    assert len(steerer.used()) == 2
    steerer.set("powerpools", "all", mode="act")
    with Watched(api, namespace) as watched:
        steerer.controller.start()
        api.wait_for("a pod more", lambda: len(steerer.pods()) > 2 * N, 120)
        steerer.controller.stop(signal.SIGKILL)
        shutil.rmtree(steerer.folder / "state")
        steerer.controller.start()
        steerer.wait_consolidated(1)
    watched.check()
    assert steerer.events("Moved")
    api.wait_for("nothing is said of it any more", lambda: not marks(api, namespace), 60)


def test_what_nobody_sees_to_is_taken_back(steerer: Steerer, hollow: HollowNodes) -> None:
    """`huddlectl move` is killed, and of no model: a controller takes the replica back, by what the Deployment
    tells. What a pod says by itself takes no replica away."""
    api, namespace = steerer.api, steerer.namespace
    mover = Mover(hollow.cluster, namespace)
    mover.words[-1] = str(hollow.cluster.kubeconfig("steerer"))
    for name in (WEB, DB):
        api.delete("servedmodels", name, namespace)
    target = hollow.names[5]
    with only(api, hollow.names, {target}):
        pod = of_app(api, namespace, WEB)[0]["metadata"]["name"]
        order = [pod, "--to", target, "--settle", "2s", "--deadline", "3s"]
        kill_at(mover, order, "scaled deployment/web to 3")
    forged = {BASE: str(N - 1), "huddle.energy/stand-in-deadline": "2020-01-01T00:00:00Z"}
    api.patch("pods", "db-1", {"metadata": {"annotations": forged}}, namespace)
    assert api.get("deployments", WEB, namespace)["spec"]["replicas"] == N + 1
    steerer.set("powerpools", "all", mode="act")
    with Watched(api, namespace) as watched:
        steerer.controller.start()
        api.wait_for("what stands there is gone", lambda: not marks(api, namespace), 60)
    watched.check()


def marks(api: Api, namespace: str) -> set[str]:
    pods = of_app(api, namespace, WEB) + of_app(api, namespace, DB)
    keys = {k for p in pods for k in p["metadata"].get("annotations", {})}
    return {k for k in keys if k.startswith("huddle.energy/")}
