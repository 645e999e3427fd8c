"""What tests of `huddlectl move` share: a Deployment to move pods of, the program, and a look at ten
times a second at what must never happen."""

from __future__ import annotations

import collections.abc
import pathlib
import subprocess
import threading
import time

from tests.kubernetes.api import Api, Object, ready
from tests.kubernetes.cluster import ControlPlane

HUDDLECTL = pathlib.Path(__file__).parents[2] / "build/release/huddlectl"
MOVE = "huddle.energy/move"
COST = "controller.kubernetes.io/pod-deletion-cost"
BASE = "huddle.energy/replicas-before"
LEFT = {COST, BASE}  # what no pod has when its move has ended
DRAIN: Object = {"preStop": {"sleep": {"seconds": 1}}}
CLOSED = "node.kubernetes.io/unschedulable"
LIMIT_S = 120.0
SPREAD_S = 90.0


class Mover:
    """huddlectl move, as a user of the cluster runs it."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self.api, self.namespace = cluster.api, namespace
        self.words = [str(HUDDLECTL), "move", "-n", namespace]
        self.words += ["--kubeconfig", str(cluster.kubeconfig("admin"))]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.words, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": "/usr/bin:/bin"},
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        output, _ = process.communicate(timeout=LIMIT_S)
        return process.returncode, output

    def move(self, pod: str, node: str, *words: str) -> str:
        code, output = self.run(pod, "--to", node, "--settle", "500ms", *words)
        assert code == 0, output
        return output

    def refused(self, pod: str, node: str, reason: str, *words: str) -> str:
        before = {p["metadata"]["uid"] for p in self.api.list("pods", self.namespace)}
        for dry in ((), ("--dry-run",)):
            code, output = self.run(pod, "--to", node, "--settle", "500ms", *words, *dry)
            assert code == 1 and reason in output, output
        assert {p["metadata"]["uid"] for p in self.api.list("pods", self.namespace)} == before
        return output


def of_app(api: Api, namespace: str, name: str) -> list[Object]:
    pods = api.list("pods", namespace, labelSelector=f"app={name}")
    return [p for p in pods if "deletionTimestamp" not in p["metadata"]]


def owner(pod: Object) -> str:
    owners = pod["metadata"].get("ownerReferences", [])
    return next((str(o["uid"]) for o in owners if o.get("controller")), "")


def put_one_on_each(
    api: Api,
    pods: collections.abc.Callable[[], list[Object]],
    are_ready: collections.abc.Callable[[], bool],
) -> None:
    """Waits for the pods, then sends those that share a node to nodes of their own: the scheduler
    only prefers to spread them."""
    api.wait_for("pods", are_ready, SPREAD_S)
    while True:
        first: dict[str, Object] = {}
        shares = [p for p in pods() if first.setdefault(p["spec"]["nodeName"], p) is not p]
        if not shares:
            return
        for node in first:
            close(api, node, True)
        second = shares[0]["metadata"]
        api.delete("pods", second["name"], second["namespace"], gracePeriodSeconds=0)
        api.wait_for("the pod elsewhere", are_ready, SPREAD_S)
        for node in first:
            close(api, node, False)


def close(api: Api, node: str, closed: bool) -> None:
    """Closes or opens a node for the scheduler, and waits until it is so."""
    api.patch("nodes", node, {"spec": {"unschedulable": closed or None}})

    def is_so() -> bool:
        taints = api.get("nodes", node)["spec"].get("taints", [])
        return any(t["key"] == CLOSED for t in taints) == closed

    api.wait_for("the taint of a closed node to come or go", is_so)


def another_node(pod: Object, nodes: list[str], turn: int = 0) -> str:
    others = [n for n in nodes if n != pod["spec"]["nodeName"]]
    return others[turn % len(others)]


class Watched:
    """Looks ten times a second at the pods of some workloads (`plural`) of n replicas each, that move
    by adoption, or by one more replica (`stands_in`)."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        names: list[str],
        replicas: int,
        plural: str = "deployments",
        stands_in: bool = False,
    ) -> None:
        self.api, self.namespace, self.names, self.replicas = api, namespace, names, replicas
        self.plural, self.stands_in = plural, stands_in
        self.problem: Exception | None = None
        self.looks = 0
        self.least_ready = self.least_endpoints = replicas
        self.most_pods = self.most_surges = 0
        self.twins: list[str] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watched:
        self.generations = self._generations()
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ending.set()
        self._thread.join()

    def _generations(self) -> list[int]:
        return [
            self.api.get(self.plural, n, self.namespace)["metadata"]["generation"]
            for n in self.names
        ]

    def _run(self) -> None:
        try:
            self._watch()
        except Exception as problem:  # it would be lost with the thread
            self.problem = problem

    def _watch(self) -> None:
        while not self._ending.is_set():
            begin = time.monotonic()
            pods = self.api.list("pods", self.namespace)
            slices = self.api.list("endpointslices", self.namespace)
            for name in self.names:
                self._look(
                    name, [p for p in pods if p["metadata"].get("labels", {}).get("app") == name]
                )
                self._count(name, slices)
            self.looks += 1
            time.sleep(max(0.0, 0.1 - (time.monotonic() - begin)))

    def _look(self, name: str, pods: list[Object]) -> None:
        alive = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
        surges = [p for p in alive if not owner(p)]
        moves = [p["metadata"]["annotations"][MOVE] for p in surges]
        self.least_ready = min(self.least_ready, sum(ready(p) for p in alive))
        self.most_pods = max(self.most_pods, len(alive))
        self.most_surges = max(self.most_surges, len(surges))
        self.twins += [m for m in moves if moves.count(m) > 1]

    def _count(self, name: str, slices: list[Object]) -> None:
        ends = [e for s in slices for e in s.get("endpoints") or []]
        pods = [e for e in ends if e.get("targetRef", {}).get("name", "").startswith(f"{name}-")]
        n = sum(bool(e["conditions"].get("ready")) for e in pods)
        self.least_endpoints = min(self.least_endpoints, n)

    def check(self) -> None:
        """Nothing happened that must not, and nothing is left."""
        assert not self.problem, self.problem
        assert self.looks > 5
        assert self.least_ready >= self.replicas
        assert self.least_endpoints >= self.replicas
        assert self.most_pods <= self.replicas + 1
        assert self.most_surges <= (not self.stands_in) and not self.twins
        if not self.stands_in:
            assert self._generations() == self.generations
        for name in self.names:
            spec = self.api.get(self.plural, name, self.namespace)["spec"]
            assert spec["replicas"] == self.replicas
            alive = of_app(self.api, self.namespace, name)
            assert len(alive) == self.replicas
            assert all(owner(p) for p in alive)
            assert not [p for p in alive if LEFT & p["metadata"].get("annotations", {}).keys()]
