"""KServe in its raw deployment mode: the predictor's Deployment belongs to an InferenceService. Its pods move by
adoption, also under a HorizontalPodAutoscaler; its `replicas` are never written."""

from __future__ import annotations

from tests.kubernetes.api import Api, ApiError, Object
from tests.kubernetes.cluster import deployment
from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.moving import DRAIN, Mover, Watched, another_node, of_app
from tests.kubernetes.test_stand_in import may_scale_alone
from tests.kubernetes.test_steer import may_move, may_no_more

GROUP, N, NAME = "serving.kserve.io", 2, "iris-predictor"
SERVICES = f"inferenceservices.{GROUP}"


def define(api: Api) -> None:
    names = {"plural": "inferenceservices", "singular": "inferenceservice"}
    names |= {"kind": "InferenceService"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: Object = {"name": "v1beta1", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": schema}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}
    api.create("customresourcedefinitions", {"metadata": {"name": SERVICES}, "spec": spec})


def make(api: Api, namespace: str) -> None:
    """As KServe makes it: a Deployment NAME-predictor of the InferenceService, its Service, and its autoscaler."""
    path = f"/apis/{GROUP}/v1beta1/namespaces/{namespace}/inferenceservices"
    meta = {"name": "iris", "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}}
    body = {"apiVersion": f"{GROUP}/v1beta1", "kind": "InferenceService", "metadata": meta}
    api.wait_for("InferenceServices are served", lambda: serves(api, path), 30)
    isvc = api.request("POST", path, body)
    container: Object = {"lifecycle": DRAIN, "resources": {"requests": {"cpu": "100m"}}}
    pod = {"terminationGracePeriodSeconds": 8}
    predictor = deployment(NAME, N, pod=pod, container=container)
    owner = {"apiVersion": f"{GROUP}/v1beta1", "kind": "InferenceService", "name": "iris"}
    owner |= {"uid": isvc["metadata"]["uid"], "controller": True}
    predictor["metadata"]["ownerReferences"] = [owner]
    api.create("deployments", predictor, namespace)
    service = {"selector": {"app": NAME}, "ports": [{"port": 80}]}
    api.create("services", {"metadata": {"name": NAME}, "spec": service}, namespace)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    scaler = {"scaleTargetRef": target, "minReplicas": N, "maxReplicas": N}
    body = {"metadata": {"name": NAME}, "spec": scaler}
    api.create("horizontalpodautoscalers", body, namespace)
    api.wait_for("pods that serve", lambda: n_serving(api, namespace) == N, 90)


def serves(api: Api, path: str) -> bool:
    try:
        api.request("GET", path)
    except ApiError:  # not yet
        return False
    return True


def n_serving(api: Api, namespace: str) -> int:
    slices = api.list("endpointslices", namespace)
    ends = [e for s in slices for e in s.get("endpoints") or []]
    return sum(bool(e["conditions"].get("ready")) for e in ends)


def test_a_predictor_moves_by_adoption_and_by_nothing_else(
    hollow: HollowNodes, namespace: str
) -> None:
    api = hollow.cluster.api
    define(api)
    may_move(hollow.cluster, namespace)
    mover = Mover(hollow.cluster, namespace)
    mover.words[-1] = str(hollow.cluster.kubeconfig("steerer"))
    try:
        make(api, namespace)
        pod = of_app(api, namespace, NAME)[0]
        name, node = pod["metadata"]["name"], another_node(pod, hollow.names)
        with Watched(api, namespace, [NAME], N) as watched:
            mover.move(name, node)
        watched.check()
        pod = of_app(api, namespace, NAME)[0]
        may_scale_alone(hollow.cluster, namespace)  # and make no pods
        name, node = pod["metadata"]["name"], another_node(pod, hollow.names)
        assert "InferenceService iris" in mover.refused(name, node, "ReplicasNotHuddles")
    finally:
        may_no_more(api, namespace)
        api.delete("customresourcedefinitions", SERVICES)
