"""A large cluster as objects on KubeLists: nodes, and on each of them daemons and either replicas of
ServedModels or pods of others. Pods are as long as an API server has them (managedFields, volumes,
conditions), and made when they are told: a hundred thousand of them need no gigabyte here."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tests.integration.kube_lists import KubeLists

CORE, APPS = "/api/v1", "/apis/apps/v1"
OWN = "/apis/huddle.energy/v1alpha1"
LEASES = "/apis/coordination.k8s.io/v1/leases"
DAEMONS = ("kube-proxy", "cni", "huddle-agent")
PODS_OF_OWNER = 250
REVISIONS = 10  # ReplicaSets of a Deployment, as revisionHistoryLimit keeps them
MADE = "2026-11-01T00:00:00Z"

Object = dict[str, Any]


def managed(*fields: str) -> list[Object]:
    """As each writer's list of its fields: a third of a pod's bytes."""
    owned = {f"f:{field}": {".": {}, "f:name": {}, "f:value": {}} for field in fields}
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": MADE,
            "fieldsType": "FieldsV1",
            "fieldsV1": owned,
        }
        for manager in ("kube-controller-manager", "kubelet")
    ]


def spec(cpu: str, memory: str) -> Object:
    """Of a server's pod that ends without losing a request."""
    mount = {"name": "kube-api-access", "mountPath": "/var/run/secrets/serviceaccount"}
    container = {
        "name": "server",
        "image": "registry.example/models/server@sha256:" + "0123456789abcdef" * 4,
        "args": ["--model", "/models/weights", "--max-num-seqs", "256", "--port", "8000"],
        "env": [{"name": f"SETTING_{i}", "value": f"value of {i}"} for i in range(12)],
        "ports": [{"containerPort": 8000, "name": "http", "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": cpu, "memory": memory},
            "limits": {"memory": memory},
        },
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 5},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "15"]}}},
        "volumeMounts": [mount, {"name": "models", "mountPath": "/models"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    authority = {
        "configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    }
    return {
        "containers": [container],
        "volumes": [
            {"name": "models", "emptyDir": {}},
            {"name": "kube-api-access", "projected": {"sources": [token, authority]}},
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 60,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        "nodeSelector": {"example.com/pool": "serving", "kubernetes.io/arch": "amd64"},
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{condition}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for condition in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }


class Owner:
    """A Deployment with its ReplicaSets, or a DaemonSet. `text`: of a pod, with %-keys."""

    def __init__(self, kind: str, namespace: str, name: str, cpu: str, memory: str) -> None:
        self.kind, self.namespace, self.name = kind, namespace, name
        self.hash = f"{zlib.crc32(name.encode()):09x}"
        self.pods = 0
        self.spec = spec(cpu, memory)
        self.labels = {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/part-of": "fleet",
            "app.kubernetes.io/managed-by": "Helm",
            "team": namespace,
        }
        self.uid = (
            f"{self.hash[:8]}-0000-4000-8000-0000000000{'d0' if kind == 'DaemonSet' else 'de'}"
        )
        self.text = self._pod_text()

    def _set(self, revision: int) -> tuple[str, str]:
        """Name and uid of a ReplicaSet; the newest is 0."""
        return f"{self.name}-{self.hash}{revision}", f"{self.uid[:-4]}{revision:02x}e5"

    def _pod_text(self) -> str:
        name, uid = (self.name, self.uid) if self.kind == "DaemonSet" else self._set(0)
        kind = self.kind if self.kind == "DaemonSet" else "ReplicaSet"
        labels = {**self.labels, "pod-template-hash": f"{self.hash}0"}
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid}
        conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]
        pod = {
            "metadata": {
                "name": "%(name)s",
                "namespace": self.namespace,
                "uid": "%(uid)s",
                "resourceVersion": "%(version)s",
                "creationTimestamp": MADE,
                "labels": labels,
                "annotations": {"example.com/rendered": "0123456789abcdef" * 8},
                "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
                "managedFields": managed(*(f"field-{i}" for i in range(12))),
            },
            "spec": {**self.spec, "nodeName": "%(node)s"},
            "status": {
                "phase": "Running",
                "podIP": "%(address)s",
                "hostIP": "10.0.0.1",
                "startTime": MADE,
                "qosClass": "Burstable",
                "conditions": [
                    {
                        "type": kind,
                        "status": "%(ready)s" if kind == "Ready" else "True",
                        "lastTransitionTime": MADE,
                    }
                    for kind in [*conditions, "PodScheduled"]
                ],
                "containerStatuses": [
                    {
                        "name": "server",
                        "ready": True,
                        "started": True,
                        "restartCount": 0,
                        "imageID": "registry.example/models/server@sha256:" + "ab" * 32,
                        "containerID": "containerd://" + "%(uid)s" * 2,
                        "state": {"running": {"startedAt": MADE}},
                    }
                ],
            },
        }
        return json.dumps(pod)

    def put(self, lists: KubeLists) -> None:
        key = f"{self.namespace}/{self.name}"
        labels = {"app.kubernetes.io/name": self.name}
        template = {"metadata": {"labels": self.labels}, "spec": self.spec}
        meta = {"name": self.name, "namespace": self.namespace, "uid": self.uid, "generation": 1}
        status = {"observedGeneration": 1, "replicas": self.pods, "readyReplicas": self.pods}
        whole = {
            "metadata": {**meta, "labels": self.labels, "managedFields": managed("spec", "status")},
            "spec": {
                "replicas": self.pods,
                "selector": {"matchLabels": labels},
                "template": template,
            },
            "status": {**status, "updatedReplicas": self.pods},
        }
        if self.kind == "DaemonSet":
            whole["status"]["desiredNumberScheduled"] = self.pods
            lists.objects[f"{APPS}/daemonsets"][key] = json.dumps(whole)
            return
        lists.objects[f"{APPS}/deployments"][key] = json.dumps(whole)
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name, "uid": self.uid}
        for revision in range(REVISIONS):
            name, uid = self._set(revision)
            n = 0 if revision else self.pods
            old = json.loads(json.dumps(whole))
            old["metadata"] |= {"name": name, "uid": uid}
            old["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
            old["spec"]["replicas"] = n
            old["status"] = {"observedGeneration": 1, "replicas": n, "readyReplicas": n}
            lists.objects[f"{APPS}/replicasets"][f"{self.namespace}/{name}"] = json.dumps(old)


class Pod:
    """Its text is made when it is asked for."""

    __slots__ = ("number", "owner", "node", "version", "ready")

    def __init__(self, number: int, owner: Owner, node: str) -> None:
        self.number, self.owner, self.node, self.version = number, owner, node, 1
        self.ready = True

    @property
    def name(self) -> str:
        return f"{self.owner.name}-{self.owner.hash}0-{self.number:05x}"

    def __str__(self) -> str:
        n = self.number
        return self.owner.text % {
            "name": self.name,
            "uid": f"{n:08x}-1111-4111-8111-{n * 7919:012x}",
            "version": str(self.version * 1000000 + n),
            "node": self.node,
            "ready": str(self.ready),
            "address": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
        }


class Fleet:
    """`n_nodes` nodes with `pods_a_node` pods on each, put into the lists; a quarter of the nodes has pods
    that are no replicas. One PowerPool has all nodes, in this mode."""

    def __init__(
        self, lists: KubeLists, n_nodes: int, pods_a_node: int, mode: str = "observe"
    ) -> None:
        self.lists = lists
        self.pods: list[Pod] = []
        self.daemons = [Owner("DaemonSet", "kube-system", name, "50m", "64Mi") for name in DAEMONS]
        self.owners: list[Owner] = []
        self.models = 0
        filling: dict[str, Owner] = {}
        for i in range(n_nodes):
            self._put_node(i)
            for daemon in self.daemons:
                self._put_pod(daemon, f"node-{i:05}")
            what = "other" if i % 4 == 0 else "model"
            for _ in range(pods_a_node - len(DAEMONS)):
                owner = filling.get(what)
                if not owner or owner.pods == PODS_OF_OWNER:
                    n = len(self.owners)
                    owner = Owner("Deployment", f"team-{n % 40}", f"{what}-{n}", "900m", "3Gi")
                    filling[what] = owner
                    self.owners.append(owner)
                self._put_pod(owner, f"node-{i:05}")
        for owner in [*self.daemons, *self.owners]:
            owner.put(lists)
        for owner in self.owners:
            if owner.name.startswith("model-"):
                self._put_model(owner)
        lease = {  # given back
            "metadata": {"name": "huddle-controller", "resourceVersion": "1"},
            "spec": {"holderIdentity": "", "leaseDurationSeconds": 1},
        }
        lists.objects[LEASES]["huddle-system/huddle-controller"] = json.dumps(lease)
        pool = {"metadata": {"name": "all", "uid": "pool-all"}, "spec": {"mode": mode}}
        lists.objects[f"{OWN}/powerpools"]["all"] = json.dumps(pool)

    def _put_node(self, i: int) -> None:
        name = f"node-{i:05}"
        amounts = {"cpu": "32", "memory": "128Gi", "pods": "110", "ephemeral-storage": "400Gi"}
        node = {
            "metadata": {
                "name": name,
                "uid": f"{i:08x}-2222-4222-8222-222222222222",
                "labels": {
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/os": "linux",
                    "example.com/pool": "serving",
                    "topology.kubernetes.io/zone": f"zone-{i % 3}",
                },
                "managedFields": managed(*(f"field-{k}" for k in range(20))),
            },
            "spec": {"podCIDR": f"10.{i >> 8 & 255}.{i & 255}.0/24"},
            "status": {
                "allocatable": amounts,
                "capacity": amounts,
                "addresses": [{"type": "InternalIP", "address": f"10.200.{i >> 8}.{i & 255}"}],
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": MADE}],
                "nodeInfo": {"bootID": f"{i:08x}-3333-4333-8333-333333333333"},
                "images": [
                    {"names": [f"registry.example/i{k}@sha256:" + "cd" * 32], "sizeBytes": k}
                    for k in range(50)
                ],
            },
        }
        self.lists.objects[f"{CORE}/nodes"][name] = json.dumps(node)

    def _put_pod(self, owner: Owner, node: str) -> None:
        pod = Pod(len(self.pods), owner, node)
        owner.pods += 1
        self.pods.append(pod)
        self.lists.objects[f"{CORE}/pods"][f"{owner.namespace}/{pod.name}"] = pod

    def _put_model(self, owner: Owner) -> None:
        model = {
            "metadata": {"name": owner.name, "namespace": owner.namespace, "uid": f"m-{owner.uid}"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner.name},
                "capacity": {"concurrency": 10},
                "scaling": {"owner": "External"},
            },
        }
        key = f"{owner.namespace}/{owner.name}"
        self.lists.objects[f"{OWN}/servedmodels"][key] = json.dumps(model)
        self.models += 1

    def change(self, number: int, ready: bool = True) -> None:
        """The pod is another version of itself, as when its kubelet writes its status."""
        pod = self.pods[number % len(self.pods)]
        pod.version += 1
        pod.ready = ready
        self.lists.put(f"{CORE}/pods", f"{pod.owner.namespace}/{pod.name}", pod)
