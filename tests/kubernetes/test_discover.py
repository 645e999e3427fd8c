"""huddlectl discover on a real API server: what it proposes is accepted by huddlectl apply."""

from __future__ import annotations

import json
import pathlib
import subprocess

from tests.kubernetes.api import Object
from tests.kubernetes.cluster import ControlPlane, deployment
from tests.kubernetes.test_doctor import HUDDLECTL, run


def discover(cluster: ControlPlane, namespace: str) -> dict[str, Object]:
    """The specs proposed, by name."""
    done = run(cluster.admin_kubeconfig, "discover", "-n", namespace, "-o", "json")
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"] if done.stdout else []
    assert all(i["metadata"]["namespace"] == namespace for i in items)
    return {i["metadata"]["name"]: i["spec"] for i in items}


def make(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api
    gpu = {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"nvidia.com/gpu": 2}}
    probe = {"httpGet": {"path": "/h", "port": 80}, "periodSeconds": 5, "failureThreshold": 60}
    vllm = {"image": "vllm/vllm-openai:v1", "resources": gpu, "startupProbe": probe}
    for body in (
        deployment("chat", 1, container=vllm, pod={"nodeSelector": {"gpu": "h100"}}),
        deployment("llama", 2, container={"command": ["/app/llama-server", "-m", "x.gguf"]}),
        deployment("device", 1, container={"resources": {"limits": {"amd.com/gpu": 1}}}),
        deployment("alone", 1, container={"resources": {"limits": {"amd.com/gpu": 1}}}),
        deployment("web", 1),
    ):
        api.create("deployments", body, namespace)
    for name in ("device", "web"):
        spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
        api.create("services", {"metadata": {"name": name}, "spec": spec}, namespace)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    hpa = {
        "scaleTargetRef": target,
        "minReplicas": 1,
        "maxReplicas": 7,
        "metrics": [{"type": "Resource", "resource": metric}],
    }
    api.create("horizontalpodautoscalers", {"metadata": {"name": "h"}, "spec": hpa}, namespace)
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "llama"}}}
    api.create("poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": budget}, namespace)
    api.wait_for(
        "the budget counted",
        lambda: api.get("poddisruptionbudgets", "b", namespace)
        .get("status", {})
        .get("desiredHealthy")
        == 1,
    )


def test_model_servers_are_proposed(cluster: ControlPlane, namespace: str) -> None:
    assert discover(cluster, namespace) == {}
    make(cluster, namespace)
    found = discover(cluster, namespace)
    assert sorted(found) == ["chat", "device", "llama"]
    chat = found["chat"]
    assert chat["targetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    assert chat["scaling"] == {"owner": "External"}
    assert chat["replicas"] == {"min": 1, "max": 7}
    assert chat["resources"] == {"cpu": "500m", "memory": "2Gi", "gpu": {"count": 2}}
    assert chat["demand"] == {"source": "metrics", "preset": "vllm", "path": "/metrics"}
    assert chat["startupTime"] == "300s"
    assert chat["placement"] == {"nodeSelector": {"gpu": "h100"}}
    llama = found["llama"]
    assert llama["demand"]["preset"] == "llamacpp" and "scaling" not in llama
    assert llama["disruption"] == {"minAvailable": 1}
    assert "demand" not in found["device"]


def test_proposals_are_accepted_by_apply(
    cluster: ControlPlane, namespace: str, tmp_path: pathlib.Path
) -> None:
    make(cluster, namespace)
    done = run(cluster.admin_kubeconfig, "discover", "-n", namespace, "-o", "yaml")
    assert done.returncode == 0, done.stderr
    assert "# runs vllm" in done.stdout
    assert "# no metrics page found" in done.stdout
    file = tmp_path / "models.yaml"
    file.write_text(done.stdout, encoding="utf-8")
    words = [str(HUDDLECTL), "apply", "--dry-run=client", "-o", "name", "-f", str(file)]
    applied = subprocess.run(words, text=True, capture_output=True, check=False)
    assert applied.returncode == 0, applied.stderr
    names = [line.rpartition("/")[2].split()[0] for line in applied.stdout.splitlines()]
    assert names == ["chat", "device", "llama"]
    table = run(cluster.admin_kubeconfig, "discover", "-n", namespace)
    assert "requests a GPU, behind Service device" in table.stdout


def test_who_may_not_list_is_told(cluster: ControlPlane) -> None:
    done = run(cluster.kubeconfig("tenant"), "discover")
    assert done.returncode == 1 and "workloads cannot be listed" in done.stderr
