"""Nodes of a cluster sleep and wake: hollow kubelets, with an agent and a power switch each. What is
written in which order, what stops it, and who wakes them."""

from __future__ import annotations

import collections.abc
import json
import pathlib
import signal
import time

import pytest

from tests.kubernetes.api import Api, Object, drop_definitions, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.conftest import not_here
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.machines import Machines
from tests.kubernetes.moving import of_app
from tests.kubernetes.process import free_ports
from tests.kubernetes.test_doctor import pod, quiet, run
from tests.kubernetes.test_observe import Observer
from tests.lab import enter

NAMESPACE = "sleeps"
NODES = ["hollow-1", "hollow-2", "hollow-3"]
LABEL = "node.kubernetes.io/exclude-disruption"
ASLEEP = {"key": "huddle.energy/asleep", "effect": "NoExecute"}
FOREIGN = {"key": "mine", "value": "x", "effect": "PreferNoSchedule"}
LONG_S = 180.0  # of a loaded machine
RULES = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    {
        "apiGroups": ["huddle.energy"],
        "resources": ["nodepowers", "nodepowers/status"],
        "verbs": ["create", "update", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["create", "get", "update"],
    },
]


class Sleeper(Observer):
    """A controller that acts. It listens on the same port in all its lives: agents report there."""

    def __init__(
        self,
        cluster: ControlPlane,
        folder: pathlib.Path,
        port: int,
        driver: str,
        user: str = "huddle",
        namespace: str = NAMESPACE,
    ) -> None:
        terms = {"duration": "20s", "renewDeadline": "18s", "retryPeriod": "500ms"}
        super().__init__(cluster, folder, user, namespace=namespace, lease=terms)
        keys = json.loads(self.controller.config.read_text())
        keys |= {"listen": f"127.0.0.1:{port}", "clusterName": "sleeps"}
        keys["powerDrivers"] = {"programs": [str(pathlib.Path(driver).parent)]}
        self.controller.config.write_text(json.dumps(keys))

    def leads(self) -> bool:
        return bool(self.list("clusters")[0]["status"]["lead"]["leads"])

    def state(self, name: str) -> str:
        return str(self.status("nodes", name)["state"])

    def refused(self) -> set[str]:
        """Objects that it cannot take in."""
        events = self.list("events")
        return {e["involvedObject"]["name"] for e in events if e["reason"] == "ObjectRefused"}

    def wait_state(self, name: str, *states: str, limit_s: float = LONG_S) -> str:
        """The state in which it was found."""
        end = time.monotonic() + limit_s
        while (state := self.state(name)) not in states:
            if time.monotonic() > end:
                power = self.controller.get(f"nodepowers/{name}")
                raise AssertionError(f"{name} is {state}, not {states}: {power}")
            time.sleep(0.05)
        return state

    def sleep(self, name: str) -> None:
        """Asks for it as soon as it may: after a wake there is a pause."""
        self.wait("leave to sleep", lambda: self.ctl("sleep", name).returncode == 0, LONG_S)

    def reach(self, name: str, *states: str) -> str:
        """Puts it to sleep, again when that was taken back (on a busy machine reports are late), until
        it is in one of these states."""
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            self.sleep(name)
            if (state := self.wait_state(name, "awake", *states)) != "awake":
                return state
        raise AssertionError(f"{name} was never {states}")


class Stage:
    """All of it."""

    def __init__(self, hollow: HollowNodes, folder: pathlib.Path) -> None:
        self.hollow, self.api = hollow, hollow.cluster.api
        (port,) = free_ports(1)
        self.machines = Machines(hollow, NODES, folder, port)
        self.ctl = Sleeper(hollow.cluster, folder, port, str(self.machines.driver))

    def node(self, name: str) -> Object:
        return self.api.get("nodes", name)

    def taints(self, name: str) -> list[Object]:
        """Those of nobody's condition, without their times."""
        found = self.node(name)["spec"].get("taints", [])
        own = [t for t in found if not t["key"].startswith("node.kubernetes.io/")]
        return [{k: v for k, v in t.items() if k != "timeAdded"} for t in own]

    def is_open(self, name: str) -> bool:
        labels = self.node(name)["metadata"]["labels"]
        return LABEL not in labels and ASLEEP not in self.taints(name)

    def condition(self, name: str) -> Object:
        """What `kubectl describe node` says of its sleep."""
        conditions = self.node(name)["status"]["conditions"]
        return next((c for c in conditions if c["type"] == "huddle.energy/Asleep"), {})

    def power(self, name: str) -> Object:
        return self.api.get("nodepowers", name)

    def wait_awake(self, name: str) -> None:
        self.ctl.wait_state(name, "awake")
        self.api.wait_for(f"{name} open", lambda: self.is_open(name))
        assert ready(self.node(name))


def declare(api: Api, driver: str) -> None:
    policy: Object = {"interval": "2s", "strategy": "demand", "budget": {"sleeps": 3, "wakes": 3}}
    policy["timing"] = {"settle": "1s", "cooldown": "1s", "wake": "170s", "bye": "60s"}
    policy["timing"] |= {"prepare": "60s"}
    pool: Object = {"minAwake": 1, "spare": 0, "policy": "soon", "mode": "act"}
    pool |= {"selector": {"sleeps": "yes"}, "wakeProven": True, "cyclesPerDay": 100}
    pool |= {"driver": {"type": "exec", "program": driver}, "boot": {"time": "1s", "energy": "1J"}}
    policy["paused"] = True  # what a plan would put to sleep by itself, these tests do not ask for
    api.create("powerpolicies", {"metadata": {"name": "soon"}, "spec": policy})
    api.create("powerpools", {"metadata": {"name": "all"}, "spec": pool})


@pytest.fixture(scope="module", name="stage")
def _stage(
    hollow: HollowNodes, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[Stage]:
    if not enter.inside():
        not_here("agents see machines of their own in mount namespaces: make test-kubernetes")
    api = hollow.cluster.api
    quiet(api)
    stage = Stage(hollow, tmp_path_factory.mktemp("sleep"))
    try:
        api.create("namespaces", {"metadata": {"name": NAMESPACE}})
        api.wait_for("its account", lambda: api.find("serviceaccounts", "default", NAMESPACE))
        assert run(hollow.cluster.admin_kubeconfig, "install", "crds").returncode == 0
        api.wait_for("powerpools", lambda: api.list("powerpools") == [])
        api.allow("huddle", RULES, NAMESPACE)
        for name in NODES:
            api.patch("nodes", name, {"metadata": {"labels": {"sleeps": "yes"}}})
        declare(api, str(stage.machines.driver))
        with stage.machines:
            stage.ctl.start()
            stage.ctl.wait("that it leads", stage.ctl.leads, LONG_S)
            yield stage
            stage.ctl.controller.stop(signal.SIGKILL)
    finally:
        for name in NODES:
            labels = {"sleeps": None, LABEL: None}
            spec = {"taints": None}
            api.patch("nodes", name, {"metadata": {"labels": labels}, "spec": spec})
        for kind in ("clusterroles", "clusterrolebindings"):
            api.delete(kind, NAMESPACE)
        drop_definitions(api)
        api.delete("namespaces", NAMESPACE)
        api.wait_for("its end", lambda: not api.find("namespaces", NAMESPACE), LONG_S)
        hollow.wait_ready(LONG_S)
        quiet(api)


def test_a_node_sleeps_and_is_woken(stage: Stage) -> None:
    api, name = stage.api, "hollow-1"
    before = stage.node(name)
    api.patch("nodes", name, {"spec": {"taints": [FOREIGN]}})
    stage.ctl.reach(name, "asleep")
    assert stage.machines.power(name) == "off"
    power = stage.power(name)
    assert power["spec"]["desired"] == "asleep" and power["status"]["phase"] in (
        "sleeping",
        "asleep",
    )
    pre = power["status"]["preSleep"]
    assert pre["allocatable"] == before["status"]["allocatable"]
    assert pre["taints"] == [FOREIGN] and LABEL not in pre["labels"]
    assert power["status"]["pool"] == "all"
    assert (
        power["status"]["leaderEpoch"] == stage.ctl.list("clusters")[0]["status"]["lead"]["epoch"]
    )
    api.wait_for("its phase", lambda: stage.power(name)["status"]["phase"] == "asleep")
    assert stage.taints(name) == [FOREIGN, ASLEEP]
    assert stage.node(name)["metadata"]["labels"][LABEL] == "huddle"
    api.wait_for("its condition", lambda: stage.condition(name).get("status") == "True", LONG_S)
    assert "woken when it is needed, at the latest " in stage.condition(name)["message"]
    boots = stage.machines.boots[name]
    stage.ctl.ok("wake", name)
    stage.wait_awake(name)
    api.wait_for("no condition", lambda: not stage.condition(name))
    assert stage.machines.boots[name] == boots + 1
    assert stage.taints(name) == [FOREIGN]
    assert stage.power(name)["spec"]["desired"] == "awake"
    labels = {k: v for k, v in stage.node(name)["metadata"]["labels"].items()}
    assert labels == before["metadata"]["labels"]
    api.patch("nodes", name, {"spec": {"taints": None}})


def test_only_who_is_empty_sleeps(stage: Stage) -> None:
    """A pod of nobody's holds its node; one that comes late, and tolerates everything, turns it back."""
    api, name = stage.api, "hollow-2"
    api.create("pods", pod("here", nodeName=name), NAMESPACE)
    stage.ctl.wait(
        "the reason",
        lambda: f"{NAMESPACE}/here" in stage.ctl.status("nodes", name)["whyNotAsleep"],
        LONG_S,
    )
    assert stage.ctl.ctl("sleep", name).returncode != 0
    api.delete("pods", "here", NAMESPACE, gracePeriodSeconds=0)
    stage.ctl.reach(name, "empty", "preparing")
    late = pod("late", nodeName=name, tolerations=[{"operator": "Exists"}])
    api.create("pods", late, NAMESPACE)
    stage.wait_awake(name)
    assert stage.machines.power(name) == "on" and stage.machines.boots[name] == 1
    assert ready(api.wait_for("the pod", lambda: api.get("pods", "late", NAMESPACE)))
    assert stage.power(name)["spec"]["desired"] == "awake"
    api.delete("pods", "late", NAMESPACE, gracePeriodSeconds=0)


def test_a_pod_that_is_no_replica_is_evicted_where_the_pool_says_so(stage: Stage) -> None:
    """One of two, past its budget only as that allows; one alone holds its node."""
    api, ctl = stage.api, stage.ctl
    budget = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}
    api.create("poddisruptionbudgets", {"metadata": {"name": "web"}, "spec": budget}, NAMESPACE)
    placed = {"nodeSelector": {"sleeps": "yes"}, "terminationGracePeriodSeconds": 0}
    api.create("deployments", deployment("web", 2, pod=placed), NAMESPACE)

    def pods() -> list[Object]:
        return [p for p in of_app(api, NAMESPACE, "web") if ready(p)]

    api.wait_for("its pods", lambda: len(pods()) == 2, LONG_S)
    name = str(pods()[0]["spec"]["nodeName"])
    ctl.wait(
        "the reason", lambda: "bystanders" in ctl.status("nodes", name)["whyNotAsleep"], LONG_S
    )
    api.patch("powerpools", "all", {"spec": {"bystanders": "evict"}})
    ctl.reach(name, "draining")
    time.sleep(3)  # its budget refuses
    assert ctl.state(name) in ("draining", "awake")
    assert name in {p["spec"]["nodeName"] for p in pods()}
    api.patch("poddisruptionbudgets", "web", {"spec": {"maxUnavailable": 1}}, NAMESPACE)
    ctl.reach(name, "asleep")
    assert len(pods()) == 2 and name not in {p["spec"]["nodeName"] for p in pods()}
    ctl.ok("wake", name)
    stage.wait_awake(name)
    api.patch("powerpools", "all", {"spec": {"bystanders": "keep"}})
    api.delete("deployments", "web", NAMESPACE)
    api.delete("poddisruptionbudgets", "web", NAMESPACE)
    api.wait_for("their end", lambda: not of_app(api, NAMESPACE, "web"), LONG_S)


def test_a_cordon_and_a_foreign_taint_turn_it_back(stage: Stage) -> None:
    api, name = stage.api, "hollow-2"
    for spec, undone in (
        ({"unschedulable": True}, {"unschedulable": None}),
        ({"taints": [{"key": "mine", "value": "x", "effect": "NoSchedule"}]}, {"taints": None}),
    ):
        stage.ctl.reach(name, "draining", "empty")
        api.wait_for("its taint", lambda: stage.taints(name))
        if "taints" in spec:
            spec = {"taints": stage.node(name)["spec"]["taints"] + spec["taints"]}
        api.patch("nodes", name, {"spec": spec})
        stage.wait_awake(name)
        now = stage.node(name)["spec"]
        assert now.get("unschedulable") == spec.get("unschedulable")  # a person's, who wins
        assert [t["key"] for t in stage.taints(name)] == (["mine"] if "taints" in spec else [])
        api.patch("nodes", name, {"spec": undone})


def test_a_pod_that_waits_wakes_one(stage: Stage) -> None:
    """Of any workload; and no more than are needed."""
    api, ctl = stage.api, stage.ctl
    for name in ("hollow-2", "hollow-3"):
        ctl.reach(name, "asleep")
    big = {"requests": {"cpu": "900m"}}
    filler = pod("filler", nodeName="hollow-1")
    filler["spec"]["containers"][0]["resources"] = big
    api.create("pods", filler, NAMESPACE)
    helpless = pod("helpless", nodeSelector={"sleeps": "yes"})  # no node brings what it lacks
    helpless["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}]
    api.create("pods", helpless, NAMESPACE)

    def withheld() -> bool:
        events = [e for e in ctl.list("events") if e["reason"] == "WakeWithheld"]
        return [e["involvedObject"]["name"] for e in events] == [f"{NAMESPACE}/helpless"]

    ctl.wait("that no wake helps", withheld, LONG_S)
    assert {ctl.state(name) for name in ("hollow-2", "hollow-3")} == {"asleep"}
    waiting = pod("waiting", nodeSelector={"sleeps": "yes"})
    waiting["spec"]["containers"][0]["resources"] = big
    api.create("pods", waiting, NAMESPACE)
    found = api.wait_for(
        "the pod to run",
        lambda: (p := api.get("pods", "waiting", NAMESPACE)) and ready(p) and p,
        LONG_S,
    )
    woken = found["spec"]["nodeName"]
    (other,) = {"hollow-2", "hollow-3"} - {woken}
    stage.wait_awake(woken)
    assert "cannot be scheduled elsewhere" in json.dumps(ctl.list("journal"))
    time.sleep(5)
    assert ctl.state(other) == "asleep" and stage.machines.power(other) == "off"
    for name in ("waiting", "filler", "helpless"):
        api.delete("pods", name, NAMESPACE, gracePeriodSeconds=0)
    ctl.ok("wake", other)
    stage.wait_awake(other)


def test_a_node_that_is_deleted_asleep_comes_back(stage: Stage) -> None:
    api, ctl, name = stage.api, stage.ctl, "hollow-1"
    ctl.reach(name, "asleep")
    api.delete("nodes", name)
    ctl.wait("that it is kept", lambda: ctl.status("nodes", name)["deleted"], LONG_S)
    assert ctl.state(name) == "asleep" and not api.find("nodes", name)
    ctl.ok("wake", name)
    api.wait_for("its new Node", lambda: api.find("nodes", name), LONG_S)
    api.patch("nodes", name, {"metadata": {"labels": {"sleeps": "yes"}}})
    stage.wait_awake(name)
    assert not ctl.status("nodes", name)["deleted"]
    api.wait_for("its record", lambda: stage.power(name)["status"]["phase"] == "awake", LONG_S)
