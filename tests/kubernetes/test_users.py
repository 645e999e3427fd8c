"""Users of a real Kubernetes at the controller's API, by the ClusterRoles of deploy/kubernetes/observe/users.yaml."""

from __future__ import annotations

import collections.abc
import hashlib
import http.client
import json
import pathlib
import ssl
import subprocess

import pytest

from tests.kubernetes.api import MERGE, Object
from tests.kubernetes.build import where
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import keep_logs, need, not_here
from tests.lab import enter
from tests.lab.controller import GROUP, LIMIT_S, Controller
from tests.lab.lab import BUILD, REPOSITORY

NAMESPACE = "huddle-system"
DEPLOY = REPOSITORY / "deploy/kubernetes"
ADDRESS = "198.51.100.7"  # an API server forwards to no loopback address
PEOPLE = {"viv": ["viewers"], "otto": ["operators"], "ada": ["admins"], "nil": ["nobodies"]}
ROLES = {"viewers": "huddle-viewer", "operators": "huddle-operator", "admins": "huddle-admin"}


class Doors:
    """The API server, and a controller with the account and the rights that deploy/kubernetes gives it."""

    def __init__(self, cluster: ControlPlane, controller: Controller) -> None:
        self.cluster, self.controller = cluster, controller

    def ask(self, token: str, method: str, path: str, body: object = None) -> tuple[int, str]:
        status, text = self.answer(token, method, path, body)
        return status, json.loads(text).get("message", "") if text[:1] == "{" else text

    def answer(self, token: str, method: str, path: str, body: object = None) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.cluster.pki.ca))
        connection = http.client.HTTPSConnection(
            ADDRESS, self.controller.port, timeout=LIMIT_S, context=context
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body and json.dumps(body).encode(), headers)
            found = connection.getresponse()
            return found.status, found.read().decode()
        finally:
            connection.close()

    def plugin(self, user: str, *words: str) -> subprocess.CompletedProcess[str]:
        """`kubectl huddle`, as kubectl calls it."""
        bin_folder = self.cluster.folder / "bin"
        if not bin_folder.exists():
            bin_folder.mkdir()
            (bin_folder / "kubectl-huddle").symlink_to(BUILD / "huddlectl")
            (bin_folder / "kubectl").symlink_to(where("kubectl"))
        return subprocess.run(
            ["kubectl", "huddle", *words],
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
            env={
                "PATH": f"{bin_folder}:/usr/bin:/bin",
                "HOME": "/nonexistent",
                "KUBECONFIG": str(self.cluster.kubeconfig(user)),
            },
        )


def kubectl(cluster: ControlPlane, *words: object) -> None:
    done = cluster.kubectl(*map(str, words))
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="doors", scope="module")
def _doors(folder: pathlib.Path) -> collections.abc.Iterator[Doors]:
    need("control")
    if not enter.inside():
        not_here("needs a network of its own: tests/run.py --only kubernetes")
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    place = folder / "users"
    with ControlPlane(place, people=PEOPLE) as cluster:
        try:
            cluster.start_etcd()
            cluster.start_apiserver()
            cluster.api.wait_for("a namespace", lambda: cluster.api.find("namespaces", "default"))
            kubectl(cluster, "apply", "-f", DEPLOY / "crds")
            kubectl(cluster, "apply", "-k", DEPLOY / "observe")
            for group, role in ROLES.items():
                words = ("create", "clusterrolebinding", group, "--clusterrole", role)
                kubectl(cluster, *words, "--group", group)
            cluster.tokens["huddle"] = cluster.account_token(NAMESPACE, "huddle-controller")
            digest = hashlib.sha256(b"hud_own").hexdigest()
            (place / "tokens").write_text(f"own admin sha256:{digest}\n")
            certificate = cluster.pki.server(
                "tls", [ADDRESS], [f"huddle-controller.{NAMESPACE}.svc"]
            )
            keys = {
                "kubernetes": {"kubeconfig": str(cluster.kubeconfig("huddle"))},
                "tokens": str(place / "tokens"),
                "tls": {"certificate": str(certificate), "key": str(place / "tls.key")},
                "listen": f"{ADDRESS}:0",
            }
            with Controller(place, **keys) as controller:
                lead_to(cluster, controller.port)
                yield Doors(cluster, controller)
        finally:
            keep_logs(cluster.folder, "users")
            subprocess.run(["ip", "addr", "del", f"{ADDRESS}/32", "dev", "lo"], check=True)


def lead_to(cluster: ControlPlane, port: int) -> None:
    """What Kubernetes would make of the Service and of the controller's pod: the API server forwards to pods."""
    api, name = cluster.api, "huddle-controller-0"
    spec = {
        "nodeName": "n1",
        "serviceAccountName": "huddle-controller",
        "containers": [{"name": "controller", "image": "none"}],
    }
    api.create("pods", {"metadata": {"name": name}, "spec": spec}, NAMESPACE)
    status = {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}
    path = api.path("pods", NAMESPACE, name, "status")
    api.request("PATCH", path, {"status": status}, MERGE)
    endpoint: Object = {"addresses": [ADDRESS], "conditions": {"ready": True}}
    endpoint["targetRef"] = {"kind": "Pod", "namespace": NAMESPACE, "name": name}
    body: Object = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "huddle-controller"}},
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": [{"name": "api", "port": port}],
    }
    api.create("endpointslices", body, NAMESPACE)


def test_each_may_what_his_role_says(doors: Doors) -> None:
    asked = {
        "list": ("GET", f"{GROUP}/nodes", None),
        "report": ("GET", "/report", None),
        "hold": ("POST", f"{GROUP}/nodes/none/hold", {"reason": "x"}),
        "pause": ("POST", f"{GROUP}/clusters/_/pause", {"reason": "x"}),
        "sleep": ("POST", f"{GROUP}/nodes/none/sleep", {"reason": "x"}),
        "resume": ("POST", f"{GROUP}/clusters/_/resume", {"reason": "x"}),
        "metrics": ("GET", "/metrics", None),
    }
    may = {
        "viv": {"list", "report"},
        "otto": {"list", "report", "hold", "pause"},
        "ada": {"list", "report", "hold", "pause", "sleep", "resume"},
        "nil": set(),
    }

    def allowed(who: str) -> set[str]:
        answers = {
            what: doors.ask(doors.cluster.tokens[who], *request) for what, request in asked.items()
        }
        assert all(status in (200, 403, 404, 409, 422) for status, _ in answers.values()), answers
        return {what for what, (status, _) in answers.items() if status != 403}

    for who, wanted in may.items():
        # RBAC is in force some moments after it is written, and a no is remembered for 5 s
        doors.cluster.api.wait_for(f"rights of {who}", lambda w=who, s=wanted: allowed(w) == s, 30)
    status, why = doors.ask(doors.cluster.tokens["viv"], *asked["sleep"])
    assert status == 403 and why.startswith('user "viv" may not create nodes/sleep of group'), why
    journal = doors.answer("hud_own", "GET", f"{GROUP}/journal")[1]
    assert '"kubernetes:otto"' in journal and '"kubernetes:viv"' not in journal


def test_accounts_and_wrong_tokens(doors: Doors) -> None:
    cluster, path = doors.cluster, f"{GROUP}/nodes"
    kubectl(cluster, "create", "serviceaccount", "-n", "default", "bot")
    who = "system:serviceaccount:default:bot"
    kubectl(
        cluster, "create", "clusterrolebinding", "bot", "--clusterrole=huddle-viewer", "--user", who
    )

    def token(audience: str) -> str:
        done = cluster.kubectl("create", "token", "bot", "-n", "default", *audience.split())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    for mine in (token(""), token("--audience=huddle")):
        cluster.api.wait_for("its rights", lambda t=mine: doors.ask(t, "GET", path)[0] == 200, 30)
    status, why = doors.ask(token("--audience=another"), "GET", path)
    assert status == 401 and "neither huddle nor Kubernetes knows this one" in why, why
    assert doors.ask("hud_own", "GET", path)[0] == 200
    assert doors.ask("hud_wrong", "GET", path)[0] == 401


def test_kubectl_huddle(doors: Doors) -> None:
    """With a kubeconfig alone, through the API server."""

    def said(user: str, *words: str) -> tuple[int, str]:
        done = doors.plugin(user, *words)
        return done.returncode, done.stdout + done.stderr

    for user in ("viv", "otto", "ada"):
        doors.cluster.api.wait_for(
            f"{user} sees", lambda u=user: said(u, "get", "nodes")[0] == 0, 30
        )
    code, text = said("viv", "get", "clusters", "-o", "json")
    assert code == 0 and json.loads(text)["items"], text
    code, text = said("viv", "pause")
    assert code == 1 and "services/proxy" in text and "ClusterRole huddle-viewer" in text, text
    code, text = said("otto", "pause", "--reason", "a walk")
    assert code == 0, text
    assert '"kubernetes:otto"' in said("otto", "get", "journal", "-o", "json")[1]
    code, text = said("otto", "resume")
    assert code == 1, text
    assert 'Error from server (Forbidden): user "otto" may not create clusters/resume' in text, text
    assert said("ada", "resume")[0] == 0
    code, text = said("nil", "get", "nodes")
    assert code == 1 and 'User "nil" cannot get resource "services/proxy"' in text, text


def test_kubectl_huddle_by_certificate(doors: Doors) -> None:
    """A certificate ends at the API server: a token of huddle's own accounts goes on."""
    done = doors.plugin("admin", "get", "clusters", "-o", "name")
    assert done.returncode == 0, done.stderr
    as_viewer = ("--account", "huddle-viewer")
    assert doors.plugin("admin", "get", "nodes", *as_viewer).returncode == 0
    done = doors.plugin("admin", "pause", *as_viewer)
    who = "system:serviceaccount:huddle-system:huddle-viewer"
    assert done.returncode == 1 and f'user "{who}" may not create' in done.stderr, done.stderr
    done = doors.plugin("otto", "get", "nodes", "--account", "huddle-admin")
    assert done.returncode == 1, done.stdout
    assert "no token of ServiceAccount huddle-system/huddle-admin" in done.stderr, done.stderr
    own = ("--token", "hud_own")
    assert doors.plugin("viv", "get", "nodes", *own).returncode == 0
    done = doors.plugin("viv", "get", "nodes", "--server", "http://127.0.0.1:1")
    assert "127.0.0.1:1" in done.stderr and "cannot connect" in done.stderr, done.stderr
    for contradicts in (
        ("--context", "test", "--server", "http://127.0.0.1:1"),
        ("--ca", "/none"),
        ("--account", "huddle-viewer", *own),
    ):
        done = doors.plugin("viv", "get", "nodes", *contradicts)
        assert done.returncode == 1 and done.stderr.startswith("error: --"), done.stderr
    done = doors.plugin("viv", "get", "nodes", "--context", "none")
    assert done.returncode == 1 and "none" in done.stderr


def test_without_the_right_to_ask_nobody_comes_in(doors: Doors) -> None:
    kubectl(doors.cluster, "delete", "clusterrolebinding", "huddle-users")

    def refused() -> bool:
        status, why = doors.ask(doors.cluster.tokens["viv"], "GET", f"{GROUP}/plans")
        return status == 503 and "its account lacks create of tokenreviews" in why

    doors.cluster.api.wait_for("its refusal", refused, 30)
    assert doors.ask("hud_own", "GET", f"{GROUP}/nodes")[0] == 200
