"""The CustomResourceDefinitions on a real API server: it takes and refuses the same objects as the
parser, with the field named, and shows them as people expect."""

from __future__ import annotations

import collections.abc
import concurrent.futures
import json
import pathlib
import random
import re
import subprocess
from typing import Any

import pytest

from tests.kubernetes.api import MERGE, ApiError, Object
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import PEOPLE, keep_logs, need
from tests.kubernetes.test_doctor import HUDDLECTL, run
from tests.lab.enter import REPOSITORY

VERSION = "huddle.energy/v1alpha1"
KINDS = {
    "servedmodels": "ServedModel",
    "powerpools": "PowerPool",
    "powerpolicies": "PowerPolicy",
    "nodepowers": "NodePower",
}
DEFINITIONS = "customresourcedefinitions"
MANIFESTS = REPOSITORY / "tests/data/manifests"
EXAMPLES = REPOSITORY / "deploy/examples"


@pytest.fixture(scope="module")
def plane(folder: pathlib.Path) -> collections.abc.Iterator[ControlPlane]:
    """A control plane without nodes, on which nothing but the definitions is installed."""
    need("control")
    soon = {"kube-controller-manager": {"horizontal-pod-autoscaler-sync-period": "2s"}}
    with ControlPlane(folder / "crds", people=PEOPLE, flags=soon) as cluster:
        try:
            cluster.start()
            done = run(cluster.admin_kubeconfig, "install", "crds")
            assert done.returncode == 0, done.stderr
            assert [line.split()[1] for line in done.stdout.splitlines()] == ["created"] * 4
            cluster.api.create("namespaces", {"metadata": {"name": "models"}})
            for plural in KINDS:
                cluster.api.wait_for(plural, lambda: cluster.api.list(plural) == [])
            yield cluster
        finally:
            keep_logs(cluster.folder, "crds")


def definition(plane: ControlPlane, plural: str) -> Object:
    return plane.api.get(DEFINITIONS, f"{plural}.huddle.energy")


def test_they_are_served(plane: ControlPlane) -> None:
    for plural, kind in KINDS.items():
        conditions = {c["type"]: c for c in definition(plane, plural)["status"]["conditions"]}
        assert conditions["Established"]["status"] == "True"
        assert conditions["NamesAccepted"]["status"] == "True"
        assert conditions.get("NonStructuralSchema", {}).get("status") != "True"
        plane.api.wait_for(
            f"{plural} explained", lambda: plane.kubectl("explain", plural).returncode == 0
        )
        assert kind in plane.kubectl("api-resources", "--categories=huddle").stdout


# --- installing them ---


def generations(plane: ControlPlane) -> list[tuple[int, str]]:
    metas = [definition(plane, plural)["metadata"] for plural in KINDS]
    return [(m["generation"], m["resourceVersion"]) for m in metas]


def test_installing_again_changes_nothing(plane: ControlPlane) -> None:
    before = generations(plane)
    done = run(plane.admin_kubeconfig, "install", "crds")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["unchanged"] * 4
    assert generations(plane) == before


def test_what_somebody_changed_is_put_right(plane: ControlPlane) -> None:
    name = "powerpools.huddle.energy"
    short = {"spec": {"names": {"shortNames": ["ppool", "rack"]}}}
    path = plane.api.path(DEFINITIONS, "", name)
    plane.api.request("PATCH", path + "?fieldManager=somebody", short, MERGE)
    dry = run(plane.admin_kubeconfig, "install", "crds", "pool", "--dry-run=server")
    assert dry.returncode == 1 and "--force-conflicts" in dry.stderr and "Conflict" in dry.stderr
    words = ("install", "crds", "pool", "--force-conflicts")
    dry = run(plane.admin_kubeconfig, *words, "--dry-run=server")
    assert dry.stdout.endswith(f"{name} configured (server dry run)\n"), dry.stderr
    assert definition(plane, "powerpools")["spec"]["names"]["shortNames"] == ["ppool", "rack"]
    done = run(plane.admin_kubeconfig, *words)
    assert done.stdout.endswith(f"{name} configured\n"), done.stderr
    assert definition(plane, "powerpools")["spec"]["names"]["shortNames"] == ["ppool"]


def test_the_committed_files_can_be_applied_by_kubectl(plane: ControlPlane) -> None:
    before = generations(plane)
    folder = str(REPOSITORY / "deploy/kubernetes/crds")
    words = ("apply", "--server-side", "--field-manager=huddle", "-f", folder)
    done = plane.kubectl(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == 4
    assert generations(plane) == before


def test_who_may_not_is_told_the_right(plane: ControlPlane) -> None:
    done = run(plane.kubeconfig("tenant"), "install", "crds")
    assert done.returncode == 1 and done.stdout == ""
    assert "Forbidden" in done.stderr and "customresourcedefinitions" in done.stderr
    assert "ask an administrator" in done.stderr


# --- the parser and the server agree ---


def short(value: object) -> str:
    """The name of a case."""
    return str(value)[:60]


def wrap(kind: str, spec: object, name: str = "x") -> Object:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def plural_of(kind: str) -> str:
    return next(p for p, k in KINDS.items() if k == kind)


def parse(document: object) -> tuple[list[Object], str]:
    """What huddlectl makes of it: the objects with their defaults, or none and what is wrong."""
    done = subprocess.run(
        [HUDDLECTL, "apply", "--dry-run=client", "-o", "json", "-f", "-"],
        input=document if isinstance(document, str) else json.dumps(document),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    found: list[Object] = []
    text = done.stdout.strip()
    while text and done.returncode == 0:  # one document behind the other
        one, end = json.JSONDecoder().raw_decode(text)
        found += one["items"] if one["kind"] == "List" else [one]
        text = text[end:].lstrip()
    return found, done.stderr


def ask(plane: ControlPlane, body: Object) -> str:
    """What the server has against it: "" for nothing. Nothing is stored."""
    plural = plural_of(body["kind"])
    namespace = body["metadata"].get("namespace", "models") if plural == "servedmodels" else ""
    body = json.loads(json.dumps(body))
    body["metadata"].pop("namespace", None)
    if namespace:
        body["metadata"]["namespace"] = "models"
    path = plane.api.path(plural, "models") + "?dryRun=All&fieldValidation=Strict"
    try:
        plane.api.request("POST", path, body)
    except ApiError as error:
        assert error.code in (400, 422), str(error)
        return str(error)
    return ""


BMC = {"address": "https://bmc-{node}.example", "user": "huddle"}


def redfish(settings: dict[str, str], secrets: dict[str, str] | None = None) -> dict:
    """A pool whose driver is right but for these."""
    named = {"password": "/etc/huddle/secrets/bmc"} | (secrets or {})
    return {"driver": {"type": "redfish", "settings": BMC | settings, "secrets": named}}


M, P, Y = "ServedModel", "PowerPool", "PowerPolicy"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}
WINDOW = {
    "deny": True,
    "days": "Mon-Fri,Sun",
    "start": "08:00",
    "end": "24:00",
    "zone": "Asia/Tokyo",
}
GOOD: list[tuple[str, Object]] = [
    (M, {}),
    (P, {}),
    (Y, {}),
    (M, {"replicas": {"min": 0, "max": 4096}}),
    (M, {"replicas": {"min": 3, "max": 3}, "disruption": {"minAvailable": 3}}),
    (M, {"targetRef": TARGET, "scaling": {"owner": "External"}}),
    (M, {"targetRef": TARGET, "scaling": {"replicas": 5}}),
    (M, {"targetRef": {}, "runtime": "r"}),
    (M, {"runtime": "", "process": {"command": ["/bin/serve", "--port"], "env": {"A": "b"}}}),
    (M, {"slo": {"latency": "1ms", "quantile": 1, "errorShare": 0}}),
    (M, {"slo": {"latency": "1d"}}),
    (M, {"deferrable": {"deadline": "12h30m"}}),
    (M, {"resources": {"cpu": "1m", "memory": "1"}}),
    (M, {"resources": {"cpu": 100000, "memory": 1073741824}}),
    (M, {"resources": {"cpu": "100000", "memory": "1.5Gi"}}),
    (M, {"resources": {"cpu": "0.001", "memory": "999Pi"}}),
    (M, {"resources": {"gpu": {"count": 0.125, "memory": "80Gi", "models": ["h100", "h200"]}}}),
    (M, {"resources": {"gpu": {"count": 256}}}),
    (M, {"readiness": {"type": "exec", "command": ["true"], "period": "50ms"}}),
    (M, {"demand": {"source": "metrics", "path": "/m", "preset": "vllm"}}),
    (M, {"drain": {"timeout": "0", "grace": "0s"}}),
    (M, {"priority": -1000000}),
    (M, {"runtime": "\u00fc" * 4096}),
    (P, {"minAwake": 2, "spare": 1, "maxAwake": 3}),
    (P, {"driver": {"type": "exec", "program": "/x", "secrets": {"key": "/etc/huddle/secrets/k"}}}),
    (P, {"boot": {"time": "90s", "energy": "0.1kWh"}, "standby": "1.2kW"}),
    (P, {"standby": "0W", "curve": "dell-r740"}),
    (Y, {"windows": [WINDOW] * 64}),
    (Y, {"windows": [{}]}),
    (Y, {"interval": "1h", "horizon": "60m"}),
    (Y, {"horizon": "7d"}),
    (Y, {"interval": "1d", "horizon": "24h"}),
    (Y, {"pricePerKwh": 0.31, "objective": "cost"}),
    (Y, {"price": {"source": "profile", "profile": [0.1] * 24}, "objective": "cost"}),
    (Y, {"price": {"source": "file", "path": "/grid/p.csv"}}),
    (Y, {"carbon": {"source": "fixed", "value": 380}}),
    (Y, {"carbon": {"source": "none", "profile": []}}),
    (P, redfish({})),
    (
        P,
        redfish(
            {"address/n1": "https://b", "system/n1": "/x", "login": "basic", "groupCalls": "2"}
        ),
    ),
    (P, redfish({"fingerprint": "sha256//x", "user/n1": "u"}, {"ca": "/x", "password/n1": "/y"})),
    (Y, {"timing": {"maxAsleep": "365d", "drain": "100ms"}}),
]
# What is wrong, and the field that must be told.
BAD: list[tuple[str, str, Object]] = [
    (M, "replicas.min", {"replicas": {"min": 5, "max": 4}}),
    (M, "replicas.max", {"replicas": {"max": 4097}}),
    (M, "replicas.max", {"replicas": {"max": 0, "min": 0}}),
    (M, "replicas.min", {"replicas": {"min": "1"}}),
    (M, "replicas.min", {"replicas": {"min": 1.5}}),
    (M, "replicas", {"replicas": 3}),
    (M, "disruption.minAvailable", {"disruption": {"minAvailable": 17}}),
    (M, "slo.latency", {"slo": {"latency": "1s"}, "deferrable": {"deadline": "1h"}}),
    (M, "slo.latency", {"slo": {"latency": "86401s"}}),
    (M, "slo.latency", {"slo": {"latency": "0"}}),
    (M, "slo.latency", {"slo": {"latency": "1.5d"}}),
    (M, "slo.latency", {"slo": {"latency": "5"}}),
    (M, "slo.latency", {"slo": {"latency": "-5s"}}),
    (M, "slo.latency", {"slo": {"latency": "0.5ms"}}),
    (M, "slo.latency", {"slo": {"latency": "10us"}}),
    (M, "slo.latency", {"slo": {"latency": ""}}),
    (M, "slo.quantile", {"slo": {"quantile": 1.1}}),
    (M, "slo.quantile", {"slo": {"quantile": "high"}}),
    (M, "process.command", {"runtime": "r", "process": {"command": ["x"]}}),
    (M, "targetRef", {"runtime": "r", "targetRef": TARGET}),
    (M, "targetRef", {"process": {"command": ["x"]}, "targetRef": TARGET}),
    (M, "targetRef.name", {"targetRef": {"apiVersion": "v1", "kind": "Pod"}}),
    (M, "targetRef.kind", {"targetRef": {"apiVersion": "v1", "name": "n", "kind": ""}}),
    (M, "targetRef.apiVersion", {"targetRef": {"kind": "Pod", "name": "n"}}),
    (M, "scaling.owner", {"scaling": {"owner": "External"}}),
    (M, "scaling.owner", {"scaling": {"owner": "huddle"}}),
    (M, "scaling.replicas", {"targetRef": TARGET, "scaling": {"owner": "External", "replicas": 1}}),
    (M, "scaling.replicas", {"scaling": {"replicas": -1}}),
    (M, "resources.cpu", {"resources": {"cpu": "0"}}),
    (M, "resources.cpu", {"resources": {"cpu": 0}}),
    (M, "resources.cpu", {"resources": {"cpu": "0.0001"}}),
    (M, "resources.cpu", {"resources": {"cpu": "100001"}}),
    (M, "resources.cpu", {"resources": {"cpu": "100000001m"}}),
    (M, "resources.cpu", {"resources": {"cpu": "1Gi"}}),
    (M, "resources.memory", {"resources": {"memory": "0Mi"}}),
    (M, "resources.memory", {"resources": {"memory": "1.1Gi"}}),
    (M, "resources.memory", {"resources": {"memory": "12 Gi"}}),
    (M, "resources.memory", {"resources": {"memory": -1}}),
    (M, "resources.gpu.count", {"resources": {"gpu": {"count": 1.5}}}),
    (M, "resources.gpu.count", {"resources": {"gpu": {"count": 0.0005}}}),
    (M, "resources.gpu.count", {"resources": {"gpu": {"count": 257}}}),
    (M, "resources.gpu.models", {"resources": {"gpu": {"models": "h100"}}}),
    (M, "resources.gpu.models", {"resources": {"gpu": {"models": ["x"] * 257}}}),
    (M, "resources.gpus", {"resources": {"gpus": 1}}),
    (M, "readiness.command", {"readiness": {"type": "exec", "command": []}}),
    (M, "readiness.path", {"readiness": {"type": "http", "path": "healthz"}}),
    (M, "readiness.period", {"readiness": {"period": "49ms"}}),
    (M, "demand.path", {"demand": {"path": "metrics"}}),
    (M, "demand.path", {"demand": {"source": "metrics"}}),
    (M, "demand.preset", {"demand": {"preset": "vlm"}}),
    (M, "capacity.requestsPerSecond", {"capacity": {"requestsPerSecond": -1}}),
    (M, "exclusive", {"exclusive": "yes"}),
    (M, "port", {"port": 65536}),
    (M, "arguments", {"runtime": "r", "arguments": {"deep": {"er": "x"}}}),
    (M, "arguments", {"runtime": "r", "arguments": {str(i): "" for i in range(257)}}),
    (M, "process.env", {"process": {"env": {"A": "x" * 4097}}}),
    (M, "runtime", {"runtime": "\u00fc" * 4097}),
    (M, "replica", {"replica": {"min": 1}}),
    (P, "maxAwake", {"minAwake": 2, "spare": 2, "maxAwake": 3}),
    (P, "minAwake", {"minAwake": -1}),
    (P, "driver.type", {"driver": {"type": "redfisch"}}),
    (P, "driver.program", {"driver": {"type": "exec"}}),
    (P, "driver.program", {"driver": {"type": "exec", "program": "x"}}),
    (P, "driver.secrets", {"driver": {"secrets": {"password": "hunter2"}}}),
    (P, "driver.settings", redfish({"adress": "https://b"})),
    (P, "driver.settings", redfish({"address/n1": "http://b"})),
    (P, "driver.settings", redfish({"fingerprint": "sha1//"})),
    (P, "driver.settings", redfish({"system/n1": "redfish/v1"})),
    (P, "driver.settings", redfish({"login": "none"})),
    (P, "driver.settings", redfish({"login/n1": "basic"})),
    (P, "driver.secrets", redfish({}, {"token": "/x"})),
    (P, "driver.settings", {"driver": {"type": "redfish", "secrets": {"password": "/x"}}}),
    (P, "driver.secrets", {"driver": {"type": "redfish", "settings": BMC}}),
    (P, "boot.energy", {"boot": {"energy": "3"}}),
    (P, "boot.time", {"boot": {"time": "0s"}}),
    (P, "standby", {"standby": "10"}),
    (P, "standby", {"standby": "-1W"}),
    (P, "curve", {"curve": "unknown"}),
    (Y, "horizon", {"interval": "2h"}),
    (Y, "horizon", {"interval": "1d", "horizon": "23h"}),
    (Y, "horizon", {"horizon": "8d"}),
    (Y, "windows", {"windows": [{}] * 65}),
    (Y, "windows[1].zone", {"windows": [{}, {"zone": ""}]}),
    (Y, "windows[0].start", {"windows": [{"start": "24:01"}]}),
    (Y, "windows[0].end", {"windows": [{"end": "8:00"}]}),
    (Y, "windows[0].days", {"windows": [{"days": "Mon-Fri-Sun"}]}),
    (Y, "windows[0].days", {"windows": [{"days": "monday"}]}),
    (Y, "windows[0].from", {"windows": [{"from": "08:00"}]}),
    (Y, "pricePerKwh", {"pricePerKwh": 0.3, "price": {"source": "none"}}),
    (Y, "objective", {"objective": "cost"}),
    (Y, "carbon.value", {"carbon": {"source": "fixed"}}),
    (Y, "carbon.value", {"carbon": {"source": "none", "value": 1}}),
    (Y, "carbon.profile", {"carbon": {"source": "profile"}}),
    (Y, "carbon.profile", {"carbon": {"source": "profile", "profile": [1] * 23}}),
    (Y, "price.profile", {"price": {"source": "fixed", "profile": [1] * 24}}),
    (Y, "price.path", {"price": {"source": "file"}}),
    (Y, "price.path", {"price": {"source": "file", "path": "p.csv"}}),
    (Y, "price.path", {"price": {"source": "fixed", "path": "/p.csv"}}),
    (Y, "timing.maxAsleep", {"timing": {"maxAsleep": "366d"}}),
    (Y, "strategy", {"strategy": "hope"}),
]
# The parser reads more spellings than the server; as the parser prints them the server takes them.
WIDER: list[tuple[str, Object]] = [
    (M, {"slo": {"quantile": "99%"}}),
    (M, {"resources": {"cpu": 0.5, "memory": 1e9}}),
    (M, {"resources": {"cpu": "+1e3", "memory": "128974848000m"}}),
    (M, {"drain": {"timeout": 0}}),
    (M, {"drain": {"timeout": "1h1h"}, "slo": {"latency": ".5s"}}),
    (M, {"runtime": "r", "arguments": {"width": 128, "quick": True}}),
    (Y, {"timing": {"maxAsleep": "1d12h"}}),
    (Y, {"quantile": ".9"}),
]


@pytest.mark.parametrize("kind, spec", GOOD, ids=short)
def test_both_take_what_is_good(plane: ControlPlane, kind: str, spec: Object) -> None:
    parsed, why = parse(wrap(kind, spec))
    assert parsed, why
    assert ask(plane, wrap(kind, spec)) == ""
    assert ask(plane, parsed[0]) == ""


def names_field(message: str, path: str) -> bool:
    """The field, or one below it: `spec.a.b: `, `spec.a[0]`, `"spec.a.b"`."""
    return re.search(rf"\bspec\.{re.escape(path)}\b", message) is not None


@pytest.mark.parametrize("kind, path, spec", BAD, ids=short)
def test_both_refuse_what_is_bad(plane: ControlPlane, kind: str, path: str, spec: Object) -> None:
    parsed, why = parse(wrap(kind, spec))
    assert not parsed
    assert names_field(why, path), why
    answer = ask(plane, wrap(kind, spec))
    assert names_field(answer, path), answer


@pytest.mark.parametrize("kind, spec", WIDER, ids=short)
def test_other_spellings_reach_the_server_as_it_takes_them(
    plane: ControlPlane, kind: str, spec: Object
) -> None:
    parsed, why = parse(wrap(kind, spec))
    assert parsed, why
    assert ask(plane, parsed[0]) == ""


def test_a_nul_is_refused_by_both(plane: ControlPlane) -> None:
    for path, spec in (("runtime", {"runtime": "a\0b"}), ("arguments", {"arguments": {"k": "\0"}})):
        assert names_field(ask(plane, wrap(M, spec)), path)
        assert parse(wrap(M, spec))[0] == []


def test_unknown_fields_are_refused_where_they_stand(plane: ControlPlane) -> None:
    answer = ask(plane, {**wrap(M, {}), "spce": {}})
    assert "unknown field" in answer and "spce" in answer


WORDS = {
    "slo.latency": ("s", "m", "h", "d", "ms", "us", "D", ""),
    "resources.cpu": ("", "m", "k", "Mi", "u"),
    "resources.memory": ("", "k", "Ki", "M", "Mi", "Gi", "Ti", "Pi", "Ei", "m", "K"),
    "standby": ("W", "mW", "kW", "MW", "w", "J"),
    "boot.energy": ("J", "kJ", "MJ", "Wh", "kWh", "mJ", "mWh"),
}


def amounts(units: collections.abc.Sequence[str], chance: random.Random) -> str:
    def number() -> str:
        whole = str(chance.choice([0, 1, 7, 24, 86400, 100000, 10 ** chance.randint(0, 19)]))
        return whole + chance.choice(["", "", "", ".5", ".25", ".1", ".001", ".0001", "."])

    return "".join(
        chance.choice(["", "", "", "", "-", "+", " "]) + number() + chance.choice(units)
        for _ in range(chance.choice([1, 1, 1, 2]))
    )


@pytest.mark.parametrize("path", WORDS)
def test_no_amount_that_the_server_takes_is_refused_by_the_parser(
    plane: ControlPlane, path: str
) -> None:
    chance = random.Random(path)
    texts = sorted({amounts(WORDS[path], chance) for _ in range(150)})
    kind = P if path in ("standby", "boot.energy") else M

    def spec(value: object) -> Any:
        for key in reversed(path.split(".")):
            value = {key: value}
        return value

    documents = [wrap(kind, spec(t), f"n{i}") for i, t in enumerate(texts)]
    _, why = parse("\n---\n".join(json.dumps(d) for d in documents))
    lines = {int(m) for m in re.findall(r"^[^:\n]*:(\d+):\d+: spec", why, re.M)}
    refused = {t for i, t in enumerate(texts) if 2 * i + 1 in lines}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        taken = {t for t, a in zip(texts, pool.map(lambda d: ask(plane, d), documents)) if a == ""}
    assert taken and refused and len(taken) + len(refused) > len(texts) / 2
    assert taken & refused == set()


# --- the files of the repository ---


def files(folder: pathlib.Path) -> list[pathlib.Path]:
    found = [f for f in sorted(folder.rglob("*.yaml")) if VERSION.encode() in f.read_bytes()]
    assert found
    return found


@pytest.mark.parametrize("file", files(MANIFESTS / "good") + files(EXAMPLES), ids=lambda f: f.stem)
def test_good_files_and_examples_are_taken(plane: ControlPlane, file: pathlib.Path) -> None:
    parsed, why = parse(file.read_text(encoding="utf-8"))
    assert parsed, why
    for item in parsed:
        assert ask(plane, item) == ""
    if file.is_relative_to(EXAMPLES):  # as they stand, too
        done = plane.kubectl(
            *("create", "-n", "models", "--dry-run=server", "--validate=strict", "-f", str(file))
        )
        assert done.returncode == 0, done.stderr


# Whole numbers may have a point there (2.0 is stored as 2), and kubectl reads more of YAML.
TAKEN = {"cycles-real", "yaml-merge"}
# Refused by kubectl before the field comes: the item before has no spec.
EARLIER = {"list-spec"}


def bad_files() -> list[pathlib.Path]:
    found = [f for f in files(MANIFESTS / "bad") if "spec" in f.with_suffix(".expect").read_text()]
    return [f for f in found if f.stem not in TAKEN]


@pytest.mark.parametrize("file", bad_files(), ids=lambda f: f.stem)
def test_bad_files_are_refused_with_the_field(plane: ControlPlane, file: pathlib.Path) -> None:
    expected = file.with_suffix(".expect").read_text(encoding="utf-8")
    done = plane.kubectl(
        *("create", "-n", "models", "--dry-run=server", "--validate=strict", "-f", str(file))
    )
    path = re.search(r": spec\.([\w.]+)", expected)
    assert done.returncode != 0
    if path and file.stem not in EARLIER:
        assert names_field(done.stderr, path[1]), done.stderr


# --- objects that are stored ---


@pytest.mark.parametrize("kind", [M, P, Y])
def test_the_server_fills_in_the_defaults_of_the_parser(plane: ControlPlane, kind: str) -> None:
    parsed, _ = parse(wrap(kind, {}, "defaults"))
    made = plane.api.create(
        plural_of(kind), {"metadata": {"name": "defaults"}, "spec": {}}, "models"
    )
    assert made["spec"] == parsed[0]["spec"]


@pytest.mark.parametrize("kind, spec", GOOD, ids=short)
def test_the_parser_reads_what_the_server_stored(
    plane: ControlPlane, kind: str, spec: Object
) -> None:
    """With the defaults that the server filled in, and on its way out."""
    api, plural = plane.api, plural_of(kind)
    meta: Object = {"generateName": "stored-", "finalizers": ["huddle.energy/test"]}
    name = api.create(plural, {"metadata": meta, "spec": spec}, "models")["metadata"]["name"]
    api.delete(plural, name, "models")
    stored = api.get(plural, name, "models")
    assert stored["metadata"]["deletionGracePeriodSeconds"] == 0
    parsed, why = parse(stored)
    assert parsed, why
    assert parsed[0]["spec"] == parse(wrap(kind, spec))[0][0]["spec"]
    api.patch(plural, name, {"metadata": {"finalizers": None}}, "models")


def table(plane: ControlPlane, plural: str, name: str) -> dict[str, Any]:
    """What kubectl shows: the cells of one object by their titles, the wide ones too."""
    path = plane.api.path(plural, "models", name)
    connection = plane.api.connect()
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    connection.request("GET", path, headers=headers)
    found = json.loads(connection.getresponse().read())
    connection.close()
    titles = [("" if c["priority"] == 0 else "+") + c["name"] for c in found["columnDefinitions"]]
    return dict(zip(titles, found["rows"][0]["cells"]))


def with_status(
    plane: ControlPlane, plural: str, name: str, spec: Object, status: Object
) -> Object:
    plane.api.create(plural, {"metadata": {"name": name}, "spec": spec}, "models")
    return plane.api.patch(plural, name, {"status": status}, "models", "status")


CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "AllReady",
    "message": "",
    "lastTransitionTime": "2026-11-27T03:00:00Z",
    "observedGeneration": 1,
}


def test_columns_of_a_served_model(plane: ControlPlane) -> None:
    spec = {"targetRef": TARGET, "replicas": {"min": 1, "max": 7}, "slo": {"latency": "250ms"}}
    move = {"id": "m1", "recipe": "adopt", "victim": "w-1", "base": 2, "target": 3}
    status = {
        "observedGeneration": 1,
        **{"total": 3, "ready": 2, "target": 3, "nodes": 2, "strategy": "predictive"},
        **{"joulesPerRequest": 1.5, "demandNeed": 12.25, "lastMove": "2026-11-27T03:00:00Z"},
        "selector": "app=w",
        "moves": [move],
        "conditions": [CONDITION],
    }
    stored = with_status(plane, "servedmodels", "columns", spec, status)
    assert stored["status"] == status
    cells = table(plane, "servedmodels", "columns")
    assert list(cells) == (
        "Name Target Ready Desired Min Max Nodes SLO Strategy +J/req +Forecast +LastMove Age"
    ).split(" ")
    assert [cells[k] for k in ("Target", "Ready", "Desired", "Min", "Max", "Nodes")] == (
        ["w", 2, 3, 1, 7, 2]
    )
    assert (cells["SLO"], cells["Strategy"]) == ("250ms", "predictive")
    assert (cells["+J/req"], cells["+Forecast"]) == (1.5, 12.25)
    assert cells["+LastMove"]
    found = plane.kubectl(
        *("get", "sm", "-n", "models", "--field-selector=spec.targetRef.name=w", "-o", "name")
    )
    assert found.stdout == "servedmodel.huddle.energy/columns\n", found.stderr


def test_columns_of_the_others(plane: ControlPlane) -> None:
    nodes = {"nodes": 8, "awake": 5, "asleep": 3, "paused": False, "conditions": [CONDITION]}
    with_status(plane, "powerpools", "columns", {"minAwake": 2, "spare": 1}, nodes)
    cells = table(plane, "powerpools", "columns")
    assert list(cells) == "Name Nodes Awake Asleep Min Spare Driver Paused Age".split(" ")
    assert list(cells.values())[1:8] == [8, 5, 3, 2, 1, "none", False]
    plane.api.create("powerpolicies", {"metadata": {"name": "columns"}, "spec": {}})
    cells = table(plane, "powerpolicies", "columns")
    assert list(cells) == "Name Strategy Quantile Objective DryRun Paused Age".split(" ")
    assert list(cells.values())[1:6] == ["predictive", 0.9, "carbon", False, False]


def test_a_record_of_a_node(plane: ControlPlane) -> None:
    status = {
        "phase": "asleep",
        "since": "2026-11-27T03:00:00Z",
        "reason": "no demand",
        "attempt": 1,
        "deadline": "2026-11-27T03:05:00Z",
        "nextWake": "2026-12-04T03:00:00Z",
        "leaderEpoch": 4,
        "powerReadback": "off",
        "joules": 12.5,
        "cyclesToday": 2,
        "pool": "night",
        "preSleep": {
            "bootID": "5f0c7e1c-9d1b-4a52-8f4e-0a8f0f3b6a11",
            "labels": {"kubernetes.io/hostname": "n1"},
            "allocatable": {"cpu": "8", "nvidia.com/gpu": "2"},
            "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
        },
        "conditions": [{**CONDITION, "type": "Asleep"}],
    }
    stored = with_status(plane, "nodepowers", "n1", {"desired": "asleep"}, status)
    assert stored["status"] == status
    cells = table(plane, "nodepowers", "n1")
    assert list(cells) == "Name Desired Phase Since Reason +Pool NextWake Cycles".split(" ")
    assert (cells["Desired"], cells["Phase"], cells["Cycles"]) == ("asleep", "asleep", 2)
    assert cells["+Pool"] == "night"
    assert (cells["Reason"], cells["NextWake"]) == ("no demand", "2026-12-04T03:00:00Z")
    parsed, why = parse(plane.api.get("nodepowers", "n1"))
    assert parsed == [] and "huddle alone writes" in why


@pytest.mark.parametrize(
    "status, path",
    [
        ({"phase": "dreaming"}, "phase"),
        ({"cyclesToday": -1}, "cyclesToday"),
        ({"since": "yesterday"}, "since"),
        ({"watts": 200}, "watts"),
        ({"conditions": [{"type": "Asleep"}]}, "conditions[0].reason"),
        ({"conditions": [CONDITION, CONDITION]}, "conditions[1]"),
    ],
    ids=short,
)
def test_a_status_is_checked(plane: ControlPlane, status: Object, path: str) -> None:
    if not plane.api.find("nodepowers", "checked"):
        plane.api.create("nodepowers", {"metadata": {"name": "checked"}, "spec": {}})
    where = plane.api.path("nodepowers", "", "checked", "status") + "?fieldValidation=Strict"
    with pytest.raises(ApiError) as refused:
        plane.api.request("PATCH", where, {"status": status}, MERGE)
    assert f"status.{path}" in str(refused.value)


def test_scale_is_read_and_written(plane: ControlPlane) -> None:
    api = plane.api
    api.create(
        "servedmodels", {"metadata": {"name": "scaled"}, "spec": {"targetRef": TARGET}}, "models"
    )
    path = api.path("servedmodels", "models", "scaled", "scale")
    scale = api.request("GET", path)
    assert scale["spec"].get("replicas", 0) == 0 and scale["status"]["replicas"] == 0
    status = {"total": 3, "ready": 2, "selector": "app=w"}
    api.patch("servedmodels", "scaled", {"status": status}, "models", "status")
    scale = api.request("GET", path)
    assert scale["status"] == {"replicas": 3, "selector": "app=w"}
    scale["spec"]["replicas"] = 5
    assert api.request("PUT", path, scale)["spec"]["replicas"] == 5
    spec = api.get("servedmodels", "scaled", "models")["spec"]
    assert spec["scaling"]["replicas"] == 5 and spec["replicas"] == {"min": 1, "max": 16}
    done = plane.kubectl("scale", "servedmodel/scaled", "-n", "models", "--replicas=2")
    assert done.returncode == 0, done.stderr
    assert api.request("GET", path)["spec"]["replicas"] == 2


def test_scale_is_refused_where_an_autoscaler_owns_the_workload(plane: ControlPlane) -> None:
    spec = {"targetRef": TARGET, "scaling": {"owner": "External"}}
    plane.api.create("servedmodels", {"metadata": {"name": "owned"}, "spec": spec}, "models")
    with pytest.raises(ApiError) as refused:
        plane.api.scale("servedmodels", "owned", "models", 3)
    assert "is for owner Huddle" in str(refused.value)


def test_another_workload_is_refused(plane: ControlPlane) -> None:
    api = plane.api
    api.create("servedmodels", {"metadata": {"name": "fixed"}, "spec": {"runtime": "r"}}, "models")
    named = {"spec": {"runtime": None, "targetRef": TARGET}}
    open_spec = {"runtime": "r", "targetRef": {}}  # as tools write what is not given
    api.create("servedmodels", {"metadata": {"name": "open"}, "spec": open_spec}, "models")
    api.patch("servedmodels", "open", named, "models")
    api.patch("servedmodels", "fixed", named, "models")  # none before
    for change in ({"name": "other"}, None):
        with pytest.raises(ApiError) as refused:
            api.patch("servedmodels", "fixed", {"spec": {"targetRef": change}}, "models")
        assert "spec.targetRef" in str(refused.value) and "cannot be changed" in str(refused.value)
    api.patch("servedmodels", "fixed", {"spec": {"priority": 3}}, "models")


def test_an_autoscaler_works_on_the_scale_once_it_is_not_0(plane: ControlPlane) -> None:
    api, target = plane.api, {"apiVersion": VERSION, "kind": M, "name": "auto"}
    spec = {"targetRef": TARGET}
    with_status(plane, "servedmodels", "auto", spec, {"total": 1, "selector": "app=w"})
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    hpa = {
        **{"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 7},
        "metrics": [{"type": "Resource", "resource": metric}],
    }
    made = {"metadata": {"name": "auto"}, "spec": hpa}
    api.create("horizontalpodautoscalers", made, "models")

    def reason(kind: str) -> str:
        status = api.get("horizontalpodautoscalers", "auto", "models").get("status", {})
        found = status.get("conditions", [])
        return next((str(c["reason"]) for c in found if c["type"] == kind), "")

    api.wait_for("stands still", lambda: reason("ScalingActive") == "ScalingDisabled")
    assert reason("AbleToScale") == "SucceededGetScale"
    api.scale("servedmodels", "auto", "models", 1)
    scale = api.path("servedmodels", "models", "auto", "scale")
    api.wait_for("its least", lambda: api.request("GET", scale)["spec"]["replicas"] == 2)
    assert api.get("servedmodels", "auto", "models")["spec"]["scaling"] == (
        {"owner": "Huddle", "replicas": 2}
    )
    api.delete("horizontalpodautoscalers", "auto", "models")


# --- the last one: it takes a definition away ---


def test_what_is_not_served_is_told(plane: ControlPlane) -> None:
    api, name = plane.api, "nodepowers.huddle.energy"
    rival = definition(plane, "nodepowers")
    api.delete(DEFINITIONS, name)
    api.wait_for("gone", lambda: not api.find(DEFINITIONS, name))
    names = {**rival["spec"]["names"], "plural": "powernodes", "singular": "powernode"}
    body = {
        "metadata": {"name": "powernodes.huddle.energy"},
        "spec": {**rival["spec"], "names": {**names, "shortNames": []}},
    }
    api.create(DEFINITIONS, body)
    api.wait_for(
        "the rival",
        lambda: api.get(DEFINITIONS, body["metadata"]["name"])["status"].get("conditions"),
    )
    done = run(plane.admin_kubeconfig, "install", "crds")
    assert done.returncode == 1
    assert f"{name} is there, and not served: NamesAccepted False" in done.stderr, done.stderr
    assert "already in use" in done.stderr
    assert done.stdout.count("unchanged") == 3
    api.delete(DEFINITIONS, body["metadata"]["name"])
    done = run(plane.admin_kubeconfig, "install", "crds", "nodepower")
    assert (done.returncode, done.stdout) == (
        (0, f"customresourcedefinition.apiextensions.k8s.io/{name} unchanged\n")
    ), done.stderr
