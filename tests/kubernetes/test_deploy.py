"""deploy/kubernetes and deploy/examples/kubernetes on a real API server: all of it is taken, and does what its comments
say. Kinds of others (Prometheus Operator, KServe) have definitions without a schema here: of them only the names are checked.
"""

from __future__ import annotations

import collections.abc
import json
import os
import pathlib
import subprocess

import pytest

from tests.kubernetes.api import Api, Object
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import keep_logs, need
from tests.lab.enter import REPOSITORY

HUDDLECTL = REPOSITORY / os.environ.get("HUDDLE_BUILD", "build/release") / "huddlectl"
DEPLOY = REPOSITORY / "deploy/kubernetes"
EXAMPLES = REPOSITORY / "deploy/examples/kubernetes"
NAMESPACE = "huddle-system"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
FOREIGN = {
    "monitoring.coreos.com": {
        "v1": ["ServiceMonitor", "PodMonitor", "PrometheusRule"],
        "v1alpha1": ["AlertmanagerConfig"],
    },
    "serving.kserve.io": {"v1beta1": ["InferenceService"]},
}


def definition(group: str, version: str, kind: str) -> Object:
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }


@pytest.fixture(name="server", scope="module")
def _server(folder: pathlib.Path) -> collections.abc.Iterator[ControlPlane]:
    """etcd and the API server alone, with deploy/kubernetes/observe and the definitions."""
    need("control")
    with ControlPlane(folder / "deploy") as cluster:
        try:
            cluster.start_etcd()
            cluster.start_apiserver()
            api = cluster.api
            api.wait_for("a namespace", lambda: api.find("namespaces", "default"))
            kubectl(cluster, "apply", "-f", DEPLOY / "crds")
            kubectl(cluster, "apply", "-k", DEPLOY / "observe")
            for group, versions in FOREIGN.items():
                for version, kinds in versions.items():
                    for kind in kinds:
                        body = definition(group, version, kind)
                        api.create("customresourcedefinitions", body)
                        served = f"/apis/{group}/{version}/{body['spec']['names']['plural']}"
                        api.wait_for(kind, lambda s=served: api.request("GET", s))
            yield cluster
        finally:
            keep_logs(cluster.folder, "deploy")


def kubectl(cluster: ControlPlane, *words: object) -> str:
    done = cluster.kubectl(*map(str, words))
    assert done.returncode == 0, done.stderr
    return done.stdout


def huddlectl(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HUDDLECTL, *map(str, words)],
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )


def folders() -> list[str]:
    return sorted(f.name for f in EXAMPLES.iterdir() if f.is_dir())


def test_examples_are_those_of_the_readme() -> None:
    told = (EXAMPLES / "README.md").read_text()
    assert folders() == ["classifier", "kserve", "llamacpp", "triton", "vllm"]
    assert all(f"| `{f}` |" in told for f in folders())


@pytest.mark.parametrize("name", folders())
def test_example(server: ControlPlane, name: str) -> None:
    """Strictly read by huddlectl and by the API server; what a pod asks for is what its model says; and huddlectl
    doctor knows no reason not to move its pods."""
    model = EXAMPLES / name / "model.yaml"
    told = huddlectl("apply", "--dry-run=client", "-o", "json", "-f", model)
    assert told.returncode == 0, told.stderr
    spec = json.loads(told.stdout)["spec"]
    space = f"example-{name}"
    server.api.create("namespaces", {"metadata": {"name": space}})
    for how in (("--dry-run=server",), ()):
        kubectl(server, "apply", "--validate=strict", *how, "-n", space, "-f", EXAMPLES / name)
    target = spec["targetRef"]
    kind = f"{target['kind'].lower()}s.{target['apiVersion'].split('/')[0]}"
    found = json.loads(kubectl(server, "get", kind, target["name"], "-n", space, "-o", "json"))
    if (
        name == "kserve"
    ):  # of KServe nothing runs here: the pod is what it would make of the predictor
        predictor = found["spec"]["predictor"]
        container = predictor.pop("model")
        pod = {"containers": [container], **predictor}
    else:
        pod = found["spec"]["template"]["spec"]
        container = pod["containers"][0]
    asked = container["resources"]["requests"]
    wanted = spec["resources"]
    assert (asked["cpu"], asked["memory"]) == (wanted["cpu"], wanted["memory"])
    gpus = int(container["resources"]["limits"].get("nvidia.com/gpu", 0))
    assert gpus == wanted["gpu"]["count"]
    assert container["readinessProbe"] and container["lifecycle"]["preStop"]
    report = huddlectl("doctor", "-o", "json", "-n", space, "--kubeconfig", server.admin_kubeconfig)
    codes = {f["code"] for f in json.loads(report.stdout)["findings"]}
    lint = {"NoPreStop", "GraceTooShort", "ShutdownTimeoutZero", "Recreate", "HostPath"}
    assert not codes & (lint | {"SingleReplicaNoSurge"}), report.stdout


def test_doctor_would_tell(server: ControlPlane) -> None:
    """The same look at the same server, without its hook: so the examples' silence means something."""
    server.api.create("namespaces", {"metadata": {"name": "abrupt"}})
    kubectl(server, "apply", "-n", "abrupt", "-f", EXAMPLES / "vllm/server.yaml")
    for path, code in (
        ("/spec/template/spec/containers/0/args", "ShutdownTimeoutZero"),
        ("/spec/template/spec/containers/0/lifecycle", "NoPreStop"),
    ):
        patch = json.dumps([{"op": "remove", "path": path}])
        kubectl(server, "patch", "-n", "abrupt", "deploy/chat", "--type=json", "-p", patch)
        done = huddlectl(
            "doctor", "-o", "json", "-n", "abrupt", "--kubeconfig", server.admin_kubeconfig
        )
        assert code in {f["code"] for f in json.loads(done.stdout)["findings"]}


def test_requests_of_huddle_have_a_queue_of_their_own(server: ControlPlane) -> None:
    """By what the API server says of each answer."""
    token = server.account_token(NAMESPACE, "huddle-controller")
    huddle = Api(server.address, server.port, server.pki.ca, token=token)
    uid = {
        item["metadata"]["uid"]: item["metadata"]["name"]
        for plural in ("flowschemas", "prioritylevelconfigurations")
        for item in server.api.request("GET", f"{FLOW}/{plural}")["items"]
    }

    def flow(path: str) -> tuple[str, str]:
        connection = huddle.connect()
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            names = ("X-Kubernetes-PF-FlowSchema-UID", "X-Kubernetes-PF-PriorityLevel-UID")
            schema, level = (uid.get(answer.headers[n] or "", "") for n in names)
            return schema, level
        finally:
            connection.close()

    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/huddle-controller"
    server.api.wait_for("its flow", lambda: flow("/api/v1/nodes") == ("huddle", "huddle"))
    server.api.wait_for("its Lease", lambda: flow(lease) == ("huddle-leader", "leader-election"))


def test_prometheus_operator(server: ControlPlane) -> None:
    kubectl(server, "apply", "-k", DEPLOY / "prometheus-operator")

    def made(plural: str, version: str = "v1") -> Object:
        path = f"/apis/monitoring.coreos.com/{version}/namespaces/{NAMESPACE}/{plural}"
        (item,) = server.api.request("GET", path)["items"]
        found: Object = item["spec"]
        return found

    service = server.api.get("services", "huddle-controller", NAMESPACE)
    monitor = made("servicemonitors")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {p["name"] for p in service["spec"]["ports"]}
    assert endpoint["tlsConfig"]["serverName"] == f"huddle-controller.{NAMESPACE}.svc"
    template = server.api.get("daemonsets", "huddle-agent", NAMESPACE)["spec"]["template"]
    agents = made("podmonitors")
    assert agents["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = agents["podMetricsEndpoints"]
    ports = template["spec"]["containers"][0]["ports"]
    assert endpoint["port"] in {p["name"] for p in ports}
    # The alerts ask for these jobs: the label that names a job must be there, and say so.
    label = monitor["jobLabel"]
    assert service["metadata"]["labels"][label] == "huddle-controller"
    assert template["metadata"]["labels"][agents["jobLabel"]] == "huddle-agent"
    groups = made("prometheusrules")["groups"]
    assert {g["name"] for g in groups} == {"huddle", "huddle-kubernetes"}
    assert len(made("alertmanagerconfigs", "v1alpha1")["inhibitRules"]) == 4


def test_network_policies_are_of_pods_and_ports_that_there_are(server: ControlPlane) -> None:
    """No program here enforces them: that they select what they are meant for is checked."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
    policies = {p["metadata"]["name"]: p["spec"] for p in server.api.request("GET", path)["items"]}
    pods = {
        name: server.api.get(plural, name, NAMESPACE)["spec"]["template"]
        for plural, name in (("deployments", "huddle-controller"), ("daemonsets", "huddle-agent"))
    }
    assert policies.keys() == pods.keys()
    for name, policy in policies.items():
        chosen = policy["podSelector"]["matchLabels"].items()
        assert [n for n, p in pods.items() if chosen <= p["metadata"]["labels"].items()] == [name]
        open_ports = {p["containerPort"] for p in pods[name]["spec"]["containers"][0]["ports"]}
        allowed = {p["port"] for rule in policy["ingress"] for p in rule["ports"]}
        assert allowed == open_ports
    peers = policies["huddle-controller"]["ingress"][0]["from"]
    agent = pods["huddle-agent"]["metadata"]["labels"].items()
    assert any(
        p.get("podSelector", {}).get("matchLabels", {"": ""}).items() <= agent for p in peers
    )
