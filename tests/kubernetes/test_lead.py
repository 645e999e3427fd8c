"""Of several huddle-controllers on a real API server one leads: who asks for the Lease and when, who
follows a leader that is killed or asked to go, and what a controller without rights says."""

from __future__ import annotations

import collections.abc
import pathlib
import signal
import time

import pytest

from tests.kubernetes.api import Api, Object
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.leasing import DURATION_S
from tests.kubernetes.test_doctor import quiet, run
from tests.kubernetes.test_observe import ROLE, Observer

NAMESPACE = "leads"
LEASE = "huddle-controller"
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
RULES = [{**LEASES, "verbs": ["create"]}, {**LEASES, "verbs": ["get", "update"]}]
# As in leasing.py: for a busy machine.
TERMS = {"duration": "4s", "renewDeadline": "2600ms", "retryPeriod": "400ms"}
LONG_S = 90.0


class Candidate(Observer):
    """A controller that would lead."""

    def __init__(self, cluster: ControlPlane, folder: pathlib.Path, user: str = "huddle") -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(cluster, folder, user, namespace=NAMESPACE, lease=TERMS)

    @property
    def lead(self) -> Object:
        """What it says of who leads."""
        lead: Object = self.list("clusters")[0]["status"]["lead"]
        return lead

    def leads(self) -> bool:
        return bool(self.lead["leads"])

    def metric(self, name: str) -> str:
        text = self.controller.ask("GET", "/metrics")[1].decode()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return line.split(" ")[1]

    def end(self) -> None:
        if self.controller.process:
            self.controller.stop(signal.SIGKILL)


Start = collections.abc.Callable[..., Candidate]


def mode(api: Api, word: str) -> None:
    api.patch("powerpools", "all", {"spec": {"mode": word}})


def lease(api: Api) -> Object | None:
    found = api.find("leases", LEASE, NAMESPACE)
    return found["spec"] if found else None


@pytest.fixture(scope="module", name="cluster")
def _cluster(hollow: HollowNodes) -> collections.abc.Iterator[ControlPlane]:
    """`huddle` may look, and have Leases; `observer` may look."""
    cluster, api = hollow.cluster, hollow.cluster.api
    quiet(api)
    try:
        api.create("namespaces", {"metadata": {"name": NAMESPACE}})
        assert run(cluster.admin_kubeconfig, "install", "crds").returncode == 0
        api.wait_for("powerpools", lambda: api.list("powerpools") == [])
        assert cluster.kubectl("apply", "-f", str(ROLE)).returncode == 0
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
        users = ["huddle", "observer"]
        subjects = [{"apiGroup": role["apiGroup"], "kind": "User", "name": u} for u in users]
        binding = {"roleRef": {**role, "name": "huddle-observe"}, "subjects": subjects}
        api.create("clusterrolebindings", {"metadata": {"name": NAMESPACE}, **binding})
        api.allow("huddle", RULES, "lease-of-huddle")
        yield cluster
    finally:
        for crd in api.list("customresourcedefinitions"):
            api.delete("customresourcedefinitions", crd["metadata"]["name"])
        api.delete("clusterrolebindings", NAMESPACE)
        for kind in ("clusterroles", "clusterrolebindings"):
            api.delete(kind, "lease-of-huddle")
        api.delete("namespaces", NAMESPACE)
        quiet(api)


@pytest.fixture(name="start")
def _start(cluster: ControlPlane, tmp_path: pathlib.Path) -> collections.abc.Iterator[Start]:
    """Starts a controller of this name. The pool is observed at first, and there is no Lease."""
    started: list[Candidate] = []

    def start(name: str, user: str = "huddle") -> Candidate:
        started.append(Candidate(cluster, tmp_path / name, user))
        started[-1].start()
        return started[-1]

    api = cluster.api
    api.create("powerpools", {"metadata": {"name": "all"}, "spec": {"mode": "observe"}})
    try:
        yield start
    finally:
        for candidate in started:
            candidate.end()
        api.delete("powerpools", "all")
        if lease(api):
            api.delete("leases", LEASE, NAMESPACE)


def test_who_observes_asks_for_no_lease(cluster: ControlPlane, start: Start) -> None:
    one = start("one")
    one.wait("the pool", lambda: one.list("powerpools"))
    time.sleep(DURATION_S + 2)  # so long a candidate waits before it makes a Lease
    assert lease(cluster.api) is None
    assert one.lead == {"leads": False, "leader": "", "epoch": 0, "problem": ""}
    mode(cluster.api, "recommend")
    one.wait("that it leads", one.leads, LONG_S)
    assert lease(cluster.api)


def test_another_follows_a_leader_that_is_killed(cluster: ControlPlane, start: Start) -> None:
    api = cluster.api
    mode(api, "act")
    both = [start("one"), start("two")]
    api.wait_for("a leader", lambda: any(c.leads() for c in both), LONG_S)
    first, second = sorted(both, key=lambda c: not c.leads())
    holder = (lease(api) or {})["holderIdentity"]
    second.wait("word of it", lambda: second.lead["leader"] == holder, LONG_S)
    assert [c.leads() for c in (first, second)] == [True, False]
    assert [c.metric("huddle_leader") for c in (first, second)] == ["1", "0"]
    assert holder in second.ok("describe", "cluster")
    assert holder in second.ok("get", "cluster", "-o", "wide")
    assert "another controller leads" in second.ok("explain", "node", "hollow-1")
    assert "leads" not in first.ok("explain", "node", "hollow-1")
    epoch = first.lead["epoch"]
    first.end()
    second.wait("that it leads", second.leads, LONG_S)
    assert second.lead["epoch"] == epoch + 1
    first.start()
    first.wait("word of it", lambda: first.lead["leader"] == second.lead["leader"], LONG_S)
    assert not first.leads() and second.leads()
    reasons = [e["reason"] for e in second.list("events")]
    assert reasons.count("Leading") == 1 and "LeadLost" not in reasons


def test_a_leader_that_is_asked_to_go_gives_it_back(cluster: ControlPlane, start: Start) -> None:
    mode(cluster.api, "act")
    one = start("one")
    one.wait("that it leads", one.leads, LONG_S)
    assert (lease(cluster.api) or {})["holderIdentity"]
    assert one.controller.stop() == 0
    assert (lease(cluster.api) or {})["holderIdentity"] == ""


def test_without_rights_it_says_so_and_watches(cluster: ControlPlane, start: Start) -> None:
    mode(cluster.api, "act")
    one = start("one", "observer")
    one.wait("its problem", lambda: one.lead["problem"], LONG_S)
    assert "deploy/kubernetes/act" in one.lead["problem"]
    assert f"{NAMESPACE}/{LEASE}" in one.lead["problem"]
    time.sleep(3)  # it goes on asking
    told = [e for e in one.list("events") if e["reason"] == "LeaseProblem"]
    assert len(told) == 1 and told[0]["type"] == "Warning"
    assert "deploy/kubernetes/act" in one.ok("describe", "cluster")
    assert not one.leads() and one.metric("huddle_leader") == "0"
    assert len(one.list("nodes")) == 12
