"""What is shipped, from its installation to its end: a controller with the ServiceAccount, roles and
fence of deploy/kubernetes/act moves pods and puts nodes to sleep; released and uninstalled, the cluster is
what it was before."""

from __future__ import annotations

import collections.abc
import pathlib
import shlex
import signal
import subprocess

import pytest

from tests.kubernetes.api import MERGE, Api, ApiError, Object, ready
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.conftest import not_here
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.machines import Machines
from tests.kubernetes.moving import DRAIN, HUDDLECTL, close, of_app, put_one_on_each
from tests.kubernetes.process import free_ports
from tests.kubernetes.test_act import ACCOUNT, DEPLOY, EXCLUDE, api_path, apply, denied
from tests.kubernetes.test_act import NAMESPACE as OWN
from tests.kubernetes.test_doctor import quiet, run
from tests.kubernetes.test_observe import served_model
from tests.kubernetes.test_sleep import LONG_S, Sleeper
from tests.kubernetes.test_sleep import declare as declare_pool
from tests.lab import enter

NODES = ["hollow-1", "hollow-2", "hollow-3"]
SHOP = "released"
FINALIZER = "huddle.energy/awake"


def dump(api: Api) -> dict[str, object]:
    """Nodes, Deployments and pods of the tenant, without what is another time by itself. A pod that was
    moved has another name, another node, and stays pinned to it."""
    found: dict[str, object] = {}
    for node in api.list("nodes"):
        meta, status = node["metadata"], node["status"]
        spec = {k: v for k, v in node["spec"].items() if k != "taints"}
        taints = [
            {k: v for k, v in t.items() if k != "timeAdded"} for t in node["spec"].get("taints", [])
        ]
        conditions = sorted((c["type"], c["status"]) for c in status["conditions"])
        own = [meta.get(k) for k in ("labels", "annotations", "finalizers", "ownerReferences")]
        found[f"node/{meta['name']}"] = [own, spec, taints, conditions, status["allocatable"]]
    for d in api.list("deployments", SHOP):
        meta = d["metadata"]
        own = [meta.get(k) for k in ("labels", "annotations", "generation", "finalizers")]
        found[f"deployment/{meta['name']}"] = [own, d["spec"], d["status"]["readyReplicas"]]
    pods = []
    for p in api.list("pods", SHOP):
        meta, spec = p["metadata"], p["spec"]
        kept = {k: v for k, v in spec.items() if k not in ("nodeName", "affinity")}
        owners = [(o["kind"], o["name"], o.get("controller")) for o in meta["ownerReferences"]]
        own = [meta.get("labels"), meta.get("annotations"), meta.get("finalizers"), owners]
        pods.append([own, kept, ready(p)])
    found["pods"] = sorted(pods, key=str)
    return found


def finalizers(api: Api) -> list[str]:
    return list(api.get("powerpools", "all")["metadata"].get("finalizers", []))


def release(cluster: ControlPlane, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HUDDLECTL, "release", "--all", "--kubeconfig", cluster.admin_kubeconfig, *words],
        text=True,
        capture_output=True,
        check=False,
        timeout=2 * LONG_S,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )


def in_force(huddle: Api) -> bool:
    body = {"metadata": {"labels": {"probe": "x"}}}
    try:
        huddle.request("PATCH", api_path("nodes", NODES[0], ""), body, MERGE)
        return False
    except ApiError as error:
        return denied(error)


class Shipped:
    """The cluster, with all of deploy/kubernetes/act but its pods: the controller is a process here,
    as its ServiceAccount."""

    def __init__(self, hollow: HollowNodes, folder: pathlib.Path) -> None:
        self.cluster, self.api = hollow.cluster, hollow.cluster.api
        (port,) = free_ports(1)
        self.machines = Machines(hollow, NODES, folder, port)
        self.before: dict[str, object] = {}
        self.folder, self.port = folder, port

    def tenant(self) -> None:
        """One pod on each of two nodes, behind a Service."""
        self.api.create("namespaces", {"metadata": {"name": SHOP}})
        self.api.wait_for("its account", lambda: self.api.find("serviceaccounts", "default", SHOP))
        only = {"nodeSelector": {"sleeps": "yes"}, "terminationGracePeriodSeconds": 8}
        requests = {"requests": {"cpu": "100m", "memory": "100Mi"}}
        container: Object = {"lifecycle": DRAIN, "resources": requests}
        for name in NODES:
            self.api.patch("nodes", name, {"metadata": {"labels": {"sleeps": "yes"}}})
        close(self.api, NODES[2], True)
        self.api.create("deployments", deployment("web", 2, pod=only, container=container), SHOP)
        service = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        self.api.create("services", {"metadata": {"name": "web"}, "spec": service}, SHOP)
        put_one_on_each(self.api, self.pods, lambda: list(map(ready, self.pods())) == [True] * 2)
        close(self.api, NODES[2], False)
        self.before = dump(self.api)

    def pods(self) -> list[Object]:
        return of_app(self.api, SHOP, "web")

    def used(self) -> set[str]:
        return {p["spec"].get("nodeName", "") for p in self.pods()}

    def install(self) -> None:
        done = run(self.cluster.admin_kubeconfig, "install", "crds")
        assert done.returncode == 0, done.stderr
        apply(self.cluster, "-k", DEPLOY / "act")
        for plural, name in (("statefulsets", ACCOUNT), ("daemonsets", "huddle-agent")):
            self.api.delete(plural, name, OWN)  # no image of theirs is here
        self.api.wait_for("no pods of it", lambda: not self.api.list("pods", OWN), LONG_S)
        apply(self.cluster, "-n", SHOP, "-f", DEPLOY / "move/role.yaml")
        self.api.wait_for("definitions", lambda: self.api.list("powerpools") == [], LONG_S)
        token = self.cluster.account_token(OWN, ACCOUNT)
        self.cluster.tokens[ACCOUNT] = token
        huddle = Api(self.api.address, self.api.port, self.cluster.pki.ca, token=token)
        self.api.wait_for("the fence", lambda: in_force(huddle))
        declare_pool(self.api, str(self.machines.driver))
        self.api.patch("powerpools", "all", {"spec": {"standby": "0W"}})  # these machines draw 2 W
        self.api.create("servedmodels", served_model("web"), SHOP)

    def uninstall(self) -> None:
        done = self.cluster.kubectl("delete", "-k", str(DEPLOY / "act"), "--ignore-not-found")
        assert done.returncode == 0, done.stderr
        done = self.cluster.kubectl("delete", "-f", str(DEPLOY / "crds"), "--ignore-not-found")
        assert done.returncode == 0, done.stderr
        self.api.wait_for("its end", lambda: not self.api.find("namespaces", OWN), LONG_S)

    def controller(self) -> Sleeper:
        driver = str(self.machines.driver)
        return Sleeper(self.cluster, self.folder, self.port, driver, ACCOUNT, OWN)


@pytest.fixture(name="shipped", scope="module")
def _shipped(
    hollow: HollowNodes, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[Shipped]:
    if not enter.inside():
        not_here("agents see machines of their own in mount namespaces: make test-kubernetes")
    quiet(hollow.cluster.api)
    shipped = Shipped(hollow, tmp_path_factory.mktemp("release"))
    api = shipped.api
    try:
        shipped.tenant()
        shipped.install()
        yield shipped
    finally:
        if api.find("powerpools", "all"):
            api.patch("powerpools", "all", {"metadata": {"finalizers": None}})
        shipped.uninstall()
        labels = {"sleeps": None, EXCLUDE: None}
        for name in hollow.names:
            spec = {"taints": None, "unschedulable": None}
            api.patch("nodes", name, {"metadata": {"labels": labels}, "spec": spec})
        api.delete("namespaces", SHOP)
        api.wait_for("its end", lambda: not api.find("namespaces", SHOP), LONG_S)
        hollow.wait_ready(LONG_S)
        quiet(api)


def test_without_a_controller_the_way_out_is_printed(shipped: Shipped) -> None:
    api = shipped.api
    taints = [{"key": "huddle.energy/draining", "effect": "NoSchedule"}]
    labels = {EXCLUDE: "huddle"}
    api.patch("nodes", "hollow-9", {"metadata": {"labels": labels}, "spec": {"taints": taints}})
    api.patch("powerpools", "all", {"metadata": {"finalizers": [FINALIZER]}})
    assert dump(api) != shipped.before
    done = release(shipped.cluster, "--timeout", "5m")
    assert done.returncode == 1 and "no controller leads" in done.stderr, done.stderr
    assert "powerpool/all is released (it was act)" in done.stdout
    commands = [w for w in done.stderr.splitlines() if w.startswith("kubectl ")]
    for command in commands:
        assert shipped.cluster.kubectl(*shlex.split(command)[1:]).returncode == 0, command
    assert len(commands) == 3 and dump(api) == shipped.before
    assert not finalizers(api)
    done = release(shipped.cluster, "--timeout", "5m")
    assert done.returncode == 0, done.stderr


def a_refused_pool_goes(shipped: Shipped, ctl: Sleeper) -> None:
    """Its driver may not be run by this controller, which never knew it: its nodes are given back all
    the same, and it goes."""
    api, name = shipped.api, "hollow-9"
    taints = [{"key": "huddle.energy/draining", "effect": "NoSchedule"}]
    api.patch(
        "nodes", name, {"metadata": {"labels": {"refused": "yes"}}, "spec": {"taints": taints}}
    )
    pool: Object = {"mode": "act", "selector": {"refused": "yes"}}
    pool["driver"] = {"type": "exec", "program": "/nowhere/switch"}
    meta = {"name": "refused", "finalizers": [FINALIZER]}
    api.create("powerpools", {"metadata": meta, "spec": pool})
    ctl.wait("its refusal", lambda: "refused" in ctl.refused(), LONG_S)
    api.delete("powerpools", "refused")
    api.wait_for("its end", lambda: not api.find("powerpools", "refused"), LONG_S)
    assert not api.get("nodes", name)["spec"].get("taints")
    api.patch("nodes", name, {"metadata": {"labels": {"refused": None}}})


def in_the_wrong_order(shipped: Shipped, ctl: Sleeper, name: str) -> None:
    """The definitions are deleted, and all objects with them, while a node sleeps: it is woken first."""
    api, cluster = shipped.api, shipped.cluster
    api.patch("powerpolicies", "soon", {"spec": {"paused": True}})
    api.patch("powerpools", "all", {"spec": {"mode": "act"}})
    ctl.reach(name, "asleep")
    assert finalizers(api) == [FINALIZER]
    done = cluster.kubectl("delete", "-f", str(DEPLOY / "crds"), "--wait=false")
    assert done.returncode == 0, done.stderr
    gone = "powerpools.huddle.energy"
    api.wait_for("no pools", lambda: not api.find("customresourcedefinitions", gone), LONG_S)
    assert shipped.machines.power(name) == "on" and ready(api.get("nodes", name))
    assert dump(api) == shipped.before
    assert ctl.controller.process and ctl.controller.process.poll() is None


def test_released_and_uninstalled_nothing_is_left(shipped: Shipped) -> None:
    api, ctl = shipped.api, shipped.controller()
    with shipped.machines:
        try:
            ctl.start()
            a_refused_pool_goes(shipped, ctl)
            api.patch("powerpools", "all", {"spec": {"mode": "act"}})
            ctl.wait("that it leads", ctl.leads, LONG_S)
            api.patch("powerpolicies", "soon", {"spec": {"paused": False}})
            ctl.wait("one node with all pods", lambda: len(shipped.used()) == 1, LONG_S)
            empty = sorted(set(NODES) - shipped.used())
            for name in empty:
                ctl.wait_state(name, "asleep")
            assert [shipped.machines.power(n) for n in empty] == ["off", "off"]
            assert dump(api) != shipped.before and finalizers(api) == [FINALIZER]
            done = release(shipped.cluster, "--timeout", f"{LONG_S:.0f}s")
            assert done.returncode == 0, done.stdout + done.stderr
            assert [shipped.machines.power(n) for n in NODES] == ["on"] * 3
            assert not api.list("nodepowers") and dump(api) == shipped.before
            assert not finalizers(api)
            for name in NODES:
                assert ready(api.get("nodes", name)) and ctl.state(name) == "awake"
            in_the_wrong_order(shipped, ctl, empty[0])
            shipped.uninstall()
            assert dump(api) == shipped.before
        except AssertionError as error:
            told = [ctl.ctl(*w).stdout for w in (("plan",), ("get", "nodes"), ("events",))]
            log = ctl.controller.log.read_text()[-3000:]
            raise AssertionError("\n".join([str(error), *told, log])) from error
        finally:
            if ctl.controller.process:
                ctl.controller.stop(signal.SIGKILL)
