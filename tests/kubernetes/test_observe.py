"""huddle-controller observes a real API server with twelve hollow nodes, as a user who may only look:
what it plans and explains, how soon changes reach it, and that it changes nothing."""

from __future__ import annotations

import collections.abc
import json
import pathlib
import subprocess
import time

import pytest

from tests.kubernetes.api import Api, Object, drop_definitions, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import DRAIN
from tests.kubernetes.test_doctor import quiet, run
from tests.lab.controller import Controller
from tests.lab.enter import REPOSITORY
from tests.lab.lab import BUILD

SOON_S = 30.0  # of a busy machine
NAMESPACE = "observed"
MODELS = {"chat": 9, "embed": 6, "rank": 5}
ROLE = REPOSITORY / "deploy/kubernetes/observe/role.yaml"


class Observer:
    """A controller on the cluster as this user, and huddlectl for it. `keys` stand below `kubernetes` in
    its configuration."""

    def __init__(
        self,
        cluster: ControlPlane,
        folder: pathlib.Path,
        user: str = "observer",
        **keys: object,
    ) -> None:
        self.api: Api = cluster.api
        self.folder = folder
        keys["kubeconfig"] = str(cluster.kubeconfig(user))
        self.controller = Controller(folder, kubernetes=keys)

    def start(self) -> Observer:
        self.controller.start()
        self.wait("ready", lambda: self.controller.ask("GET", "/readyz")[0] == 200, 60)
        return self

    def wait(
        self, what: str, condition: collections.abc.Callable[[], object], limit_s: float = SOON_S
    ) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, f"waited {limit_s:g} s for {what}"
            time.sleep(0.1)

    def list(self, kind: str) -> list[Object]:
        items: list[Object] = self.controller.get(kind)["items"]
        return items

    def status(self, kind: str, name: str) -> Object:
        status: Object = self.controller.get(f"{kind}/{name}")["status"]
        return status

    def places(self) -> dict[str, str]:
        """Each replica's pod, and its node."""
        return {r["status"]["pod"]: r["spec"]["node"] for r in self.list("replicas")}

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        url = f"http://127.0.0.1:{self.controller.port}"
        return subprocess.run(
            [BUILD / "huddlectl", *words],
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "HUDDLE_SERVER": url},
        )

    def ok(self, *words: str) -> str:
        done = self.ctl(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout


def served_model(name: str, target: str = "") -> Object:
    target_ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target or name}
    return {"metadata": {"name": name}, "spec": {"targetRef": target_ref}}


def places_of(api: Api) -> dict[str, str]:
    """The same as the API server has it."""
    pods = [p for p in api.list("pods", NAMESPACE) if p["spec"].get("nodeName")]
    return {f"{NAMESPACE}/{p['metadata']['name']}": p["spec"]["nodeName"] for p in pods}


def declare(api: Api) -> None:
    """A pool that sleeps soon, and every Deployment as a model."""
    budget = {"moves": 40, "sleeps": 12}  # else a plan names no more than its next step
    policy = {"interval": "2s", "strategy": "demand", "budget": budget}
    pool: Object = {"minAwake": 1, "spare": 1, "policy": "soon"}
    pool["boot"] = {"time": "1s", "energy": "1J"}
    api.create("powerpolicies", {"metadata": {"name": "soon"}, "spec": policy})
    api.create("powerpools", {"metadata": {"name": "all"}, "spec": pool})
    for name in MODELS:
        api.create("servedmodels", served_model(name), NAMESPACE)


def may_look(cluster: ControlPlane) -> None:
    """The user gets the role that huddle's manifests give to the controller, and nothing more."""
    done = cluster.kubectl("apply", "-f", str(ROLE))
    assert done.returncode == 0, done.stderr
    role = cluster.api.get("clusterroles", "huddle-observe")
    assert all(set(rule["verbs"]) == {"get", "list", "watch"} for rule in role["rules"])
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "observer"}
    cluster.api.patch("clusterrolebindings", "huddle-observe", {"subjects": [subject]})


def dump(api: Api) -> list[tuple[str, str, object, object]]:
    """What a writer would change of nodes, pods, Deployments and huddle's objects; heartbeats apart."""
    found = []
    for plural in ("nodes", "pods", "deployments", "servedmodels", "powerpools", "nodepowers"):
        for o in api.list(plural):
            meta = o["metadata"]
            own = {k: meta.get(k) for k in ("labels", "annotations", "generation", "finalizers")}
            found.append((plural, meta["name"], own, o["spec"]))
    leases = [lease["metadata"]["name"] for lease in api.list("leases") if "huddle" in str(lease)]
    found.append(("leases", "", sorted(leases), None))
    return sorted(found, key=lambda item: item[:2])


@pytest.fixture(scope="module", name="observer")
def observing(
    hollow: HollowNodes, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[Observer]:
    """Starts before there are definitions; they, and objects, come while it runs."""
    cluster, api = hollow.cluster, hollow.cluster.api
    quiet(api)
    may_look(cluster)
    api.create("namespaces", {"metadata": {"name": NAMESPACE}})
    api.wait_for("its account", lambda: api.find("serviceaccounts", "default", NAMESPACE))
    request: Object = {"resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}
    request["lifecycle"] = DRAIN  # else none of them could be moved, and no node slept
    for name, replicas in MODELS.items():
        api.create("deployments", deployment(name, replicas, container=request), NAMESPACE)
    api.wait_for("pods", lambda: sum(map(ready, api.list("pods", NAMESPACE))) == 20, 90)
    observer = Observer(cluster, tmp_path_factory.mktemp("observer"))
    try:
        observer.start()
        events = observer.list("events")
        missing = [e for e in events if e["reason"] == "DefinitionsMissing"]
        assert len(missing) == 1 and "huddlectl install crds" in missing[0]["message"]
        assert len(observer.list("nodes")) == 12 and not observer.list("replicas")
        done = run(cluster.admin_kubeconfig, "install", "crds")
        assert done.returncode == 0, done.stderr
        for plural in ("powerpools", "nodepowers"):
            api.wait_for(plural, lambda plural=plural: api.list(plural) == [])
        declare(api)
        observer.wait("20 replicas", lambda: len(observer.list("replicas")) == 20, 60)
        yield observer
    finally:
        if observer.controller.process:
            observer.controller.stop()
        drop_definitions(api)
        api.delete("namespaces", NAMESPACE)
        quiet(api)


def test_plan_names_fewer_nodes(observer: Observer) -> None:
    assert observer.places() == places_of(observer.api)

    def sleeps() -> bool:
        plans = [plan["status"] for plan in observer.list("plans")]
        return any(p["awakeNow"] == 12 and p["awakeTarget"] <= 5 for p in plans)

    observer.wait("a plan with fewer nodes", sleeps, 60)
    plan = observer.list("plans")[0]
    asleep = [n["name"] for n in plan["spec"]["nodes"] if n["verdict"] == "sleep"]
    assert plan["status"]["awakeNow"] == 12 and len(asleep) >= 7
    assert plan["status"]["moves"] > 0
    assert "hollow-" in observer.ok("plan")
    told = observer.ok("explain", "node", asleep[0])
    assert "The plan puts it to sleep" in told and "acts on nothing" in told
    first = sorted(observer.places())[0]
    assert first in observer.ok("get", "replicas")
    assert first in observer.ok("explain", "replica", first)
    assert f"chat.{NAMESPACE}" in observer.ok("get", "models")


def test_it_changes_nothing_though_it_may(
    observer: Observer, hollow: HollowNodes, tmp_path: pathlib.Path
) -> None:
    """As an administrator: that nothing changes is huddle's own doing, not its account's."""
    api = observer.api
    before = dump(api)
    mighty = Observer(hollow.cluster, tmp_path, "admin").start()
    try:
        plans: set[str] = set()

        def has_planned() -> bool:
            for plan in mighty.list("plans"):
                if plan["status"]["awakeTarget"] <= 5 and plan["status"]["moves"] > 0:
                    plans.add(str(plan["metadata"]["uid"]))
            return len(plans) >= 3

        mighty.wait("plans with sleeps and moves", has_planned, 120)
        assert dump(api) == before
    finally:
        mighty.controller.stop()
    assert dump(api) == before
    label = {"metadata": {"labels": {"huddle.energy/touched": "yes"}}}
    for plural, name, namespace in (("nodes", "hollow-1", ""), ("deployments", "chat", NAMESPACE)):
        api.patch(plural, name, label, namespace)
        assert dump(api) != before  # a writer would be seen
        api.patch(
            plural, name, {"metadata": {"labels": {"huddle.energy/touched": None}}}, namespace
        )
    assert dump(api) == before


def test_changes_reach_it_in_seconds(observer: Observer) -> None:
    api = observer.api
    api.scale("deployments", "rank", NAMESPACE, 7)
    observer.wait("two more", lambda: len(observer.places()) == 22)
    assert observer.status("servedmodels", f"rank.{NAMESPACE}")["wanted"] == 7
    api.scale("deployments", "rank", NAMESPACE, 5)
    observer.wait("two less", lambda: observer.places() == places_of(api), 60)
    victim = sorted(places_of(api))[0].split("/")[1]
    api.delete("pods", victim, NAMESPACE, gracePeriodSeconds=0)
    observer.wait("another pod", lambda: f"{NAMESPACE}/{victim}" not in observer.places())
    observer.wait("in its place", lambda: len(observer.places()) == 20)
    api.patch("nodes", "hollow-3", {"spec": {"unschedulable": True}})
    observer.wait(
        "a cordoned node",
        lambda: "cordoned" in observer.status("nodes", "hollow-3")["whyNotAsleep"],
    )
    assert "it is cordoned" in observer.ok("explain", "node", "hollow-3")
    api.patch("nodes", "hollow-3", {"spec": {"unschedulable": None}})
    observer.wait("no more", lambda: observer.status("nodes", "hollow-3")["sleepable"])
    bare = {"name": "bare", "labels": {"app": "bare"}}
    spec = {"nodeName": "hollow-4", "containers": [{"name": "main", "image": "none"}]}
    api.create("pods", {"metadata": bare, "spec": spec}, NAMESPACE)
    observer.wait(
        "a pod that stays",
        lambda: observer.status("nodes", "hollow-4")["whyNotAsleep"]
        == f"{NAMESPACE}/bare cannot be moved: no controller would make it again elsewhere",
    )
    api.delete("pods", "bare", NAMESPACE, gracePeriodSeconds=0)
    observer.wait("its end", lambda: observer.status("nodes", "hollow-4")["sleepable"])


def test_objects_are_those_of_the_cluster(observer: Observer, tmp_path: pathlib.Path) -> None:
    api = observer.api
    lost = f"lost.{NAMESPACE}"
    api.create("servedmodels", served_model("lost", "nothing"), NAMESPACE)
    observer.wait("it", lambda: lost in observer.ok("get", "models"))
    problem = f"there is no Deployment nothing in namespace {NAMESPACE}"
    observer.wait(
        "its problem", lambda: problem in observer.status("servedmodels", lost)["targetProblem"]
    )
    assert problem in observer.ok("explain", "model", lost)
    api.delete("servedmodels", "lost", NAMESPACE)
    observer.wait("its end", lambda: lost not in observer.ok("get", "models"))
    file = tmp_path / "pool.json"
    pool = {"apiVersion": "huddle.energy/v1alpha1", "kind": "PowerPool", "spec": {}}
    file.write_text(json.dumps({**pool, "metadata": {"name": "mine"}}))
    done = observer.ctl("apply", "-f", str(file))
    assert done.returncode != 0 and "kubectl apply" in done.stderr
    done = observer.ctl("delete", "pool", "all")
    assert done.returncode != 0 and "kubectl" in done.stderr
    for words in (["cordon"], ["drain"], ["sleep"], ["hold", "--reason", "r"]):
        done = observer.ctl(words[0], "node", "hollow-1", *words[1:])
        if done.returncode == 2:  # its syntax is another one
            done = observer.ctl(words[0], "hollow-1", *words[1:])
        assert done.returncode != 0 and "observe" in done.stderr, (words, done.stderr)


def test_a_restarted_api_server_loses_nothing(observer: Observer, hollow: HollowNodes) -> None:
    api, cluster = observer.api, hollow.cluster
    before = observer.places()
    cluster.processes["kube-apiserver"].kill()
    up = 'huddle_kubernetes_watch_up{kind="pods"} '
    observer.wait(
        "a watch that is down",
        lambda: f"{up}0" in observer.controller.ask("GET", "/metrics")[1].decode(),
    )
    assert observer.places() == before
    assert {n["status"]["state"] for n in observer.list("nodes")} == {"awake"}
    cluster.start_apiserver()
    observer.wait(
        "the watch again",
        lambda: f"{up}1" in observer.controller.ask("GET", "/metrics")[1].decode(),
        60,
    )
    hollow.wait_ready()
    api.wait_for("pods", lambda: sum(map(ready, api.list("pods", NAMESPACE))) == 20, 90)
    observer.wait("the same picture", lambda: observer.places() == places_of(api), 60)
    api.scale("deployments", "embed", NAMESPACE, 7)
    observer.wait("what came later", lambda: len(observer.places()) == 21, 30)
    api.scale("deployments", "embed", NAMESPACE, 6)
    observer.wait("and went", lambda: len(observer.places()) == 20, 60)


def test_a_restart_gives_the_same_picture(observer: Observer) -> None:
    before = observer.places()
    models = sorted(m["metadata"]["name"] for m in observer.list("servedmodels"))
    assert observer.controller.stop() == 0
    observer.api.delete("servedmodels", "rank", NAMESPACE)  # while nobody looks
    observer.start()
    left = {pod: node for pod, node in before.items() if "/rank-" not in pod}
    observer.wait("the replicas", lambda: observer.places() == left)
    observer.wait("its end", lambda: len(observer.list("servedmodels")) == 2)
    observer.api.create("servedmodels", served_model("rank"), NAMESPACE)
    observer.wait("all of them", lambda: observer.places() == before)
    assert models == sorted(m["metadata"]["name"] for m in observer.list("servedmodels"))
