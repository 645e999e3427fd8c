"""Users of a real Kubernetes at the controller's API, by the ClusterRoles of deploy/kubernetes/observe/users.yaml."""

from __future__ import annotations

import collections.abc
import hashlib
import json
import pathlib

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import keep_logs, need
from tests.lab.controller import GROUP, Controller
from tests.lab.enter import REPOSITORY

NAMESPACE = "huddle-system"
DEPLOY = REPOSITORY / "deploy/kubernetes"
PEOPLE = {"viv": ["viewers"], "otto": ["operators"], "ada": ["admins"], "nil": ["nobodies"]}
ROLES = {"viewers": "huddle-viewer", "operators": "huddle-operator", "admins": "huddle-admin"}


class Doors:
    """The API server, and a controller with the account and the rights that deploy/kubernetes gives it."""

    def __init__(self, cluster: ControlPlane, controller: Controller) -> None:
        self.cluster, self.controller = cluster, controller

    def ask(self, token: str, method: str, path: str, body: object = None) -> tuple[int, str]:
        status, answer = self.controller.ask(method, path, body, token)
        text = answer.decode()
        return status, json.loads(text).get("message", "") if text[:1] == "{" else text


def kubectl(cluster: ControlPlane, *words: object) -> None:
    done = cluster.kubectl(*map(str, words))
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="doors", scope="module")
def _doors(folder: pathlib.Path) -> collections.abc.Iterator[Doors]:
    need("control")
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
            kubernetes = {"kubeconfig": str(cluster.kubeconfig("huddle"))}
            with Controller(
                place, kubernetes=kubernetes, tokens=str(place / "tokens")
            ) as controller:
                yield Doors(cluster, controller)
        finally:
            keep_logs(cluster.folder, "users")


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
    journal = doors.controller.ask("GET", f"{GROUP}/journal", None, "hud_own")[1].decode()
    assert '"otto"' in journal and '"viv"' not in journal


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


def test_without_the_right_to_ask_nobody_comes_in(doors: Doors) -> None:
    kubectl(doors.cluster, "delete", "clusterrolebinding", "huddle-users")

    def refused() -> bool:
        status, why = doors.ask(doors.cluster.tokens["viv"], "GET", f"{GROUP}/plans")
        return status == 503 and "its account lacks create of tokenreviews" in why

    doors.cluster.api.wait_for("its refusal", refused, 30)
    assert doors.ask("hud_own", "GET", f"{GROUP}/nodes")[0] == 200
