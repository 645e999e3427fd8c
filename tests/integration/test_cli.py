"""huddlectl as people run it: without a server, and against a stand-in for the controller's API."""

from __future__ import annotations

import datetime
import hashlib
import html.parser
import http.server
import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_api import FakeApi

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()
HUDDLECTL = BUILD / "huddlectl"
ROOT = pathlib.Path(__file__).resolve().parents[2]
BAD = ROOT / "tests/data/manifests/bad"
GOOD = ROOT / "tests/data/manifests/good"
NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens

Ctl = Callable[..., subprocess.CompletedProcess[str]]


def environment(tmp: pathlib.Path, **more: str) -> dict[str, str]:
    """Nothing of the person who runs the tests comes in."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp), "TERM": "xterm", **more}


@pytest.fixture
def ctl(tmp_path: pathlib.Path) -> Ctl:
    def run(*words: str, **keys: Any) -> subprocess.CompletedProcess[str]:
        env = environment(tmp_path, **keys.pop("env", {}))
        return subprocess.run(
            [str(keys.pop("program", HUDDLECTL)), *words],
            env=env,
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
            **keys,
        )

    return run


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


@pytest.fixture
def served(ctl: Ctl, api: FakeApi) -> Ctl:
    """huddlectl against the stand-in."""
    return lambda *words, **keys: ctl(
        *words, **{**keys, "env": {"HUDDLE_SERVER": api.url, **keys.get("env", {})}}
    )


def verbs(ctl: Ctl) -> list[str]:
    text = ctl("--help").stdout
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", text, re.M)


# --- without a server ---


def test_every_verb_explains_itself(ctl: Ctl) -> None:
    names = verbs(ctl)
    some = {"get", "apply", "explain", "report", "drain", "move"}
    assert some | {"token create", "auth check", "install crds"} <= set(names)
    assert len(names) == len(set(names)) == 35
    for name in names:
        done = ctl(*name.split(), "--help")
        assert done.returncode == 0, done.stderr
        examples = done.stdout.split("Examples\n")[1].split("\nOptions")[0]
        assert re.search(rf"^  .*huddlectl {name}\b", examples, re.M), done.stdout
        assert ctl("help", *name.split()).stdout == done.stdout


def test_release_all_asks_the_cluster_that_is_named(ctl: Ctl, tmp_path: pathlib.Path) -> None:
    missing = tmp_path / "none.yaml"
    done = ctl("release", "--all", "--kubeconfig", str(missing))
    assert done.returncode == 1 and f"{missing}: no such kubeconfig" in done.stderr


def test_called_by_kubectl_it_says_so(ctl: Ctl, tmp_path: pathlib.Path) -> None:
    plugin = tmp_path / "kubectl-huddle"
    plugin.symlink_to(HUDDLECTL)
    done = ctl("get", "--help", program=plugin)
    assert "kubectl huddle get nodes" in done.stdout
    assert "huddlectl" not in done.stdout.split("Options of every verb")[0]


@pytest.mark.parametrize(
    "words, message",
    [
        (["gte"], 'did you mean "get"?'),
        (["token", "crate"], 'did you mean "token create"?'),
        (["get", "nods"], 'did you mean "nodes"?'),
        (["get", "nodes", "--wacth"], "did you mean --watch?"),
        (["get", "nodes", "-o", "jsn"], 'did you mean "json"?'),
        (["get", "nodes", "--dry-run=client"], "no meaning here"),
        (["get"], "get needs KIND"),
        (["get", "nodes", "-l", "a=b=c"], "no label selector"),
        (["version", "x"], '"x" is too much'),
        (["apply"], "apply needs -f FILE"),
        (["apply", "-f", "x", "--dry-run=maybe"], "--dry-run is client, server or none"),
        (["delete", "replicas", "r1"], "cannot be deleted"),
        (["delete", "models"], "needs the names"),
        (["drain"], "drain needs NODE"),
        (["drain", "pool/x"], "is for nodes"),
        (["sleep", "n1", "--timeout", "5"], "--timeout"),
        (["explain", "pool", "p"], "can be explained, not powerpools"),
        (["explain", "replica"], "nobody declares replicas: say which one"),
        (["explain", "nods"], 'did you mean "nodes"'),
        (["top", "pools"], "draw no power"),
        (["report", "--from", "soon"], "--from"),
        (["report", "--from", "1h", "--to", "2h"], "ends before it begins"),
        (["report", "-o", "pdf"], 'unknown format "pdf"'),
        (["events", "--type", "Bad"], "Normal or Warning"),
        (["token", "create", "a b", "--role", "viewer"], "is no name for a token"),
        (["token", "create", "bob"], "--role is needed"),
        (["completion", "csh"], "bash, zsh, fish"),
    ],
)
def test_usage_is_told_and_is_2(ctl: Ctl, words: list[str], message: str) -> None:
    done = ctl(*words, env={"HUDDLE_SERVER": NOBODY})
    assert done.returncode == 2, done
    assert message in done.stderr
    assert re.search(r"^See 'huddlectl.* --help'\.$", done.stderr, re.M)
    assert done.stdout == ""


def test_the_version_needs_no_server(ctl: Ctl) -> None:
    client = ctl("version", "--client", "-o", "json", env={"HUDDLE_SERVER": NOBODY})
    version = json.loads(client.stdout)
    assert version["server"] is None
    assert ctl("--version").stdout == f"huddlectl {version['client']}\n"
    both = ctl("version", env={"HUDDLE_SERVER": NOBODY})
    assert both.returncode == 1 and both.stdout == f"Client: {version['client']}\n"


def test_no_server_is_told(ctl: Ctl) -> None:
    done = ctl("get", "nodes", env={"HUDDLE_SERVER": NOBODY})
    assert done.returncode == 1
    assert "cannot connect" in done.stderr and NOBODY in done.stderr
    assert "is huddle-controller running there? --server or HUDDLE_SERVER" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_told(ctl: Ctl) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [HUDDLECTL, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr


# --- checking files ---


def test_the_examples_are_good(ctl: Ctl) -> None:
    done = ctl("apply", "--dry-run=client", "-f", str(ROOT / "deploy/examples/demo"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("apiVersion: huddle.energy/v1alpha1") == 5
    assert "errorShare: 0.01" in done.stdout  # a default
    done = ctl("apply", "--dry-run=client", "-f", str(ROOT / "deploy/examples/batch.yaml"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("apiVersion: huddle.energy/v1alpha1") == 3
    assert "deadline: 8h" in done.stdout
    done = ctl("apply", "--dry-run=client", "-f", str(ROOT / "deploy/examples/redfish.yaml"))
    assert done.returncode == 0 and "type: redfish" in done.stdout, done.stderr


def test_what_is_checked_is_printed_whole_and_read_again(ctl: Ctl) -> None:
    once = ctl("apply", "--dry-run=client", "-f", str(GOOD), "-o", "yaml")
    assert once.returncode == 0, once.stderr
    twice = ctl("apply", "--dry-run=client", "-f", "-", input=once.stdout)
    assert twice.stdout == once.stdout
    as_json = ctl("apply", "--dry-run=client", "-f", "-", "-o", "json", input=once.stdout)
    again = ctl(
        "apply", "--dry-run=client", "-f", "-", input=as_json.stdout.replace("}\n{", "}\n---\n{")
    )
    assert again.stdout == once.stdout


def test_the_good_ones_show_every_field(ctl: Ctl) -> None:
    text = ctl("apply", "--dry-run=client", "-o", "json", "-f", str(GOOD)).stdout
    objects = json.loads("[" + text.replace("}\n{", "},\n{") + "]")

    def missing(schema: dict[str, Any], specs: list[Any]) -> list[str]:
        lost = []
        for key, inner in schema.get("properties", {}).items():
            found = [s[key] for s in specs if isinstance(s, dict) and key in s]
            below = missing(inner, found) if inner.get("properties") else []
            lost += [f"{key}.{b}" for b in below] if found else [key]
        return lost

    for kind in ("ServedModel", "PowerPool", "PowerPolicy"):
        schema = json.loads(ctl("schema", kind).stdout)["properties"]["spec"]
        assert missing(schema, [o["spec"] for o in objects if o["kind"] == kind]) == []


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def breaks(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """Where `value` is not what the schema says; the part of JSON Schema that ours uses."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(
        isinstance(value, TYPES[t]) and (t == "boolean") == isinstance(value, bool) for t in types
    ):
        return [f"{path}: not {types}"]
    lost = [f"{path}: no {key}" for key in schema.get("required", []) if key not in value]
    if "const" in schema and value != schema["const"] or value not in schema.get("enum", [value]):
        lost.append(f"{path}: {value} is not the one")
    if isinstance(value, (int, float)):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            lost.append(f"{path}: out of range")
    if isinstance(value, list):
        for i, inner in enumerate(value):
            lost += breaks(schema.get("items", {}), inner, f"{path}[{i}]")
    if isinstance(value, dict):
        others = schema.get("additionalProperties", True)
        for key, inner in value.items():
            below = schema.get("properties", {}).get(key, others)
            if below is False:
                lost.append(f"{path}.{key}: unknown")
            elif isinstance(below, dict):
                lost += breaks(below, inner, f"{path}.{key}")
    return lost


def test_the_schema_is_what_apply_reads(ctl: Ctl) -> None:
    text = ctl("apply", "--dry-run=client", "-o", "json", "-f", str(GOOD)).stdout
    objects = json.loads("[" + text.replace("}\n{", "},\n{") + "]")
    assert any("labels" in o["metadata"] for o in objects)
    for o in objects:
        schema = json.loads(ctl("schema", o["kind"]).stdout)
        assert breaks(schema, o) == []
        for odd in ({"labels": 5}, {"lables": {}}, {"name": 5}):
            assert breaks(schema, {**o, "metadata": {**o["metadata"], **odd}})
        assert breaks(schema, {**o, "spec": {"zzz": 1}})
    model = json.loads(ctl("schema", "ServedModel").stdout)
    head = {
        "apiVersion": "huddle.energy/v1alpha1",
        "kind": "ServedModel",
        "metadata": {"name": "m"},
    }
    for spec in ({"resources": {"cpu": 0.1}}, {"arguments": {"width": 128}}):
        assert breaks(model, {**head, "spec": spec}) == []
    for spec in ({"replicas": {"min": -1}}, {"demand": {"preset": "vlm"}}, {"runtime": 5}):
        assert len(breaks(model, {**head, "spec": spec})) == 1


@pytest.mark.parametrize("kind", ["ServedModel", "PowerPool", "PowerPolicy"])
def test_defaults_of_the_schema_are_those_of_apply(ctl: Ctl, kind: str) -> None:
    object_ = f"{{apiVersion: huddle.energy/v1alpha1, kind: {kind}, metadata: {{name: a}}}}"
    done = ctl("apply", "--dry-run=client", "-o", "json", "-f", "-", input=object_)

    def defaults(schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        here = {k: inner["default"] for k, inner in properties.items() if "default" in inner}
        below = {k: defaults(inner) for k, inner in properties.items() if "properties" in inner}
        return here | {k: v for k, v in below.items() if v}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return float(value) if re.fullmatch(r"[0-9.]+", str(value)) else value

    found = defaults(json.loads(ctl("schema", kind).stdout)["properties"]["spec"])
    assert len(found) >= 5
    printed = plain(json.loads(done.stdout)["spec"])
    missing = {k: v for k, v in plain(found).items() if printed.get(k) != v}
    assert missing == {}


def test_every_bad_manifest_has_its_line(ctl: Ctl) -> None:
    names = sorted(BAD.glob("*.yaml"))
    assert len(names) >= 100
    for path in names:
        done = ctl("apply", "--dry-run=client", "-f", path.name, cwd=BAD)
        assert done.returncode == 1, path
        assert done.stdout == "", path
        assert done.stderr == path.with_suffix(".expect").read_text(), path


def test_all_files_are_read_before_anything_is_sent(served: Ctl, api: FakeApi) -> None:
    good = str(ROOT / "deploy/examples/demo")
    done = served(
        "apply", "-f", good, "-f", str(BAD / "strategy.yaml"), "-f", str(BAD / "spec-list.yaml")
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert api.requests == []


def test_each_bad_document_of_a_file_is_told(ctl: Ctl) -> None:
    head = "apiVersion: huddle.energy/v1alpha1\nkind: PowerPool\nmetadata: {name: a}\n"
    text = head + "spec: {spare: x}\n---\n" + head + "---\n" + head + "spec: {sparse: 1}\n"
    done = ctl("apply", "--dry-run=client", "-f", "-", input=text)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        'standard input:4:8: spec.spare: expected a whole number, not the string "x"',
        'standard input:13:8: spec.sparse: unknown field; did you mean "spare"?',
    ]


def test_folders(ctl: Ctl, tmp_path: pathlib.Path) -> None:
    pool = "apiVersion: huddle.energy/v1alpha1\nkind: PowerPool\nmetadata: {name: %s}\n"
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/b.yaml").write_text(pool % "b")
    (tmp_path / "in/a.yml").write_text(pool % "a")
    (tmp_path / "in/deep/c.yaml").write_text(pool % "c")
    (tmp_path / "in/.hidden.yaml").write_text("bad")
    (tmp_path / "in/notes.txt").write_text("bad")
    flat = ctl("apply", "--dry-run=client", "-o", "name", "-f", str(tmp_path / "in"))
    assert flat.stdout.split() == ["powerpool/a", "powerpool/b"]
    deep = ctl("apply", "--dry-run=client", "-o", "name", "-R", "-f", str(tmp_path / "in"))
    assert deep.stdout.split() == ["powerpool/a", "powerpool/b", "powerpool/c"]
    (tmp_path / "empty").mkdir()
    none = ctl("apply", "--dry-run=client", "-f", str(tmp_path / "empty"))
    assert none.returncode == 1 and "no *.yaml" in none.stderr


def test_schema_and_manuals(ctl: Ctl) -> None:
    schema = json.loads(ctl("schema", "powerpool").stdout)
    assert schema["properties"]["spec"]["properties"]["minAwake"]["minimum"] == 0
    assert schema["properties"]["spec"]["additionalProperties"] is False
    assert len(json.loads(ctl("schema").stdout)["oneOf"]) == 3
    assert "spec.timing.warmUp" in ctl("manual", "huddle.yaml.5").stdout
    page = ctl("manual", "huddlectl.1").stdout
    for name in verbs(ctl):
        assert f'.SS "{name}' in page


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
@pytest.mark.parametrize("page", ["huddlectl.1", "huddle.yaml.5"])
def test_manuals_are_good_roff(ctl: Ctl, page: str) -> None:
    text = ctl("manual", page).stdout
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", "-z"],
        input=text,
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stderr == ""


def test_fields_are_explained(ctl: Ctl) -> None:
    assert "spec.slo.quantile <share>" in ctl("explain", "servedmodel.spec.slo").stdout
    done = ctl("explain", "pool.spec.nothing")
    assert done.returncode == 1 and "has no field" in done.stderr


# --- tokens ---


def test_a_token_and_its_hash(ctl: Ctl, tmp_path: pathlib.Path) -> None:
    made = json.loads(ctl("token", "create", "bob", "--role", "operator", "-o", "json").stdout)
    digest = hashlib.sha256(made["token"].encode()).hexdigest()
    assert made["line"] == f"bob operator sha256:{digest}"
    assert re.fullmatch(r"hud_bob_[0-9a-f]{64}", made["token"])
    file = tmp_path / "tokens"
    file.write_text("# no line end at the end")
    first = ctl("token", "create", "bob", "--role", "viewer", "--append", str(file))
    digest = hashlib.sha256(first.stdout.strip().encode()).hexdigest()
    assert file.read_text() == f"# no line end at the end\nbob viewer sha256:{digest}\n"
    again = ctl("token", "create", "bob", "--role", "admin", "--append", str(file))
    assert again.returncode == 1 and "already" in again.stderr and again.stdout == ""
    new = tmp_path / "new"
    assert ctl("token", "create", "x", "--role", "agent", "--append", str(new)).returncode == 0
    assert new.stat().st_mode & 0o777 == 0o600
    assert new.read_text().endswith(" node:x\n")  # its own name by default


def test_an_agents_token_is_for_a_node(ctl: Ctl) -> None:
    agent = ("--role", "agent", "-o", "json")
    made = json.loads(ctl("token", "create", "boxes", *agent, "--node", "*").stdout)
    assert made["node"] == "*" and made["line"].endswith(" node:*")
    made = json.loads(ctl("token", "create", "Box_1", *agent, "--node", "box-1").stdout)
    assert made["node"] == "box-1" and made["line"].endswith(" node:box-1")
    bad = ctl("token", "create", "Box_1", *agent)
    assert bad.returncode == 2 and "say with --node for which node" in bad.stderr
    made = json.loads(ctl("token", "create", "n1", *agent, "--expires", "2099-03-01").stdout)
    assert made["line"].endswith(" node:n1 expires:2099-03-01T00:00:00Z")
    made = json.loads(ctl("token", "create", "n1", *agent, "--expires", "90d").stdout)
    left = datetime.datetime.fromisoformat(made["expires"][:-1] + "+00:00")
    left -= datetime.datetime.now(datetime.timezone.utc)
    assert 89.9 < left.total_seconds() / 86400 <= 90
    for when, why in (("2020-01-01", "not in the future"), ("never", "expected a time")):
        bad = ctl("token", "create", "n1", *agent, "--expires", when)
        assert bad.returncode == 2 and why in bad.stderr
    bad = ctl("token", "create", "bob", "--role", "admin", "--node", "n1")
    assert bad.returncode == 2 and "--node goes with --role agent only" in bad.stderr


def test_where_the_server_and_the_token_come_from(
    ctl: Ctl, api: FakeApi, tmp_path: pathlib.Path
) -> None:
    api.token = "right"
    file = tmp_path / "token"
    file.write_text("right\n")
    config = tmp_path / ".config/huddle/config.yaml"
    config.parent.mkdir(parents=True)

    def ok(*words: str, **env: str) -> bool:
        return ctl("version", *words, env=env).returncode == 0

    server = ["--server", api.url + "/"]
    assert not ok(*server)
    assert ok(*server, "--token", "right")
    assert ok(*server, "--token-file", str(file), HUDDLE_TOKEN="wrong")
    assert ok(*server, HUDDLE_TOKEN="right")
    config.write_text(f"server: {api.url}\ntokenFile: {file}\n")
    assert ok()
    assert not ok(HUDDLE_TOKEN="wrong")
    assert not ok(HUDDLE_SERVER=NOBODY)
    other = tmp_path / "other.yaml"
    other.write_text(f"server: {NOBODY}\ntoken: right\n")
    assert ok("--server", api.url, HUDDLE_CONFIG=str(other))
    assert ok("--server", api.url, "--config", str(other))
    denied = ctl("get", "nodes", *server, env={"HUDDLE_TOKEN": "wrong"})
    assert "Error from server (Unauthorized)" in denied.stderr and "--token-file" in denied.stderr
    config.write_text("servre: x\n")
    bad = ctl("version")
    assert (
        bad.returncode == 1 and ':1:1: servre: unknown field; did you mean "server"?' in bad.stderr
    )


def test_a_token_is_not_sent_in_the_clear(ctl: Ctl) -> None:
    done = ctl("get", "nodes", "--server", "http://192.0.2.1:7443", "--token", "t")
    assert done.returncode == 1 and "use https://" in done.stderr
    done = ctl("get", "nodes", "--server", "ftp://127.0.0.1")
    assert done.returncode == 1 and "is not a URL" in done.stderr


# --- looking ---

NODE = {
    "spec": {"cordoned": False, "held": False},
    "status": {
        "state": "awake",
        "reason": "in use",
        "since": "2026-11-23T07:00:00Z",
        "pool": "rack",
        "reachable": True,
        "schedulable": True,
        "sleepable": False,
        "whyNotAsleep": "cooling down after the last change",
        "replicas": 1,
        "utilization": 0.42,
        "watts": 153.4,
        "wattsProvenance": "measured",
        "energy": {"measuredJ": 12345678.0, "estimatedJ": 0.0, "unattributedJ": 1.0, "gaps": 0},
        "curve": {"cycleJ": 9000.0, "cycleFrom": "estimated", "breakEvenS": 720.0},
        "plan": {
            "verdict": "stay",
            "why": "awake: in use",
            "wattsAfter": 160.0,
            "joulesAtStake": 0.0,
        },
        "agent": {"version": "0.1.0", "problems": [{"what": "no RAPL", "fix": "run as root"}]},
    },
}
REPLICA = {
    "spec": {"model": "small", "node": "n1", "port": 80},
    "status": {
        "phase": "ready",
        "ready": True,
        "leaving": "",
        "inFlight": 2,
        "restarts": 0,
        "why": "its node is awake anyway",
        "energyIdleJ": 100.0,
        "energyDynamicJ": 300.0,
    },
}


def fill(api: FakeApi) -> None:
    api.put("nodes", "n1", labels={"rack": "a"}, **NODE)
    asleep = json.loads(json.dumps(NODE))
    asleep["status"].update(state="asleep", watts=None, utilization=None, whyNotAsleep="")
    asleep["status"]["plan"].update(verdict="stay", joulesAtStake=4.2e6, offS=18000.0)
    api.put("nodes", "n2", labels={"rack": "b"}, **asleep)
    api.put("replicas", "small-1", labels={"model": "small"}, **REPLICA)
    api.put(
        "events",
        "1",
        involvedObject={"kind": "node", "name": "n1"},
        reason="NodeAwake",
        message="waking -> awake: seen",
        type="Normal",
        time="2026-11-23T07:00:00Z",
    )
    api.put(
        "events",
        "2",
        involvedObject={"kind": "node", "name": "n2"},
        reason="PowerActionFailed",
        message="no answer",
        type="Warning",
        time="2026-11-23T08:00:00Z",
    )


def test_get_in_every_format(served: Ctl, api: FakeApi) -> None:
    fill(api)
    table = served("get", "nodes").stdout.splitlines()
    assert re.split(r" {2,}", table[0]) == "NAME STATE SINCE POOL REPLICAS UTIL WATTS AGE".split()
    assert re.split(r" {2,}", table[1])[:2] == ["n1", "awake"]
    assert re.split(r" {2,}", table[1])[5:7] == ["42%", "153W"]
    assert re.split(r" {2,}", table[2])[5:7] == ["-", "-"]  # not known is not 0
    assert "METER" in served("get", "nodes", "-o", "wide").stdout
    assert served("get", "nodes", "-o", "name").stdout == "node/n1\nnode/n2\n"
    assert len(served("get", "nodes", "--no-headers").stdout.splitlines()) == 2
    one = json.loads(served("get", "node", "n1", "-o", "json").stdout)
    assert one == api.objects["nodes"]["n1"]
    both = json.loads(served("get", "nodes", "-o", "json").stdout)
    assert both["kind"] == "List" and len(both["items"]) == 2
    text = served("get", "node/n1", "-o", "yaml").stdout
    assert "  watts: 153.4\n" in text and 'since: "2026-11-23T07:00:00Z"' in text
    mixed = served("get", "node/n1", "replica/small-1").stdout
    assert "node/n1" in mixed and "replica/small-1" in mixed
    assert served("get", "nodes", "-l", "rack=a,!x", "-o", "name").stdout == "node/n1\n"


def simulated(folder: pathlib.Path) -> list[str]:
    """What `simulate` needs: the demo's rack, and half an hour of one of its models."""
    demo = ROOT / "deploy/examples/demo"
    manifests = [(demo / name).read_text() for name in ("rack.yaml", "models.yaml")]
    (folder / "rack.yaml").write_text("---\n".join(manifests))
    rows = ["time,small"] + [f"{60 * k},{20 + k}" for k in range(30)]
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    files = ["--history", str(folder / "history.csv"), "-f", str(folder / "rack.yaml")]
    return [*files, "--nodes", "4", "--size", "cpu=100m,memory=1Gi", "--watts", "60,250"]


@pytest.mark.parametrize("flag", ["-o", "--dry-run"])
def test_what_a_verb_offers_it_takes(
    served: Ctl, api: FakeApi, flag: str, tmp_path: pathlib.Path
) -> None:
    """Each word that the help and the completion of a verb name for a flag."""
    fill(api)
    api.put("plans", "current", spec={}, status={})
    pool = ROOT / "tests/data/manifests/good/powerpool.yaml"
    tokens = str(tmp_path / "tokens")
    made = served("token", "create", "eve", "--role", "viewer", "--append", tokens)
    assert made.returncode == 0, made.stderr
    words = {
        "get": ["nodes"],
        "top": ["nodes"],
        "explain": ["node", "n1"],
        "apply": ["-f", str(pool)],
        "delete": ["-f", str(pool), "--ignore-not-found"],
        "token create": ["bob", "--role", "viewer"],
        "token list": ["--tokens", tokens],
        "simulate": simulated(tmp_path),
    }
    tried = 0
    for verb in verbs(served):
        text = served(*verb.split(), "--help").stdout
        option = re.search(rf"^  .*{flag}\b.*?  ((?:.|\n {{20,}})*)", text, re.M)
        if not option or "--server" not in text:  # the latter: see tests/kubernetes
            continue
        offered = served("__complete", "--", *verb.split(), flag, "").stdout.split()
        assert "json" in offered or "server" in offered
        for choice in offered:
            assert choice in option[1] or choice == "none", (verb, choice)
            done = served(*verb.split(), *words.get(verb, []), flag, choice)
            assert done.returncode == 0, (verb, choice, done.stderr)
            tried += 1
    assert tried > 4


def test_what_is_not_there(served: Ctl, api: FakeApi) -> None:
    none = served("get", "pools")
    assert none.returncode == 0 and none.stderr == "No powerpools found.\n"
    assert json.loads(served("get", "pools", "-o", "json").stdout)["items"] == []
    fill(api)
    done = served("get", "node", "n9", "n1")
    assert done.returncode == 1
    assert done.stderr == 'Error from server (NotFound): Node "n9" not found\n'
    assert "n1" in done.stdout


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"


@pytest.mark.parametrize(
    "words",
    [
        ["get", "nodes", "-o", "wide"],
        ["get", "nodes", "-o", "json"],
        ["get", "nodes", "-o", "yaml"],
        ["get", "nodes", "-o", "name"],
        ["describe", "nodes"],
        ["explain", "node", "n1"],
        ["top", "nodes"],
        ["events"],
        ["plan"],
        ["report"],
        ["report", "-o", "csv"],
        ["report", "-o", "html"],
        ["sleep", "n1"],
        ["get", "node", "n9"],
    ],
)
def test_a_server_cannot_steer_the_terminal(served: Ctl, api: FakeApi, words: list[str]) -> None:
    node = json.loads(json.dumps(NODE))
    node["status"]["reason"] = node["status"]["plan"]["why"] = node["status"]["pool"] = HOSTILE
    node["status"]["agent"]["problems"] = [{"what": HOSTILE, "fix": HOSTILE}]
    api.put("nodes", "n1", labels={HOSTILE: HOSTILE}, **node)
    api.put("nodes", HOSTILE, **node)
    api.put("events", "1", type=HOSTILE, message=HOSTILE, reason=HOSTILE, time=HOSTILE)
    api.put(
        "plans",
        "current",
        metadata={"uid": HOSTILE},
        spec={"nodes": [{"name": HOSTILE, "verdict": HOSTILE, "why": HOSTILE}]},
        status={"summary": HOSTILE, "why": HOSTILE},
    )
    api.report = {
        "from": HOSTILE,
        "to": HOSTILE,
        "nodes": [{"name": HOSTILE, "usedJ": 1}],
        "models": [{"name": HOSTILE, "usedJ": 1, "idleJ": 1, "dynamicJ": 2}],
        "series": {"startMs": 0, "stepMs": 1000, "demand": {HOSTILE: [1, 2]}},
    }
    api.refusals["sleep"] = (422, HOSTILE)
    done = served(*words)
    for c in "\x1b\x07\x9b\u202e\x7f":
        assert c not in done.stdout + done.stderr
    if words[0] != "get":
        assert "\\x1b]0;owned" in done.stdout + done.stderr


def test_describe(served: Ctl, api: FakeApi) -> None:
    fill(api)
    text = served("describe", "node", "n1").stdout
    assert re.search(r"^Name: +n1$", text, re.M)
    assert re.search(r"^Labels: +rack=a$", text, re.M)
    assert re.search(r"^Power: +153W$", text, re.M)
    assert re.search(r"^  Sleepable +False +cooling down after the last change$", text, re.M)
    assert re.search(r"^  Wakeable +Unknown$", text, re.M)
    assert "\n  no RAPL\n    Remedy: run as root\n" in text
    assert re.search(r"^Replicas:\n  NAME +MODEL.*\n  small-1 +small", text, re.M)
    assert "NodeAwake" in text and "PowerActionFailed" not in text
    assert "Memory" not in text  # not known: left out
    assert "Events: none" in served("describe", "replica/small-1").stdout
    assert served("describe", "nodes").stdout.count("Conditions:") == 2
    share = {"measured": 0.63, "estimated": 0.33, "assumed": 0.04}
    saved = {"savedW": 112.0, "savedLowW": 98.0, "savedHighW": 130.0, "savedShare": share}
    api.put("clusters", "c1", status=saved)
    text = served("describe", "cluster", "c1").stdout
    assert re.search(
        r"^Saved: +112W \(98W\.\.130W\)\n  measured: +63%\n  estimated: +33%\n", text, re.M
    )


def test_explain(served: Ctl, api: FakeApi) -> None:
    fill(api)
    text = served("explain", "node", "n1").stdout
    assert text.startswith("Node n1 is awake for ")
    for sentence in (
        "It holds 1 replica: small-1.",
        "The plan leaves it as it is: awake: in use.",
        "It may not sleep now: cooling down after the last change.",
        "A power cycle of it costs 9kJ (estimated) and pays off after 12m asleep.",
        "It draws 153W (measured); 160W after the plan (estimated).",
        "It has used 12.3MJ by its own meters, and 0J as estimated, since huddle knows it.",
        "Its agent misses something: no RAPL; remedy: run as root.",
    ):
        assert sentence in text
    assert "At stake" not in text
    asleep = json.loads(served("explain", "node/n2", "-o", "json").stdout)
    assert asleep["object"] == "node/n2" and asleep["joulesAtStake"] == 4.2e6
    assert "At stake: 4.2MJ over 5h of sleep." in asleep["sentences"]
    assert "What it draws is not known now." in asleep["sentences"]
    assert asleep["joulesUsed"] == 12345678
    awake = json.loads(served("explain", "node/n1", "-o", "json").stdout)
    assert awake["joulesAtStake"] is None  # the plan does nothing to it
    replica = served("explain", "replica", "small-1").stdout
    assert "Why here: its node is awake anyway." in replica
    assert "It has used 400J: 300J for its work, 100J as its share" in replica
    assert "plan" not in replica  # there is none


@pytest.mark.parametrize(
    "placements, sentence",
    [
        (
            [{"model": "small", "node": "n1", "replica": "small-1", "replaces": None}],
            "The plan keeps it: one of 2 that its model should have.",
        ),
        (
            [
                {
                    "node": "n2",
                    "replica": None,
                    "replaces": "small-1",
                    "state": "starting",
                    "why": "",
                }
            ],
            "The plan moves it to node n2: it goes once the new one serves there (starting).",
        ),
        (
            [{"node": "n2", "replaces": "small-1", "renews": True, "why": "backing off"}],
            "in its place on node n2: it goes once the new one serves there (pending: backing off).",
        ),
        (
            [{"node": "n1", "replica": None, "uid": "small-1", "replaces": "small-0"}],
            "The plan keeps it: one of 2 that its model should have.",
        ),
        (
            [{"node": "n1", "replica": "small-2"}],
            "The plan does not need it: 2 of its model are enough.",
        ),
    ],
)
def test_a_replicas_place_in_the_plan(
    served: Ctl, api: FakeApi, placements: list[dict[str, Any]], sentence: str
) -> None:
    fill(api)
    spec = {
        "models": [{"name": "other", "target": 9}, {"name": "small", "target": 2}],
        "nodes": [{"name": "n1", "why": "awake: in use"}],
        "placements": placements,
    }
    api.put("plans", "current", spec=spec, status={"inForce": True})
    told = json.loads(served("explain", "replica", "small-1", "-o", "json").stdout)
    assert any(sentence in text for text in told["sentences"]), told
    assert "Its node in the plan: awake: in use." in told["sentences"]
    assert told["joulesUsed"] == 400 and told["joulesAtStake"] is None
    api.put("plans", "current", spec=spec, status={"inForce": False})
    assert "plan" not in served("explain", "replica", "small-1").stdout


def test_plan(served: Ctl, api: FakeApi) -> None:
    none = served("plan")
    assert none.returncode == 1 and "there is no plan yet" in none.stderr
    api.put(
        "plans",
        "current",
        metadata={"uid": "77"},
        spec={
            "models": [
                {"name": "small", "target": 2, "floor": 1, "demandNow": 3.5, "why": "forecast"}
            ],
            "nodes": [{"name": "n2", "verdict": "sleep", "offS": 7200, "why": "empty soon"}],
            "placements": [
                {"model": "small", "node": "n1", "replica": "small-1", "state": "stay"},
                {
                    "model": "small",
                    "node": "n1",
                    "replica": None,
                    "replaces": "small-2",
                    "state": "starting",
                },
            ],
        },
        status={
            "summary": "one node can sleep",
            "ageMs": 3000,
            "awakeNow": 3,
            "awakeTarget": 2,
            "boundNodes": 2,
            "wattsNow": 310,
            "wattsAfter": 212,
            "moves": 1,
            "sleeps": 1,
            "inForce": True,
        },
    )
    text = served("plan").stdout
    assert "Plan 77, made 3s ago, in force" in text
    assert "3 now, 2 wanted; no plan can do with less than 2" in text
    assert "310W now, 212W after; lower bound -" in text
    assert re.search(r"^n2 +sleep +- +- +120m +empty soon$", text, re.M)
    assert "small-2" in text and "stay" not in text
    assert json.loads(served("plan", "-o", "json").stdout)["metadata"]["uid"] == "77"


def test_top(served: Ctl, api: FakeApi) -> None:
    fill(api)
    api.put("nodes", "n0", **{**NODE, "status": {**NODE["status"], "watts": 20.0}})
    rows = served("top", "nodes").stdout.splitlines()
    assert [row.split()[0] for row in rows[1:4]] == ["n1", "n0", "n2"]
    assert "12.3MJ" in rows[1]
    assert rows[-1] == "173W together; 1 of 3 not known"
    assert "400J" in served("top", "replicas").stdout


def test_events(served: Ctl, api: FakeApi) -> None:
    fill(api)
    assert len(served("events").stdout.splitlines()) == 3
    warnings = served("events", "--type", "warning").stdout
    assert "PowerActionFailed" in warnings and "NodeAwake" not in warnings
    about = served("events", "--for", "node/n1").stdout
    assert "NodeAwake" in about and "PowerActionFailed" not in about
    since = served("events", "--since", "2026-11-23T07:30:00Z").stdout
    assert "PowerActionFailed" in since and "NodeAwake" not in since
    assert served("events", "--since", "2030-01-01").stderr == "No events found.\n"


def lines_of(process: subprocess.Popen[str]) -> "list[str]":
    """Filled by a thread while the process runs."""
    lines: list[str] = []

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def following(api: FakeApi, tmp_path: pathlib.Path) -> Iterator[Callable[..., Any]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], list[str]]:
        process = subprocess.Popen(
            [HUDDLECTL, *words],
            env=environment(tmp_path, HUDDLE_SERVER=api.url),
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, lines_of(process)

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_watch_follows_changes(api: FakeApi, following: Callable[..., Any]) -> None:
    fill(api)
    api.watch_ends_after = 1  # each stream ends after one change: it is begun again
    _, lines = following("get", "nodes", "-w")
    wait_for(lambda: len(lines) == 3)
    for state in ("draining", "empty", "sleeping"):
        api.put("nodes", "n1", spec={}, status={"state": state})
        wait_for(lambda want=state: want in lines[-1])  # type: ignore[misc]
    api.put("powerpools", "p", spec={})  # another kind is not shown
    api.put("nodes", "n3", spec={}, status={"state": "awake"})
    wait_for(lambda: lines[-1].startswith("n3 "))
    assert len(lines) == 7


def test_a_quiet_watch_goes_on(api: FakeApi, following: Callable[..., Any]) -> None:
    """Its stream ends after its time without a word, again and again: nothing is wrong."""
    fill(api)
    api.watch_ends_after = 0
    process, lines = following("get", "nodes", "-w", "-o", "name")
    wait_for(lambda: api.watches > 7)
    api.watch_ends_after = 1000000
    api.put("nodes", "n7", spec={}, status={})
    wait_for(lambda: lines[-1] == "node/n7\n")
    assert process.poll() is None


def test_watch_lists_again_when_the_server_forgot(
    api: FakeApi, following: Callable[..., Any]
) -> None:
    fill(api)
    api.gone_below = 1000
    _, lines = following("get", "nodes", "-w", "-o", "name")
    wait_for(lambda: len(lines) >= 4)  # listed, and listed again
    api.gone_below = 0
    api.put("nodes", "n7", spec={}, status={})
    wait_for(lambda: lines[-1] == "node/n7\n")


def test_events_are_followed(api: FakeApi, following: Callable[..., Any]) -> None:
    fill(api)
    _, lines = following("events", "--watch", "--type", "Warning")
    wait_for(lambda: len(lines) == 2)
    for number, kind in ((3, "Normal"), (4, "Warning")):
        api.put(
            "events",
            str(number),
            involvedObject={"kind": "node", "name": "n1"},
            reason=f"Number{number}",
            message="m",
            type=kind,
            time="2026-11-23T09:00:00Z",
        )
    wait_for(lambda: "Number4" in lines[-1])
    assert len(lines) == 3


def test_watch_of_one_object_as_json(api: FakeApi, following: Callable[..., Any]) -> None:
    fill(api)
    _, lines = following("get", "node", "n1", "-w", "-o", "json")
    wait_for(lambda: "}\n" in lines)
    api.put("nodes", "n2", spec={}, status={"state": "other"})
    api.put("nodes", "n1", spec={}, status={"state": "held"})
    wait_for(lambda: "".join(lines).count('"kind": "Node"') == 2)
    decoder, text, seen = json.JSONDecoder(), "".join(lines), []
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        seen.append(value["status"]["state"])
        text = text.lstrip()[end:]
    assert seen == ["awake", "held"]


# --- declaring ---

POOL = """apiVersion: huddle.energy/v1alpha1
kind: PowerPool
metadata: {name: rack, labels: {site: x}}
spec: {minAwake: %d}
"""


def test_apply_creates_changes_and_leaves_alone(served: Ctl, api: FakeApi) -> None:
    def apply(minimum: int, *words: str) -> str:
        done = served("apply", "-f", "-", *words, input=POOL % minimum)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    assert apply(1, "--dry-run=server") == "powerpool/rack created (server dry run)\n"
    assert api.objects["powerpools"] == {}
    assert apply(1) == "powerpool/rack created\n"
    assert apply(1) == "powerpool/rack unchanged\n"
    assert apply(2) == "powerpool/rack configured\n"
    live = api.objects["powerpools"]["rack"]
    assert live["spec"]["minAwake"] == 2 and live["spec"]["spare"] == 1  # defaults are sent too
    live["metadata"]["labels"]["others"] = "own"
    assert apply(3) == "powerpool/rack configured\n"
    assert api.objects["powerpools"]["rack"]["metadata"]["labels"] == {"site": "x", "others": "own"}
    assert json.loads(apply(3, "-o", "json"))["spec"]["minAwake"] == 3
    method, path, body = api.requests[-2]
    assert method == "PUT" and body["metadata"]["resourceVersion"]


def test_apply_tries_again_when_somebody_was_quicker(served: Ctl, api: FakeApi) -> None:
    served("apply", "-f", "-", input=POOL % 1)
    api.conflicts = 3
    done = served("apply", "-f", "-", input=POOL % 2)
    assert done.stdout == "powerpool/rack configured\n", done.stderr
    api.conflicts = 100
    done = served("apply", "-f", "-", input=POOL % 3)
    assert done.returncode == 1 and "powerpool/rack: from server (Conflict)" in done.stderr


def test_a_busy_server_is_asked_again(served: Ctl, api: FakeApi) -> None:
    api.busy = 1
    assert served("apply", "-f", "-", input=POOL % 1).returncode == 0


def test_diff(served: Ctl, api: FakeApi) -> None:
    new = served("diff", "-f", "-", input=POOL % 1)
    assert new.returncode == 1
    assert new.stdout.startswith("--- live/powerpools/rack\n+++ declared/powerpools/rack\n@@ -0,0 ")
    served("apply", "-f", "-", input=POOL % 1)
    same = served("diff", "-f", "-", input=POOL % 1)
    assert (same.returncode, same.stdout) == (0, "")
    other = served("diff", "-f", "-", input=POOL % 4)
    assert other.returncode == 1
    assert "\n-  minAwake: 1\n+  minAwake: 4\n" in other.stdout
    assert "resourceVersion" not in other.stdout and "status" not in other.stdout
    assert served("diff", "-f", "-", input="kind: x").returncode == 2
    assert served("diff", "-f", "-", input=POOL % 1, env={"HUDDLE_SERVER": NOBODY}).returncode == 2


def test_delete(served: Ctl, api: FakeApi) -> None:
    served("apply", "-f", "-", input=POOL % 1)
    assert "(server dry run)" in served("delete", "pool/rack", "--dry-run=server").stdout
    assert served("delete", "pool", "rack").stdout == "powerpool/rack deleted\n"
    gone = served("delete", "pool", "rack")
    assert gone.returncode == 1 and "NotFound" in gone.stderr
    assert served("delete", "pool", "rack", "--ignore-not-found").returncode == 0
    fill(api)
    assert served("delete", "node", "n1").stdout == "node/n1 deleted\n"
    served("apply", "-f", "-", input=POOL % 1)
    assert served("delete", "-f", "-", input=POOL % 1).stdout == "powerpool/rack deleted\n"


# --- steering ---


def test_node_verbs(served: Ctl, api: FakeApi) -> None:
    fill(api)
    for verb, said in (("cordon", "cordoned"), ("uncordon", "uncordoned"), ("hold", "held")):
        done = served(verb, "n1", "node/n2", "--reason", "new disk")
        assert done.stdout == f"node/n1 {said}\nnode/n2 {said}\n", done.stderr
        assert api.requests[-1] == (
            "POST",
            f"/apis/huddle.energy/v1alpha1/nodes/n2/{verb}",
            {"reason": "new disk"},
        )
    assert served("sleep", "n2").stdout == "node/n2 already asleep\n"
    assert served("wake", "-l", "rack=b").stdout == "node/n2 asked to wake\n"
    assert served("wake", "-l", "rack=q").returncode == 1
    api.refusals["sleep"] = (422, "cannot sleep node n1: held by a person")
    done = served("sleep", "n1", "n2")
    assert done.returncode == 1
    assert "Error from server (Invalid): cannot sleep node n1: held by a person" in done.stderr
    assert served("pause", "--reason", "x").returncode == 0
    assert api.requests[-1][:2] == ("POST", "/apis/huddle.energy/v1alpha1/clusters/_/pause")
    assert served("resume").stdout == "huddle goes on\n"


def change_later(api: FakeApi, *steps: dict[str, Any]) -> Callable[..., None]:
    """What a verb sets going: the node's status, step by step."""

    def begin(name: str, verb: str, body: object) -> None:
        def run() -> None:
            for step in steps:
                time.sleep(0.7)
                status = {**api.objects["nodes"][name]["status"], **step}
                api.put("nodes", name, spec=NODE["spec"], status=status)

        threading.Thread(target=run, daemon=True).start()

    return begin


def test_waiting(served: Ctl, api: FakeApi) -> None:
    fill(api)
    api.on_verb = change_later(
        api, {"state": "draining"}, {"state": "empty", "replicas": 0}, {"state": "asleep"}
    )
    done = served("sleep", "n1", "--wait")
    assert done.stdout == "node/n1 asleep\n", done.stderr
    assert "[--------------------] 0/1 node/n1 draining" in done.stderr
    assert "[####################] 1/1 node/n1 empty" in done.stderr
    assert "\r" not in done.stderr  # a log, no terminal
    api.on_verb = change_later(api, {"state": "waking"}, {"state": "awake", "replicas": 2})
    assert served("wake", "n1", "--wait").stdout == "node/n1 awake\n"
    api.on_verb = change_later(api, {"replicas": 0})
    assert served("drain", "n1", "--wait").stdout == "node/n1 drained\n"


def test_waiting_in_vain(served: Ctl, api: FakeApi) -> None:
    fill(api)
    api.on_verb = change_later(
        api, {"state": "draining"}, {"state": "awake", "reason": "the agent said no"}
    )
    done = served("sleep", "n1", "--wait")
    assert done.returncode == 1 and done.stdout == ""
    assert "it came to nothing: it is awake: the agent said no" in done.stderr
    api.on_verb = None
    done = served("drain", "n1", "--wait", "--timeout", "600ms")
    assert done.returncode == 1 and "not done in time" in done.stderr


# --- the report ---

REPORT = {
    "from": "2026-11-22T00:00:00Z",
    "to": "2026-11-23T00:00:00Z",
    "seconds": 86400,
    "energy": {
        "usedJ": 40e6,
        "measuredJ": 30e6,
        "estimatedJ": 10e6,
        "counterfactualJ": 60e6,
        "savedJ": 20e6,
        "savedLowJ": 15e6,
        "savedHighJ": 24e6,
    },
    "cost": {"saved": 1.5, "currency": "EUR"},
    "sleeps": 4,
    "wakes": 3,
    "moves": 12,
    "requests": 100000,
    "nodes": [{"name": "n1", "usedJ": 25e6, "asleepS": 3600, "sleeps": 2, "wakes": 2}],
    "models": [
        {
            "name": "<small>&",
            "usedJ": 2e6,
            "idleJ": 1e6,
            "dynamicJ": 1e6,
            "requests": 5,
            "errors": 0,
        }
    ],
    "series": {
        "stepMs": 3600000,
        "startMs": 1795305600000,
        "usedW": [400, None, 500, 450],
        "counterfactualW": [700, 700, None, None],
        "awake": [3, 3, 2, 2],
        "demand": {"<small>&": [1, 2, 3, None]},
    },
}


def test_report_as_a_table(served: Ctl, api: FakeApi) -> None:
    api.report = REPORT
    text = served("report", "--from", "2026-11-22", "--to", "2026-11-23T00:00:00Z").stdout
    assert api.requests[-1][1] == "/report?from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z"
    assert re.search(r"^Energy used +40MJ +11.1kWh$", text, re.M)
    assert re.search(r"^Saved +20MJ +5.56kWh +33.3%, between 15MJ and 24MJ$", text, re.M)
    assert re.search(r"^Mean power +463W$", text, re.M) and "were recorded" not in text
    assert re.search(r"^<small>& +2MJ +1MJ +1MJ +5 +- +0$", text, re.M)
    assert "75% was measured" in " ".join(text.split())
    assert re.search(r"^Money saved +1.50 EUR$", text, re.M)
    api.report = REPORT | {"recordedS": 21600, "cost": {"saved": 0.00123, "currency": "EUR"}}
    text = served("report").stdout
    assert re.search(r"^Mean power +1.85kW$", text, re.M)  # over what was recorded
    assert "Only 6h of these 24h were recorded" in text
    assert re.search(r"^Money saved +0.00123 EUR$", text, re.M)
    weighed = {"fixedJ": 0, "profileJ": 0, "fileJ": 36e6, "unknownJ": 4e6}
    carbon = {"usedKg": 3.0, "counterfactualKg": 4.0, "savedKg": 1.0, "savedLowKg": 0.9}
    carbon |= {"savedHighKg": 1.1, "avoidedKg": 0.25, "weighed": weighed}
    api.report = REPORT | {"carbon": carbon}
    text = served("report").stdout
    assert re.search(r"^CO2 emitted +3kg +300g/kWh$", text, re.M)
    assert re.search(r"^CO2 saved +1kg +25%, between 900g and 1.1kg$", text, re.M)
    assert re.search(r"^CO2 avoided +250g +by waiting for greener hours; computed$", text, re.M)
    words = " ".join(text.split())
    assert "90% by a file, 10% by none: it was not known then" in words
    api.report = {"from": "a", "to": "b", "energy": {}}
    empty = " ".join(served("report").stdout.split())
    assert "Energy used -" in empty and "Nothing was recorded" in empty and "not known" in empty


def test_report_as_csv_and_json(served: Ctl, api: FakeApi, tmp_path: pathlib.Path) -> None:
    api.report = REPORT
    rows = served("report", "-o", "csv").stdout.splitlines()
    assert rows[0] == "kind,name,time,metric,value,unit"
    assert "total,,,usedJ,40000000,J" in rows and "total,,,recordedS,,s" in rows
    assert "total,,,costSaved,1.5,EUR" in rows
    assert "series,,2026-11-22T01:00:00Z,usedW,,W" in rows  # not recorded: empty, not 0
    assert "series,<small>&,2026-11-22T02:00:00Z,demand,3,1/s" in rows
    assert json.loads(served("report", "-o", "json").stdout) == REPORT
    file = tmp_path / "r.csv"
    assert served("report", "--output", str(file)).stdout == ""
    assert file.read_text().splitlines() == rows
    bad = served("report", "--output", str(tmp_path / "none/r.csv"))
    assert bad.returncode == 1 and "No such file" in bad.stderr


class Page(html.parser.HTMLParser):
    """Every tag is closed in order, nothing is loaded from elsewhere."""

    VOID = {"meta", "rect", "path"}
    OPTIONAL = {"html"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            assert name not in ("src", "href", "onload"), (tag, name)
            assert "nan" not in (value or "") and "inf" not in (value or ""), (tag, name, value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_report_as_a_page(served: Ctl, api: FakeApi, tmp_path: pathlib.Path) -> None:
    api.report = REPORT
    file = tmp_path / "r.html"
    served("report", "--output", str(file))
    page = Page()
    page.feed(file.read_text())
    assert page.open == []
    assert "script" not in page.tags and "link" not in page.tags and page.tags["svg"] == 5
    text = file.read_text()
    assert "&lt;small&gt;&amp;" in text and "<small>" not in text
    assert "What is saved is not measured" in text and "15MJ to 24MJ" in text
    assert page.tags["details"] == 2 and "Figures of each node" in text
    row = '<tr><td>n1</td><td class="n">25MJ</td><td class="n">60m</td><td class="n">2</td>'
    assert row + '<td class="n">2</td></tr>' in text
    gap = re.search(r'class="line c0" d="([^"]+)"', text)
    assert gap and gap.group(1).count("M") == 2  # a missing value is a gap


# --- terminals and shells ---


def on_terminal(words: list[str], env: dict[str, str]) -> str:
    """Output of a program whose standard output and error are a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(words, env=env, stdout=follower, stderr=follower)
    os.close(follower)
    out = b""
    while select.select([leader], [], [], 30)[0]:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    process.wait(30)
    os.close(leader)
    return out.decode()


def test_colour_on_a_terminal_only(api: FakeApi, tmp_path: pathlib.Path) -> None:
    fill(api)
    words = [str(HUDDLECTL), "get", "nodes"]
    env = environment(tmp_path, HUDDLE_SERVER=api.url)
    assert "\033[32mawake\033[0m" in on_terminal(words, env)
    assert "\033[" not in on_terminal(words, env | {"NO_COLOR": "1"})
    assert "\033[" not in on_terminal(words, env | {"TERM": "dumb"})
    piped = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert "\033[" not in piped.stdout


def test_progress_on_a_terminal(api: FakeApi, tmp_path: pathlib.Path) -> None:
    fill(api)
    api.on_verb = change_later(api, {"state": "draining"}, {"state": "asleep", "replicas": 0})
    text = on_terminal(
        [str(HUDDLECTL), "sleep", "n1", "--wait"], environment(tmp_path, HUDDLE_SERVER=api.url)
    )
    assert "\r\033[K[" in text and text.endswith("node/n1 asleep\r\n")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_completion_in_bash(api: FakeApi, tmp_path: pathlib.Path) -> None:
    fill(api)
    script = """
    source <(huddlectl completion bash)
    COMP_WORDS=(huddlectl drain n); COMP_CWORD=2; _huddlectl; echo "${COMPREPLY[*]}"
    COMP_WORDS=(huddlectl get nodes -o ''); COMP_CWORD=4; _huddlectl; echo "${COMPREPLY[*]}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(tmp_path, HUDDLE_SERVER=api.url)
        | {"PATH": f"{BUILD}:{os.environ['PATH']}"},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == "n1 n2\ntable wide json yaml name\n", done.stderr


def test_completion_scripts_name_the_program(ctl: Ctl) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "huddlectl __complete -- " in ctl("completion", shell).stdout
    # without a server the names are missing, nothing else
    done = ctl("__complete", "--", "drain", "", env={"HUDDLE_SERVER": NOBODY})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # what cannot be deleted is not offered
    kinds = "servedmodels\npowerpools\npowerpolicies\nnodes\n"
    assert ctl("__complete", "--", "delete", "").stdout == kinds
    assert "replicas\n" in ctl("__complete", "--", "get", "").stdout


# --- the examples of the daemons ---


@pytest.mark.parametrize("program", ["agent", "controller"])
def test_the_annotated_configurations_are_good(program: str) -> None:
    example = ROOT / f"deploy/examples/{program}.yaml"
    daemon = BUILD / f"huddle-{program}"
    good = subprocess.run(
        [daemon, "--check-config", "--config", example], text=True, capture_output=True, check=False
    )
    assert good.returncode == 0, good.stderr


# --- on a cluster: all else is in tests/kubernetes ---


@pytest.mark.parametrize("answer", ["[]", "{}"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_what_is_no_definition_is_told(
    ctl: Ctl, tmp_path: pathlib.Path, method: str, answer: str
) -> None:
    """Whatever answers in the API server's place."""
    discovery = '{"major": "1", "minor": "30", "groups": [], "versions": []}'

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = "customresourcedefinitions/" in self.path
            self.say(404 if found and method != "GET" else 200, answer if found else discovery)

        def do_PATCH(self) -> None:
            self.say(200, answer)

        def say(self, code: int, text: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *unused: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        file = tmp_path / "kubeconfig"
        url = f"http://127.0.0.1:{server.server_address[1]}"
        cluster = {"name": "c", "cluster": {"server": url}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        known = {"clusters": [cluster], "users": [{"name": "u"}], "contexts": [context]}
        file.write_text(json.dumps({"kind": "Config", "current-context": "c", **known}))
        for shape in ("yaml", "json", "table"):
            words = ["install", "crds", "--kubeconfig", str(file)]
            done = ctl(*words, *([] if shape == "table" else ["-o", shape]))
            assert done.returncode == 1, done
            assert "what came is no definition" in done.stderr and "`server`" in done.stderr
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
