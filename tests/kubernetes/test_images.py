"""huddle's own images and manifests on real nodes: `kubectl apply -k deploy/kubernetes/observe`, and agents
in pods without a capability measure nodes and pods for a controller in a pod that looks at the cluster."""

from __future__ import annotations

import base64
import collections
import collections.abc
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import urllib.request

import pytest

from tests.kubernetes import image
from tests.kubernetes.api import ready
from tests.kubernetes.conftest import not_here
from tests.kubernetes.image import CLASSIFIER, SERVER
from tests.kubernetes.node import Nodes
from tests.kubernetes.pki import Pki
from tests.kubernetes.test_nodes import Web
from tests.lab.lab import BUILD, REPOSITORY

NAMESPACE = "huddle-system"
NAME = f"huddle-controller.{NAMESPACE}.svc"
ADDRESS = "10.96.0.77"  # the Service's, so that the names of a cluster without DNS can be given
TOKENS = {"agents": "agent", "admin": "admin"}

# What a cluster for tests has otherwise: no DNS, no volumes, nodes whose disks and meters are folders.
OVERLAY = {
    "resources": ["observe"],
    "patches": [
        {
            "target": {"kind": "Service"},
            "patch": json.dumps([{"op": "add", "path": "/spec/clusterIP", "value": ADDRESS}]),
        },
        {
            "target": {"kind": "Deployment"},
            "patch": json.dumps(
                [
                    {
                        "op": "replace",
                        "path": "/spec/template/spec/volumes/3",
                        "value": {"name": "state", "emptyDir": {}},
                    }
                ]
            ),
        },
        {
            "target": {"kind": "DaemonSet"},
            "patch": json.dumps(
                [
                    {
                        "op": "add",
                        "path": "/spec/template/spec/hostAliases",
                        "value": [{"ip": ADDRESS, "hostnames": [NAME]}],
                    },
                    {
                        "op": "replace",
                        "path": "/spec/template/spec/volumes/3",
                        "value": {"name": "state", "emptyDir": {}},
                    },
                    {
                        "op": "replace",
                        "path": "/spec/template/spec/volumes/5/hostPath/path",
                        "value": "/sys/class",
                    },
                    {
                        "op": "replace",
                        "path": "/spec/template/spec/volumes/6/hostPath/path",
                        "value": "/run/node-cgroup",
                    },
                ]
            ),
        },
        {
            "target": {"kind": "PersistentVolumeClaim"},
            "patch": json.dumps(
                {
                    "$patch": "delete",
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "huddle-controller"},
                }
            ),
        },
    ],
}


def secret(real: Nodes, name: str, files: dict[str, bytes]) -> None:
    data = {file: base64.b64encode(text).decode() for file, text in files.items()}
    real.cluster.api.create("secrets", {"metadata": {"name": name}, "data": data}, NAMESPACE)


class Installed:
    """What deploy/kubernetes/README.md says, done."""

    def __init__(self, real: Nodes, folder: pathlib.Path) -> None:
        self.real, self.api = real, real.cluster.api
        for part in ("base", "observe"):
            shutil.copytree(REPOSITORY / "deploy/kubernetes" / part, folder / part)
        self.kubectl("apply", "-f", str(REPOSITORY / "deploy/kubernetes/crds"))
        (folder / "kustomization.yaml").write_text(json.dumps(OVERLAY))
        self.kubectl("apply", "-f", str(folder / "base/namespace.yaml"))
        pki = Pki(folder)
        certificate = pki.server("tls", [ADDRESS], [NAME])
        self.ca = pki.ca
        self.token = {
            name: hashlib.sha256(name.encode() + os.urandom(8)).hexdigest() for name in TOKENS
        }
        lines = ""
        for name, role in TOKENS.items():
            digest = hashlib.sha256(self.token[name].encode()).hexdigest()
            lines += f"{name} {role} sha256:{digest}{' node:*' if role == 'agent' else ''}\n"
        files = {"tls.crt": certificate, "tls.key": folder / "tls.key", "ca.crt": pki.ca}
        secret(real, "huddle-tls", {name: file.read_bytes() for name, file in files.items()})
        secret(real, "huddle-tokens", {"tokens": lines.encode()})
        secret(real, "huddle-agent-token", {"token": self.token["agents"].encode()})
        self.kubectl("apply", "-k", str(folder))

    def kubectl(self, *words: str) -> str:
        done = self.real.cluster.kubectl(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pods(self, app: str) -> list[dict]:
        wanted = f"app.kubernetes.io/name={app}"
        return self.api.list("pods", NAMESPACE, labelSelector=wanted)

    def ctl(self, *words: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HUDDLE_SERVER": f"https://{ADDRESS}:7443",
            "HUDDLE_CA": str(self.ca),
            "HUDDLE_TOKEN": self.token["admin"],
        }
        done = subprocess.run(
            [str(BUILD / "huddlectl"), *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def nodes(self) -> dict[str, dict]:
        listed = json.loads(self.ctl("get", "nodes", "-o", "json"))
        return {n["metadata"]["name"]: n["status"] for n in listed["items"]}


@pytest.fixture(scope="module")
def installed(
    real: Nodes, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[Installed]:
    if len(image.own()) != 2:
        not_here("there are no images: make images")
    made = Installed(real, tmp_path_factory.mktemp("install"))
    api = real.cluster.api
    api.wait_for(
        "its pods Ready",
        lambda: [
            len([p for p in made.pods(a) if ready(p)])
            for a in ("huddle-controller", "huddle-agent")
        ]
        == [1, 3],
        120,
    )
    # kube-proxy follows: refused until then
    api.wait_for(
        "the Service", lambda: socket.create_connection((ADDRESS, 7443), 5).close() is None
    )
    yield made
    for kind in ("servedmodels", "powerpools", "powerpolicies", "nodepowers"):
        api.delete("customresourcedefinitions", f"{kind}.huddle.energy")
    api.delete("namespaces", NAMESPACE)
    api.request("DELETE", api.path("pods", NAMESPACE), {"gracePeriodSeconds": 0})
    api.wait_for("no pods of huddle", lambda: not api.list("pods", NAMESPACE), 60)


def test_agents_in_pods_measure(installed: Installed) -> None:
    api = installed.api

    def measured() -> bool:
        nodes = installed.nodes()
        return nodes.keys() == {"n1", "n2", "n3"} and all(
            n.get("energy", {}).get("measuredJ", 0) > 0 for n in nodes.values()
        )

    api.wait_for("joules of all nodes", measured, 60)
    before = installed.nodes()
    api.wait_for(
        "more joules",
        lambda: all(
            n["energy"]["measuredJ"] > before[name]["energy"]["measuredJ"]
            for name, n in installed.nodes().items()
        ),
        60,
    )


def told_of_pods(installed: Installed, metric: str) -> dict[str, float]:
    """By uid, as the agents' pages have it."""
    sums: dict[str, float] = collections.defaultdict(float)
    for pod in installed.pods("huddle-agent"):
        url = f"http://{pod['status']['podIP']}:9101/metrics"
        with urllib.request.urlopen(url, timeout=10) as page:
            for line in page.read().decode().splitlines():
                found = re.match(metric + r'{uid="([^"]+)".*} (\S+)', line)
                if found:
                    sums[found[1]] += float(found[2])
    return sums


def test_agents_know_what_each_pod_uses(installed: Installed) -> None:
    api = installed.api

    def cpu_s() -> dict[str, float]:
        return told_of_pods(installed, "huddle_pod_cpu_seconds_total")

    def joules() -> dict[str, float]:
        return told_of_pods(installed, "huddle_pod_energy_joules_total")

    busy = {"image": CLASSIFIER, "command": ["/bin/classifier-serve"]}
    busy["args"] = ["--weights", "/weights/large.bin", "--port", "8080", "--warm-up", "1000000"]
    for name, container in {
        "busy": busy,
        "idle": {"image": SERVER, "args": ["8080"]},
    }.items():
        spec = {"nodeName": "n1", "containers": [{"name": "c", **container}]}
        api.create("pods", {"metadata": {"name": name}, "spec": spec}, NAMESPACE)
    uid = {n: api.get("pods", n, NAMESPACE)["metadata"]["uid"] for n in ("busy", "idle")}
    api.wait_for("both are told", lambda: set(uid.values()) <= cpu_s().keys(), 60)
    running = {p["metadata"]["uid"] for p in api.list("pods") if p["status"]["phase"] == "Running"}
    assert running <= cpu_s().keys()
    cpu, drawn = cpu_s(), joules()
    api.wait_for(
        "CPU time of the busy one", lambda: cpu_s()[uid["busy"]] > cpu[uid["busy"]] + 5, 60
    )
    assert cpu_s()[uid["idle"]] < cpu[uid["idle"]] + 1
    # What is idle is learned in the course of time: until then all joules go by what is requested.
    assert all(joules()[u] > drawn[u] for u in uid.values())
    api.request("DELETE", api.path("pods", NAMESPACE, "busy"), {"gracePeriodSeconds": 0})
    api.wait_for("it is gone", lambda: uid["busy"] not in cpu_s(), 60)
    assert uid["idle"] in cpu_s()


def test_controller_knows_what_a_model_draws(
    installed: Installed, real: Nodes, real_namespace: str
) -> None:
    """Which pods are a model's is Kubernetes' word, what they draw the agents'."""
    api = installed.api
    web = Web(real, real_namespace, 2)
    api.create("powerpools", {"metadata": {"name": "all"}, "spec": {"minAwake": 1}})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    model = {"metadata": {"name": "web"}, "spec": {"targetRef": target}}
    api.create("servedmodels", model, real_namespace)
    uids = {p["metadata"]["uid"] for p in web.pods()}

    def drawn() -> bool:
        listed = json.loads(installed.ctl("get", "replicas", "-o", "json"))["items"]
        by_uid = {r["metadata"]["name"]: r["status"] for r in listed}
        return by_uid.keys() == uids and all(
            (s["energyIdleJ"] or 0) > 0 and (s["memoryBytes"] or 0) > 0 for s in by_uid.values()
        )

    api.wait_for("joules of its pods", drawn, 60)
    models = json.loads(installed.ctl("get", "models", "-o", "json"))["items"]
    (status,) = [m["status"] for m in models]
    assert status["energyIdleJ"] > 0
    assert "web" in installed.ctl("get", "models")
    said = installed.ctl("explain", "node", "n1")
    assert "n1" in said


def test_agents_have_no_rights(installed: Installed) -> None:
    pids = installed.real.pids("huddle-agent")
    assert len(pids) == 3
    for pid in pids:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {values[f"Cap{s}"] for s in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert values["NoNewPrivs"] == "1"
        assert not (pathlib.Path(f"/proc/{pid}/root/var/run/secrets")).exists()


def test_controller_is_nobody(installed: Installed) -> None:
    (pid,) = installed.real.pids("huddle-controll")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "\nUid:\t65532\t65532\t65532\t65532\n" in status
    (pod,) = installed.pods("huddle-controller")
    said = installed.kubectl(
        "exec", "-n", NAMESPACE, pod["metadata"]["name"], "--", "huddlectl", "version", "--client"
    )
    assert said.startswith("Client: "), said
