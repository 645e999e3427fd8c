"""huddlectl move on real nodes: pods with real requests move, and no request is lost; without a drain it
is refused, and forced it does lose requests."""

from __future__ import annotations

import concurrent.futures
import os
import time

from tests.kubernetes.api import Api, Object, ready
from tests.kubernetes.clients import Clients
from tests.kubernetes.cluster import deployment
from tests.kubernetes.image import SERVER
from tests.kubernetes.moving import Mover, Watched, another_node, of_app
from tests.kubernetes.node import Nodes
from tests.kubernetes.test_nodes import DRAIN, PORT, PROBE

N = 2
NAMES = ["a", "b", "c", "d"]  # all behind one Service, moved at the same time
MOVES = int(os.environ.get("HUDDLE_MOVES", "12"))  # of all together (make test-moves MOVES=200)


def make(api: Api, namespace: str, names: list[str], lifecycle: Object, args: list[str]) -> str:
    """Deployments of N pods each behind one Service; its address."""
    container = {"args": args, "readinessProbe": PROBE, "lifecycle": lifecycle}
    for name in names:
        body = deployment(name, N, SERVER, container=container)
        body["spec"]["template"]["metadata"]["labels"]["group"] = "web"
        api.create("deployments", body, namespace)
    service = {"selector": {"group": "web"}, "ports": [{"port": 80, "targetPort": PORT}]}
    made = api.create("services", {"metadata": {"name": "web"}, "spec": service}, namespace)
    api.wait_for("all endpoints", lambda: n_endpoints(api, namespace) == N * len(names))
    return str(made["spec"]["clusterIP"])


def n_endpoints(api: Api, namespace: str) -> int:
    slices = api.list("endpointslices", namespace)
    ends = [e for s in slices for e in s.get("endpoints") or []]
    return sum(bool(e["conditions"]["ready"]) for e in ends)


def move_often(mover: Mover, name: str, nodes: list[str], times: int) -> None:
    for turn in range(times):
        pod = of_app(mover.api, mover.namespace, name)[turn % N]
        node = another_node(pod, nodes, turn)
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
    each = -(-MOVES // len(NAMES))
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
