"""huddlectl move on real nodes: pods with real requests move, and no request is lost; without a drain it
is refused, and forced it does lose requests."""

from __future__ import annotations

import collections.abc
import concurrent.futures
import os
import time

import pytest

from tests.kubernetes.api import Api, Object, ready
from tests.kubernetes.clients import Clients
from tests.kubernetes.cluster import deployment
from tests.kubernetes.image import SERVER
from tests.kubernetes.moving import Mover, Watched, another_node, of_app
from tests.kubernetes.node import Nodes
from tests.kubernetes.test_nodes import DRAIN, PORT, PROBE, answers
from tests.kubernetes.test_stand_in import may_scale_alone
from tests.kubernetes.test_steer import may_move, may_no_more

N = 2
NAMES = ["a", "b", "c", "d"]  # all behind one Service, moved at the same time
MOVES = int(os.environ.get("HUDDLE_MOVES", "0"))  # of each recipe (make test-moves MOVES=200)


def make(
    api: Api,
    namespace: str,
    names: list[str],
    lifecycle: Object,
    args: list[str],
    plural: str = "deployments",
) -> str:
    """Workloads of N pods each behind one Service; its address."""
    container = {"args": args, "readinessProbe": PROBE, "lifecycle": lifecycle}
    for name in names:
        more = {"serviceName": "web"} if plural == "statefulsets" else {}
        body = deployment(name, N, SERVER, container=container, **more)
        body["spec"]["template"]["metadata"]["labels"]["group"] = "web"
        api.create(plural, body, namespace)
    service = {"selector": {"group": "web"}, "ports": [{"port": 80, "targetPort": PORT}]}
    made = api.create("services", {"metadata": {"name": "web"}, "spec": service}, namespace)
    api.wait_for("all endpoints", lambda: n_endpoints(api, namespace) == N * len(names))
    address = str(made["spec"]["clusterIP"])
    api.wait_for("an answer through the Service", lambda: answers(address))
    return address


def n_endpoints(api: Api, namespace: str) -> int:
    slices = api.list("endpointslices", namespace)
    ends = [e for s in slices for e in s.get("endpoints") or []]
    return sum(bool(e["conditions"]["ready"]) for e in ends)


def move_often(mover: Mover, name: str, nodes: list[str], times: int) -> None:
    for turn in range(times):
        pod = of_app(mover.api, mover.namespace, name)[turn % N]
        move(mover, pod, another_node(pod, nodes, turn))


def move(mover: Mover, pod: Object, node: str) -> None:
    while True:
        code, output = mover.run(pod["metadata"]["name"], "--to", node, "--settle", "1s")
        if "not-ready" not in output:  # a kubelet that got no CPU for too long
            break
        mover.api.wait_for("the node is back", lambda: ready(mover.api.get("nodes", node)))
    assert code == 0 and "moved: pod/" in output, output


def test_moves_lose_no_request(real: Nodes, real_namespace: str) -> None:
    api, mover = real.cluster.api, Mover(real.cluster, real_namespace)
    address = make(api, real_namespace, NAMES, DRAIN, [str(PORT)])
    nodes = list(real.nodes)
    each = -(-(MOVES or 12) // len(NAMES))
    begin = time.monotonic()
    with Clients(address, keeping=3, fresh=3, streaming=2) as clients:
        clients.more(50)
        with Watched(api, real_namespace, NAMES, N) as watched:
            with concurrent.futures.ThreadPoolExecutor(len(NAMES)) as pool:
                list(pool.map(lambda name: move_often(mover, name, nodes, each), NAMES))
        clients.more(50)
    print(
        f"{each * len(NAMES)} moves in {time.monotonic() - begin:.0f} s, {clients.total} requests,"
    )
    print(f"{clients.streams} streams, {len(clients.failures)} failed; {watched.looks} looks")
    assert clients.failures == []
    assert clients.total > 1000 and clients.streams > 5
    watched.check()


def is_settled(api: Api, namespace: str, name: str) -> bool:
    pods = api.list("pods", namespace, labelSelector=f"app={name}")
    return len(pods) == N and all(map(ready, pods))


def empty(mover: Mover, node: str, nodes: list[str]) -> int:
    """Moves all pods away from a node that takes no new ones, those of different workloads at the same
    time; how many."""
    api = mover.api
    api.patch("nodes", node, {"spec": {"unschedulable": True}})

    def leave(name: str) -> int:
        pods = of_app(api, mover.namespace, name)
        leaving = [p for p in pods if p["spec"]["nodeName"] == node]
        for pod in leaving:
            # While one is being deleted no other is moved.
            api.wait_for("no other pods", lambda: is_settled(api, mover.namespace, name))
            move(mover, pod, another_node(pod, nodes))
        return len(leaving)

    try:
        with concurrent.futures.ThreadPoolExecutor(len(NAMES)) as pool:
            moved = sum(pool.map(leave, NAMES))
        pods = api.list("pods", mover.namespace)
        assert node not in {p["spec"].get("nodeName") for p in pods if ready(p)}
        return moved
    finally:
        api.patch("nodes", node, {"spec": {"unschedulable": None}})


@pytest.fixture(name="scaler")
def _scaler(real: Nodes, real_namespace: str) -> collections.abc.Iterator[Mover]:
    """A person who may make no pods, and may write `replicas`."""
    may_move(real.cluster, real_namespace)
    may_scale_alone(real.cluster, real_namespace)
    mover = Mover(real.cluster, real_namespace)
    mover.words[-1] = str(real.cluster.kubeconfig("steerer"))
    yield mover
    may_no_more(real.cluster.api, real_namespace)


@pytest.mark.parametrize(
    "recipe, plural", [("surge-evict-shrink", "deployments"), ("borrow", "statefulsets")]
)
def test_stand_ins_lose_no_request(
    real: Nodes, real_namespace: str, scaler: Mover, recipe: str, plural: str
) -> None:
    """Nodes are emptied one after the other, by one more replica for each pod that leaves."""
    api, nodes = real.cluster.api, list(real.nodes)
    address = make(api, real_namespace, NAMES, DRAIN, [str(PORT)], plural)
    begin, moved, turn = time.monotonic(), 0, 0
    with Clients(address, keeping=3, fresh=3, streaming=2) as clients:
        clients.more(50)
        with Watched(api, real_namespace, NAMES, N, plural, stands_in=True) as watched:
            while moved < (MOVES or 4):
                moved += empty(scaler, nodes[turn % len(nodes)], nodes)
                turn += 1
        clients.more(50)
    print(f"{recipe}: {moved} moves in {time.monotonic() - begin:.0f} s, {clients.total} requests,")
    print(f"{clients.streams} streams, {len(clients.failures)} failed; {watched.looks} looks")
    assert clients.failures == []
    assert clients.total > 1000 and clients.streams > 5
    watched.check()


def test_without_a_drain_it_is_refused_and_forced_it_loses_requests(
    real: Nodes, real_namespace: str
) -> None:
    """What makes the test above one that can fail."""
    api, mover = real.cluster.api, Mover(real.cluster, real_namespace)
    address = make(api, real_namespace, ["a"], {}, [str(PORT), "0"])
    nodes = list(real.nodes)
    pod = of_app(api, real_namespace, "a")[0]
    mover.refused(pod["metadata"]["name"], another_node(pod, nodes), "NoPreStop")
    with Clients(address, keeping=3, fresh=3, streaming=3) as clients:
        clients.more(50)
        for turn in range(4):
            pod = of_app(api, real_namespace, "a")[0]
            mover.move(
                pod["metadata"]["name"], another_node(pod, nodes, turn), "--acknowledge-drain"
            )
        clients.more(50)
    assert clients.failures
