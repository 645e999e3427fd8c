"""Of several huddle-controllers on a real API server one leads: who asks for the Lease and when, who
follows a leader that is killed or asked to go, what a controller without rights says, and what the leader
writes: Events, and the status of what people declared."""

from __future__ import annotations

import collections.abc
import pathlib
import signal
import time

import pytest

from tests.kubernetes.api import Api, Object, drop_definitions, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.leasing import DURATION_S
from tests.kubernetes.test_doctor import quiet, run
from tests.kubernetes.test_observe import ROLE, Observer, dump, served_model

NAMESPACE = "leads"
LEASE = "huddle-controller"
KINDS = ("servedmodels", "powerpools", "powerpolicies")
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
OWN = {"apiGroups": ["huddle.energy"]}
RULES = [
    {**LEASES, "verbs": ["create"]},
    {**LEASES, "verbs": ["get", "update"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    {**OWN, "resources": [f"{k}/status" for k in KINDS], "verbs": ["patch"]},
]
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

    def report(self) -> int:
        """How it answers an agent that reports what is no report."""
        return self.controller.ask("POST", "/v1/report", b"x")[0]

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
        drop_definitions(api)
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
    assert first.report() == 400 and second.report() == 421  # no report; another one leads
    epoch = first.lead["epoch"]
    first.end()
    second.wait("that it leads", second.leads, LONG_S)
    assert second.report() == 400
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


def events(api: Api, namespace: str, kind: str) -> list[Object]:
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    items: list[Object] = api.request("GET", path)["items"]
    ours = "huddle.energy/controller"
    return [e for e in items if e["regarding"]["kind"] == kind and e["reportingController"] == ours]


def conditions(thing: Object) -> dict[str, tuple[str, str]]:
    found = thing.get("status", {}).get("conditions", [])
    assert all(c["lastTransitionTime"] and c["message"] for c in found)
    return {c["type"]: (c["status"], c["reason"]) for c in found}


@pytest.fixture(name="models")
def _models(cluster: ControlPlane) -> collections.abc.Iterator[None]:
    """Twelve pods on as many nodes, of two models; a plan each other second."""
    api = cluster.api
    api.wait_for("its account", lambda: api.find("serviceaccounts", "default", NAMESPACE))
    container: Object = {"resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": 1}}}  # else it may not be moved
    for name in ("chat", "rank"):
        api.create("deployments", deployment(name, 6, container=container), NAMESPACE)
    api.wait_for("pods", lambda: sum(map(ready, api.list("pods", NAMESPACE))) == 12, 90)
    policy = {"interval": "2s", "strategy": "demand", "budget": {"moves": 40, "sleeps": 12}}
    api.create("powerpolicies", {"metadata": {"name": "soon"}, "spec": policy})
    for name in ("chat", "rank"):
        api.create("servedmodels", served_model(name), NAMESPACE)
    yield
    for name in ("chat", "rank"):
        api.delete("servedmodels", name, NAMESPACE)
        api.delete("deployments", name, NAMESPACE)
    api.delete("powerpolicies", "soon")
    api.wait_for("no pods", lambda: not api.list("pods", NAMESPACE), 90)


def test_what_it_would_do_is_told_once(cluster: ControlPlane, start: Start, models: None) -> None:
    api = cluster.api
    one = start("one")
    pool = {"minAwake": 1, "spare": 1, "policy": "soon", "boot": {"time": "1s", "energy": "1J"}}
    api.patch("powerpools", "all", {"spec": {**pool, "mode": "recommend"}})
    one.wait("that it leads", one.leads, LONG_S)
    before = dump(api)

    def told() -> bool:
        return bool(events(api, "default", "Node")) and bool(events(api, NAMESPACE, "Pod"))

    api.wait_for("Events", told, LONG_S)
    node = next(e for e in events(api, "default", "Node") if e["reason"] == "WouldSleep")
    assert node["action"] == "Sleep" and node["note"].startswith("would be emptied")
    pod = next(e for e in events(api, NAMESPACE, "Pod") if e["reason"] == "WouldMove")
    assert pod["regarding"]["name"] in pod["note"] and "would move from hollow-" in pod["note"]
    described = cluster.kubectl("describe", "node", node["regarding"]["name"]).stdout
    assert "WouldSleep" in described, described
    described = cluster.kubectl("describe", "pod", "-n", NAMESPACE, pod["regarding"]["name"]).stdout
    assert "WouldMove" in described, described
    plan = one.list("plans")[0]["metadata"]["uid"]
    one.wait(
        "another plan", lambda: int(one.list("plans")[0]["metadata"]["uid"]) > int(plan) + 2, 60
    )
    told_of = {n["name"] for n in (e["regarding"] for e in events(api, "default", "Node"))}
    assert len(told_of) >= 5
    assert not [e for e in events(api, "default", "Node") if e.get("series")]
    assert dump(api) == before  # that is all it did


def test_status_is_the_leaders_to_write(cluster: ControlPlane, start: Start, models: None) -> None:
    api = cluster.api
    lost = served_model("lost", "nothing")
    api.create("servedmodels", lost, NAMESPACE)
    specs = {m["metadata"]["name"]: m for m in api.list("servedmodels", NAMESPACE)}
    moves = [{"id": "m-1", "recipe": "adopt"}]
    api.patch("servedmodels", "chat", {"status": {"moves": moves}}, NAMESPACE, "status")
    one, two = start("one"), start("two")
    one.wait("models", lambda: len(one.list("servedmodels")) == 3, LONG_S)
    mode(api, "act")
    api.wait_for(
        "a status of all",
        lambda: all("Ready" in conditions(o) for kind in KINDS for o in api.list(kind)),
        LONG_S,
    )
    # The first words may have come before the first plan.
    api.wait_for(
        "that it serves",
        lambda: conditions(api.get("servedmodels", "chat", NAMESPACE)).get("Ready")
        == ("True", "Serving"),
        LONG_S,
    )
    chat = api.get("servedmodels", "chat", NAMESPACE)
    status = chat["status"]
    assert (status["total"], status["ready"], status["nodes"]) == (6, 6, 6)
    assert status["selector"] == "app=chat" and status["moves"] == moves
    assert status["observedGeneration"] == chat["metadata"]["generation"]
    assert conditions(api.get("servedmodels", "lost", NAMESPACE))["TargetResolved"] == (
        "False",
        "TargetNotFound",
    )
    pool = api.get("powerpools", "all")
    assert pool["status"]["nodes"] == 12 and conditions(pool)["Ready"] == ("True", "Acting")
    assert conditions(api.get("powerpolicies", "soon"))["Ready"] == ("True", "Valid")
    for name, was in specs.items():
        now = api.get("servedmodels", name, NAMESPACE)
        assert now["spec"] == was["spec"]
        assert now["metadata"]["generation"] == was["metadata"]["generation"]
        managers = [f for f in now["metadata"]["managedFields"] if "f:status" in f["fieldsV1"]]
        assert all(f["subresource"] == "status" for f in managers)
    scale = api.request("GET", api.path("servedmodels", NAMESPACE, "chat", "scale"))
    assert scale["status"] == {"replicas": 6, "selector": "app=chat"}
    seen = "not written"
    assert not any(seen in c.controller.log.read_text() for c in (one, two))
    api.delete("servedmodels", "lost", NAMESPACE)
