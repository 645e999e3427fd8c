"""Controllers that move pods are killed at their calls of the API, before the server has the call or after it
is committed and before they know; one is stopped for longer than its Lease and goes on. Whoever leads next
has nothing but the objects, and ends what was begun.

`make test` samples: each kind of call once. HUDDLE_CRASHES=all: each before and after, for every recipe.
"""

from __future__ import annotations

import collections.abc
import os
import pathlib
import shutil
import signal
import threading
import time

import pytest

from tests.kubernetes.api import Api, Object, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.fault_proxy import AFTER, BEFORE, FaultProxy, Moment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import DRAIN, Watched, of_app
from tests.kubernetes.test_doctor import quiet
from tests.kubernetes.test_stand_in import may_scale_alone, only
from tests.kubernetes.test_steer import Steerer, steering
from tests.lab.controller import Controller

ALL = os.environ.get("HUDDLE_CRASHES") == "all"
NAME, N = "web", 2
TERMS = {"duration": "4s", "renewDeadline": "2600ms", "retryPeriod": "400ms"}
RECIPES = {"adopt": "deployments", "surge-evict-shrink": "deployments", "borrow": "statefulsets"}
LONG_S = 600.0 if ALL else 240.0


class Replica:
    """One controller, behind a proxy of its own."""

    def __init__(
        self,
        cluster: ControlPlane,
        namespace: str,
        folder: pathlib.Path,
        at: collections.abc.Callable[[Replica, Moment], bool],
    ) -> None:
        folder.mkdir()
        self.folder = folder
        self.proxy = FaultProxy(cluster, "steerer", lambda moment: at(self, moment))
        kubernetes: Object = {"kubeconfig": str(self.proxy.kubeconfig)}
        kubernetes |= {"namespace": namespace, "lease": TERMS}
        self.controller = Controller(folder, kubernetes=kubernetes)

    def start(self) -> None:
        """With an empty store."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        self.controller.start()

    def signal(self, how: signal.Signals) -> None:
        if self.controller.process:
            self.controller.process.send_signal(how)

    def is_dead(self) -> bool:
        process = self.controller.process
        return not process or process.poll() is not None

    def leads(self) -> bool:
        return bool(self.controller.get("clusters")["items"][0]["status"]["lead"]["leads"])

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        if self.controller.process:
            self.controller.stop(signal.SIGKILL)
        self.proxy.close()


class Crashes:
    """Which call ends the controller that makes it: each moment once; the first one stops it only."""

    def __init__(self, wanted: collections.abc.Callable[[int, str], bool]) -> None:
        self.wanted = wanted
        self.kinds: list[str] = []  # of calls, in the order in which they were first made
        self.moments: list[Moment] = []  # that crashed
        self.stopped: Replica | None = None
        self.go_on = threading.Event()
        self._lock = threading.Lock()

    def at(self, replica: Replica, moment: Moment) -> bool:
        what, when = moment
        with self._lock:
            if what not in self.kinds:
                self.kinds.append(what)
            if replica.is_dead() or replica is self.stopped or moment in self.moments:
                return False
            if not self.wanted(self.kinds.index(what), when):
                return False
            self.moments.append(moment)
            if self.stopped:
                replica.signal(signal.SIGKILL)
                return True
            self.stopped = replica
            replica.signal(signal.SIGSTOP)
        self.go_on.wait(LONG_S)  # it has its answer when it goes on
        return False


def make(api: Api, namespace: str, nodes: list[str], plural: str) -> None:
    """A workload with a pod on each of N nodes, and its model."""
    container: Object = {"lifecycle": DRAIN}
    container["resources"] = {"requests": {"cpu": "100m", "memory": "100Mi"}}
    more = {"serviceName": NAME} if plural == "statefulsets" else {}
    spec = {"terminationGracePeriodSeconds": 8}
    body = deployment(NAME, 0, pod=spec, container=container, **more)
    api.create(plural, body, namespace)
    service = {"selector": {"app": NAME}, "ports": [{"port": 80}]}
    api.create("services", {"metadata": {"name": NAME}, "spec": service}, namespace)
    for n in range(1, N + 1):
        with only(api, nodes, {nodes[n - 1]}):
            api.patch(plural, NAME, {"spec": {"replicas": n}}, namespace)
            api.wait_for(f"{n} pods", lambda: are_ready(api, namespace, n), 90)
    kind = {"deployments": "Deployment", "statefulsets": "StatefulSet"}[plural]
    ref = {"apiVersion": "apps/v1", "kind": kind, "name": NAME}
    api.create("servedmodels", {"metadata": {"name": NAME}, "spec": {"targetRef": ref}}, namespace)


def are_ready(api: Api, namespace: str, n: int) -> bool:
    ends = [e for s in api.list("endpointslices", namespace) for e in s.get("endpoints") or []]
    pods = of_app(api, namespace, NAME)
    return len(pods) == n == sum(bool(e["conditions"]["ready"]) for e in ends) and all(
        map(ready, pods)
    )


@pytest.fixture(name="steerer")
def _steerer(
    hollow: HollowNodes, namespace: str, tmp_path: pathlib.Path
) -> collections.abc.Iterator[Steerer]:
    quiet(hollow.cluster.api)
    with steering(hollow.cluster, namespace, tmp_path, [NAME], N) as steerer:
        yield steerer


def move_all(steerer: Steerer, replicas: list[Replica], crashes: Crashes) -> None:
    """Until the pods are together on one node; whoever was killed is started again."""
    end = time.monotonic() + LONG_S
    while len(steerer.used()) > 1 or steerer.surges() or steerer.moves() or len(steerer.pods()) > N:
        assert time.monotonic() < end, (crashes.moments, crashes.kinds)
        for replica in replicas:
            if replica.is_dead():
                replica.start()
        time.sleep(0.1)


@pytest.mark.parametrize("recipe", RECIPES if ALL else ["adopt"])
def test_killed_at_its_calls(
    hollow: HollowNodes, steerer: Steerer, tmp_path: pathlib.Path, recipe: str
) -> None:
    api, namespace, plural = steerer.api, steerer.namespace, RECIPES[recipe]
    stands_in = recipe != "adopt"
    if stands_in:
        may_scale_alone(hollow.cluster, namespace)
    make(api, namespace, hollow.names, plural)
    assert len(steerer.used()) == N
    crashes = Crashes(lambda i, when: ALL or when == (AFTER, BEFORE)[i % 2])
    replicas = [Replica(hollow.cluster, namespace, tmp_path / name, crashes.at) for name in "abc"]
    try:
        with Watched(api, namespace, [NAME], N, plural, stands_in) as watched:
            steerer.set("powerpools", "all", mode="act")
            move_all(steerer, replicas, crashes)
            stopped = crashes.stopped
            assert stopped and not stopped.is_dead()
            before = {p["metadata"]["uid"] for p in steerer.pods()}
            stopped.signal(signal.SIGCONT)
            crashes.go_on.set()
            api.wait_for("that it knows that another leads", lambda: not stopped.leads())
            assert {p["metadata"]["uid"] for p in steerer.pods()} == before
        watched.check()
        steerer.assert_clean()
        assert not steerer.surges() and not steerer.moves()
    finally:
        crashes.go_on.set()
        for replica in replicas:
            replica.end()
    print("\n".join(f"{when} {what}" for what, when in crashes.moments))
    assert {what for what, _ in crashes.moments} == set(crashes.kinds)
    assert len(crashes.kinds) >= 4
