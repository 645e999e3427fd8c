"""huddle-controller consolidates on real nodes: pods with real requests come together on one node, and no
request is lost; what would lose some is not moved, and huddle says so."""

from __future__ import annotations

import pathlib
import time

from tests.kubernetes.clients import Clients
from tests.kubernetes.moving import Mover, Watched, of_app, owner
from tests.kubernetes.node import Nodes
from tests.kubernetes.test_move_real import N, make
from tests.kubernetes.test_nodes import DRAIN, PORT
from tests.kubernetes.test_observe import served_model
from tests.kubernetes.test_steer import Steerer, steering

NAMES = ["a", "b"]
ROUNDS = 3


def scatter(steerer: Steerer, mover: Mover, nodes: list[str]) -> None:
    """By hand, while nothing acts: the first pods of the models to nodes of their own."""
    for i, name in enumerate(NAMES):
        pod = of_app(steerer.api, steerer.namespace, name)[0]
        others = [n for n in nodes if n != pod["spec"]["nodeName"]]
        mover.move(pod["metadata"]["name"], others[i % len(others)])


def test_consolidation_loses_no_request(
    real: Nodes, real_namespace: str, tmp_path: pathlib.Path
) -> None:
    api, mover = real.cluster.api, Mover(real.cluster, real_namespace)
    address = make(api, real_namespace, NAMES, DRAIN, [str(PORT)])
    with steering(real.cluster, real_namespace, tmp_path, NAMES, N) as steerer:
        for name in NAMES:
            api.create("servedmodels", served_model(name), real_namespace)
        steerer.controller.start()
        with Clients(address, keeping=3, fresh=3, streaming=2) as clients:
            clients.more(50)
            with Watched(api, real_namespace, NAMES, N) as watched:
                for _ in range(ROUNDS):
                    scatter(steerer, mover, list(real.nodes))
                    assert len(steerer.used()) > 1
                    steerer.set("powerpools", "all", mode="act")
                    steerer.wait_consolidated(1)
                    steerer.set("powerpools", "all", mode="observe")
            clients.more(50)
        moved = len(steerer.events("Moved"))
        print(f"{moved} moves, {clients.total} requests, {clients.streams} streams")
        assert clients.failures == []
        assert moved >= ROUNDS and clients.total > 1000 and clients.streams > 5
        watched.check()
        steerer.assert_clean()


def test_what_would_lose_requests_is_not_moved(
    real: Nodes, real_namespace: str, tmp_path: pathlib.Path
) -> None:
    api = real.cluster.api
    make(api, real_namespace, NAMES, {}, [str(PORT), "0"])
    with steering(real.cluster, real_namespace, tmp_path, NAMES, N) as steerer:
        for name in NAMES:
            api.create("servedmodels", served_model(name), real_namespace)
        before = {p["metadata"]["uid"] for p in steerer.pods()}
        steerer.set("powerpools", "all", mode="act")
        steerer.controller.start()
        steerer.wait_leading()
        first = steerer.plan()
        api.wait_for("three more plans", lambda: steerer.plan() >= first + 3, 120)
        time.sleep(2)
        assert {p["metadata"]["uid"] for p in steerer.pods()} == before
        assert all(owner(p) for p in steerer.pods()) and not steerer.moves()
        assert "no preStop hook" in steerer.ctl("explain", "model", f"a.{real_namespace}")
        node = sorted(steerer.used())[0]
        assert "no preStop hook" in steerer.ctl("explain", "node", node)
