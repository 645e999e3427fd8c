"""Real nodes: pods truly run, are reached through a Service, and a change loses requests or does not,
as the pods' drain has it."""

from __future__ import annotations

import collections.abc
import http.client
import json
import subprocess
import time
import typing

from tests.kubernetes.api import Object, ready
from tests.kubernetes.clients import Clients
from tests.kubernetes.cluster import SERVICE_OF_API, deployment
from tests.kubernetes.image import CLASSIFIER, SERVER
from tests.kubernetes.node import Nodes

PORT = 8080
PROBE: Object = {
    "httpGet": {"path": "/healthz", "port": PORT},
    "periodSeconds": 1,
    "timeoutSeconds": 5,
}
DRAIN: Object = {"preStop": {"sleep": {"seconds": 3}}}  # until nobody sends new connections


def answers(address: str) -> bool:
    """Does a Service? Proxies know it some time after it has endpoints."""
    connection = http.client.HTTPConnection(address, 80, timeout=5)
    connection.request("GET", "/healthz")
    return connection.getresponse().status == 200


class Web:
    """A Deployment of pod_server behind a Service, all its pods Ready."""

    def __init__(
        self,
        nodes: Nodes,
        namespace: str,
        replicas: int,
        image: str = SERVER,
        args: collections.abc.Sequence[str] = (str(PORT),),
        lifecycle: Object | None = None,
    ) -> None:
        self.nodes, self.namespace, self.replicas = nodes, namespace, replicas
        self.api = nodes.cluster.api
        container = {"args": list(args), "readinessProbe": PROBE, "lifecycle": lifecycle or {}}
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
        body = deployment(
            "web",
            replicas,
            image,
            pod={"topologySpreadConstraints": [spread]},
            container=container,
            strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        )
        self.api.create("deployments", body, namespace)
        service = {
            "selector": {"app": "web"},
            "ports": [{"port": 80, "targetPort": PORT}],
        }
        made = self.api.create(
            "services", {"metadata": {"name": "web"}, "spec": service}, namespace
        )
        self.address: str = made["spec"]["clusterIP"]
        self.wait_ready()

    def pods(self) -> list[Object]:
        return [p for p in self.api.list("pods", self.namespace) if ready(p)]

    def wait_ready(self, limit_s: float = 60.0) -> None:
        self.api.wait_for("pods Ready", lambda: len(self.pods()) == self.replicas, limit_s)
        self.api.wait_for("an answer through the Service", lambda: answers(self.address))

    def restart(self) -> None:
        """A rolling change; returns when all its pods are new and the old ones gone."""
        old = {p["metadata"]["uid"] for p in self.api.list("pods", self.namespace)}
        template = {"metadata": {"annotations": {"turn": str(time.monotonic_ns())}}}
        self.api.patch("deployments", "web", {"spec": {"template": template}}, self.namespace)

        def replaced() -> bool:
            pods = self.api.list("pods", self.namespace)
            return (
                len(pods) == self.replicas
                and all(ready(p) for p in pods)
                and not old & {p["metadata"]["uid"] for p in pods}
            )

        self.api.wait_for("all pods replaced", replaced, 120)


def test_every_pod_answers_through_the_service(real: Nodes, real_namespace: str) -> None:
    web = Web(real, real_namespace, 6)
    assert {p["spec"]["nodeName"] for p in web.pods()} == set(real.nodes)
    names = {p["metadata"]["name"] for p in web.pods()}
    with Clients(web.address) as clients:
        web.api.wait_for("an answer of every pod", lambda: clients.answered.keys() == names)
    assert not clients.failures
    assert [len(real.pids("server", name)) for name in real.nodes] == [2, 2, 2]


def test_pod_reaches_the_api_by_its_service(real: Nodes, real_namespace: str) -> None:
    Web(real, real_namespace, 1)
    (pid,) = real.pids("server")
    url = f"https://{SERVICE_OF_API}/version"
    done = subprocess.run(
        ["nsenter", "--target", str(pid), "--net", "curl", "-sS", "--max-time", "10"]
        + ["--cacert", str(real.cluster.pki.ca), url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["major"] == "1", done.stderr


def test_change_with_a_drain_loses_nothing(real: Nodes, real_namespace: str) -> None:
    web = Web(real, real_namespace, 4, lifecycle=DRAIN)
    with Clients(web.address, keeping=3, fresh=3, streaming=3) as clients:
        clients.more(100)
        web.restart()
        names = {p["metadata"]["name"] for p in web.pods()}
        web.api.wait_for("an answer of every pod", lambda: names <= clients.answered.keys())
    assert clients.failures == []
    assert clients.streams > 3 and len(clients.answered) > 4


def test_change_without_a_drain_loses_requests(real: Nodes, real_namespace: str) -> None:
    """What makes the test above one that can fail. How long a Service names a pod that is gone is
    the proxy's affair: often enough some request meets one."""
    web = Web(real, real_namespace, 4, args=[str(PORT), "0"])
    with Clients(web.address, keeping=3, fresh=6, streaming=3) as clients:
        lost: set[str] = set()
        for _ in range(6):
            clients.more(100)
            web.restart()
            lost = {f.partition(":")[0] for f in clients.failures}
            if {"fresh", "streaming"} <= lost:
                break
    assert {"fresh", "streaming"} <= lost


def test_classifier_answers(real: Nodes, real_namespace: str) -> None:
    args = ["--weights", "/weights/small.bin", "--port", str(PORT), "--warm-up", "50"]
    web = Web(real, real_namespace, 2, CLASSIFIER, args)
    connection = http.client.HTTPConnection(web.address, 80, timeout=10)
    connection.request("POST", "/v1/predict", json.dumps([0.5] * 100))
    answer = json.loads(connection.getresponse().read())
    assert 0 < answer["probability"][0] < 1
    pod = web.pods()[0]["metadata"]["name"]
    logs = real.cluster.kubectl("logs", "-n", real_namespace, pod)
    assert "ready: 128 hidden units" in logs.stdout, logs.stderr


def test_node_off_draws_little_and_comes_back(real: Nodes, real_namespace: str) -> None:
    web = Web(real, real_namespace, 3)
    node = real.nodes["n3"]
    api = real.cluster.api
    boot = api.get("nodes", "n3")["status"]["nodeInfo"]["bootID"]
    assert all(real.pids(p, "n3") for p in ("server", "kubelet", "containerd"))
    awake_w = wait_reading(real, "n3", lambda w: w > 40)
    node.power_off()
    try:
        api.wait_for("nothing running", lambda: not real.pids("", "n3"))
        assert wait_reading(real, "n3", lambda w: w < 20) < awake_w / 2
    finally:
        assert real.switch("on", "n3") == "on"
    api.wait_for(
        "another boot",
        lambda: api.get("nodes", "n3")["status"]["nodeInfo"]["bootID"] != boot,
    )
    real.wait_ready()
    api.wait_for("its pod again", lambda: real.pids("server", "n3"))
    web.wait_ready()


def wait_reading(real: Nodes, name: str, good: collections.abc.Callable[[float], bool]) -> float:
    """The power that the meter says, as soon as it is so."""

    def watts() -> float | None:
        w = float(real.readings["nodes"][name]["watts"])
        return w if good(w) else None

    return typing.cast(float, real.cluster.api.wait_for(f"the meter of {name}", watts, 10))
