"""A Kubernetes control plane of a test's own: etcd, API server, controller manager, scheduler.

All of it listens on `address` (loopback, or an address of the test's own network) at ports that were
free, keeps its state in one folder, and dies with the process that started it. Nodes are added by
hollow.py and node.py.
"""

from __future__ import annotations

import base64
import collections.abc
import json
import pathlib
import secrets
import subprocess
import urllib.request

from tests.kubernetes.api import Api, ApiError, Object
from tests.kubernetes.build import where
from tests.kubernetes.pki import Pki
from tests.kubernetes.process import Process, free_ports

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_OF_API = "10.96.0.1"
IN_CLUSTER = "var/run/secrets/kubernetes.io/serviceaccount"  # below a root of the test's own


def words_of(program: str, flags: collections.abc.Mapping[str, object]) -> list[str]:
    """The command line; a flag that is a list is given several times."""
    words = [str(where(program))]
    for name, value in flags.items():
        for v in value if isinstance(value, list) else [value]:
            words.append(f"--{name}={str(v).lower() if isinstance(v, bool) else v}")
    return words


class ControlPlane:
    """`people` maps users to their groups: each has a token, and no rights until a role says so.
    `nodes` names the nodes that may join. `flags` maps a program to flags added or changed; `etcd` is
    the program, `etcd-debian` the old one."""

    def __init__(
        self,
        folder: pathlib.Path,
        nodes: collections.abc.Iterable[str] = (),
        people: collections.abc.Mapping[str, list[str]] | None = None,
        address: str = "127.0.0.1",
        flags: collections.abc.Mapping[str, collections.abc.Mapping[str, object]] | None = None,
        etcd: str = "etcd",
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.flags = flags or {}
        self.etcd = etcd
        self.processes: dict[str, Process] = {}
        ports = free_ports(5)
        self.etcd_port, self.etcd_peer_port, self.port = ports[:3]
        self.manager_port, self.scheduler_port = ports[3:]
        self.tokens = {name: secrets.token_hex(16) for name in people or {}}
        self.tokens |= {f"system:node:{name}": secrets.token_hex(16) for name in nodes}
        self.pki = Pki(folder)
        self._credentials(people or {})
        self.api = Api(address, self.port, self.pki.ca, certificate=self.pki.folder / "admin.pem")

    # --- who is who ---

    def _credentials(self, people: collections.abc.Mapping[str, list[str]]) -> None:
        addresses = sorted({"127.0.0.1", self.address, SERVICE_OF_API})
        names = ["localhost", "kubernetes", "kubernetes.default.svc"]
        self.pki.server("server", addresses, names)
        self.pki.client("admin", "admin", "system:masters")
        self.pki.key_pair("accounts")
        lines = []
        for user, token in self.tokens.items():
            groups = people.get(user, ["system:nodes"])
            lines.append(f'{token},{user},{user},"{",".join(groups)}"\n')
        (self.folder / "tokens.csv").write_text("".join(lines), encoding="utf-8")
        self.admin_kubeconfig = self.kubeconfig("admin")

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    def kubeconfig(self, user: str, name: str = "", namespace: str = "default") -> pathlib.Path:
        """A kubeconfig file: `admin` by client certificate, everybody else by token. All in the file,
        the certificates as blobs."""
        if user == "admin":
            credentials = {
                f"client-{kind}-data": _blob(self.folder / f"admin.{suffix}")
                for kind, suffix in (("certificate", "pem"), ("key", "key"))
            }
        else:
            credentials = {"token": self.tokens[user]}
        file = self.folder / f"{name or user.replace(':', '-')}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority-data": _blob(self.pki.ca)}
        context = {"cluster": "test", "user": user, "namespace": namespace}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        file.write_text(json.dumps(text, indent=1), encoding="utf-8")  # JSON is YAML
        file.chmod(0o600)
        return file

    def as_user(self, user: str) -> Api:
        """The API as this user sees it."""
        return Api(self.address, self.port, self.pki.ca, token=self.tokens[user])

    def account_token(self, namespace: str, account: str, seconds: int = 3600) -> str:
        """A fresh token of a ServiceAccount, as a kubelet would ask for one (at least 600 s)."""
        path = self.api.path("serviceaccounts", namespace, account, "token")
        answer = self.api.request("POST", path, {"spec": {"expirationSeconds": seconds}})
        return str(answer["status"]["token"])

    def in_cluster(self, root: pathlib.Path, namespace: str, account: str) -> dict[str, str]:
        """Writes token, ca.crt and namespace of an existing ServiceAccount below `root`, as a pod has
        them below /. Returns the environment that the pod would have."""
        folder = root / IN_CLUSTER
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / "..token"
        fresh.write_text(self.account_token(namespace, account), encoding="utf-8")
        fresh.rename(folder / "token")  # as kubelet rotates it: whole or not at all
        (folder / "ca.crt").write_bytes(self.pki.ca.read_bytes())
        (folder / "namespace").write_text(namespace, encoding="utf-8")
        return {
            "KUBERNETES_SERVICE_HOST": self.address,
            "KUBERNETES_SERVICE_PORT": str(self.port),
        }

    def kubectl(self, *words: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
        """The real kubectl with this user's kubeconfig."""
        return subprocess.run(
            [str(where("kubectl")), f"--kubeconfig={self.kubeconfig(user)}", *words],
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
        )

    # --- its programs ---

    def _start(self, program: str, flags: dict[str, object]) -> Process:
        words = words_of(program, {**flags, **self.flags.get(program, {})})
        self.processes[program] = Process(program, words, self.folder)
        return self.processes[program]

    def start_etcd(self) -> None:
        client = f"http://127.0.0.1:{self.etcd_port}"
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        process = self._start(
            self.etcd,
            {
                "data-dir": self.folder / "etcd",
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": peer,
                "initial-advertise-peer-urls": peer,
                "initial-cluster": f"default={peer}",
                "logger": "zap",
            },
        )

        def healthy() -> bool:
            with urllib.request.urlopen(f"{client}/health", timeout=5) as answer:
                return b'"true"' in answer.read()

        process.wait_for("etcd", healthy)

    def compact(self) -> None:
        """Makes etcd forget all revisions but the newest: continue tokens and old versions expire."""

        def etcd(path: str, body: Object) -> Object:
            url = f"http://127.0.0.1:{self.etcd_port}/v3/kv/{path}"
            with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as answer:
                found: Object = json.loads(answer.read())
                return found

        revision = etcd("range", {"key": base64.b64encode(b"x").decode()})["header"]["revision"]
        etcd("compaction", {"revision": revision, "physical": True})

    def start_apiserver(self) -> None:
        process = self._start(
            "kube-apiserver",
            {
                "etcd-servers": f"http://127.0.0.1:{self.etcd_port}",
                "secure-port": self.port,
                "bind-address": self.address,
                "advertise-address": self.address,
                # A loopback address would be refused as the endpoint of the service `kubernetes`.
                "endpoint-reconciler-type": "none" if self.address[:4] == "127." else "lease",
                "cert-dir": self.folder,
                "tls-cert-file": self.folder / "server.pem",
                "tls-private-key-file": self.folder / "server.key",
                "client-ca-file": self.pki.ca,
                "kubelet-client-certificate": self.folder / "admin.pem",
                "kubelet-client-key": self.folder / "admin.key",
                "kubelet-preferred-address-types": "InternalIP",
                "service-account-key-file": self.folder / "accounts.pub",
                "service-account-signing-key-file": self.folder / "accounts.key",
                "service-account-issuer": "https://kubernetes.default.svc",
                "token-auth-file": self.folder / "tokens.csv",
                "authorization-mode": "Node,RBAC",
                "enable-admission-plugins": "NodeRestriction",
                "service-cluster-ip-range": SERVICE_RANGE,
                "allow-privileged": True,
                "profiling": False,
            },
        )
        process.wait_for("the API server", self._answers)

    def _answers(self) -> bool:
        try:
            return self.api.raw("GET", "/readyz") == "ok"
        except ApiError:
            return False

    def start_manager(self) -> None:
        self._start(
            "kube-controller-manager",
            {
                "kubeconfig": self.admin_kubeconfig,
                "service-account-private-key-file": self.folder / "accounts.key",
                "root-ca-file": self.pki.ca,
                "use-service-account-credentials": True,
                "leader-elect": False,
                "bind-address": "127.0.0.1",
                "secure-port": self.manager_port,
                "cert-dir": self.folder / "manager",
            },
        )

    def start_scheduler(self) -> None:
        self._start(
            "kube-scheduler",
            {
                "kubeconfig": self.admin_kubeconfig,
                "leader-elect": False,
                "bind-address": "127.0.0.1",
                "secure-port": self.scheduler_port,
                "cert-dir": self.folder / "scheduler",
            },
        )

    def start(self) -> ControlPlane:
        """Returns when the API answers; the first nodes and namespaces become usable some seconds
        later, when the controllers have started."""
        self.start_etcd()
        self.start_apiserver()
        self.start_manager()
        self.start_scheduler()
        return self

    def stop(self) -> None:
        """In the reverse order; what does not end is killed. Its log stays."""
        for process in reversed(self.processes.values()):
            if process.name == "kube-apiserver":
                process.kill()  # it would wait for watches
            else:
                process.stop()

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()


def _blob(file: pathlib.Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def deployment(
    name: str,
    replicas: int,
    image: str = "none",
    pod: Object | None = None,
    container: Object | None = None,
    **spec: object,
) -> Object:
    """A Deployment whose pods are labelled app=NAME. `pod` is added to the pod's spec, `container` to
    the container, the rest to the Deployment's spec."""
    labels = {"app": name}
    first = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", **(container or {})}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [first], "automountServiceAccountToken": False, **(pod or {})},
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            **spec,
        },
    }
