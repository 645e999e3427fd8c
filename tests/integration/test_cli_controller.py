"""huddlectl against the real huddle-controller: what it declares, shows, follows and steers."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab import wire
from tests.lab.controller import LIMIT_S, Controller
from tests.lab.lab import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy/examples/demo"
DRIVERS = {"programs": ["/mnt/lab/bin"]}  # whence the demo's pool has its driver
Done = subprocess.CompletedProcess[str]


class Ctl:
    """huddlectl for one controller, with nothing of the person who runs the tests."""

    def __init__(self, controller: Controller, folder: pathlib.Path, **more: str) -> None:
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.env |= {"HUDDLE_SERVER": f"http://127.0.0.1:{controller.port}", **more}

    def __call__(self, *words: str, text: str | None = None) -> Done:
        return subprocess.run(
            [BUILD / "huddlectl", *words],
            env=self.env,
            input=text,
            text=True,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )

    def ok(self, *words: str, text: str | None = None) -> str:
        done = self(*words, text=text)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def get(self, *words: str) -> dict:
        return json.loads(self.ok("get", *words, "-o", "json"))


@pytest.fixture(name="controller")
def running(tmp_path: pathlib.Path) -> Iterator[Controller]:
    with Controller(tmp_path, powerDrivers=DRIVERS) as c:
        yield c


@pytest.fixture(name="ctl")
def command(controller: Controller, tmp_path: pathlib.Path) -> Ctl:
    return Ctl(controller, tmp_path)


def report(controller: Controller, node: str, sequence: int = 1, interval_ms: int = 1000) -> None:
    """A node speaks up; it is silent after four intervals."""
    body = wire.report(
        node=node,
        boot_id=f"boot-{node}",
        epoch=7,
        sequence=sequence,
        sent_wall_ms=int(time.time() * 1000),
        boot_ms=1000 + sequence,
        interval_ms=interval_ms,
        inventory={"cpus": 4, "cpu_milli": 4000, "memory_bytes": 8 << 30},
    )
    status, answer = controller.ask("POST", "/v1/report", body)
    assert status == 200, answer


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_declaring(ctl: Ctl) -> None:
    done = ctl.ok("apply", "-f", str(DEMO), "--dry-run=server")
    assert done.count("created (server dry run)") == 5
    assert ctl.get("models,pools,policies")["items"] == []
    assert ctl("diff", "-f", str(DEMO)).returncode == 1
    assert ctl.ok("apply", "-f", str(DEMO)).count(" created\n") == 5
    assert ctl.ok("apply", "-f", str(DEMO)).count(" unchanged\n") == 5
    assert ctl("diff", "-f", str(DEMO)).returncode == 0
    # what is shown can be declared again, status and versions and all
    shown = ctl.ok("get", "models", "-o", "yaml")
    assert ctl.ok("apply", "-f", "-", text=shown).count(" unchanged\n") == 3
    more = (DEMO / "rack.yaml").read_text().replace("minAwake: 2", "minAwake: 3")
    changed = ctl("diff", "-f", "-", text=more)
    assert changed.returncode == 1 and "-  minAwake: 2\n+  minAwake: 3\n" in changed.stdout
    assert "powerpool/rack configured" in ctl.ok("apply", "-f", "-", text=more)
    assert ctl.get("pool", "rack")["spec"]["minAwake"] == 3
    assert "(server dry run)" in ctl.ok("delete", "pool/rack", "--dry-run=server")
    assert ctl.ok("delete", "-f", str(DEMO)).count(" deleted\n") == 5
    assert ctl("get", "pool", "rack").returncode == 1


def test_a_node_is_given_away(ctl: Ctl, controller: Controller) -> None:
    report(controller, "n9")
    wait_for(lambda: ctl("get", "node", "n9").returncode == 0)
    refused = ctl("delete", "node", "n9")
    assert refused.returncode == 1 and "stop its agent" in refused.stderr
    assert ctl("delete", "node", "n9", "--dry-run=server").returncode == 1
    wait_for(lambda: ctl("delete", "node", "n9", "--dry-run=server").returncode == 0)
    assert ctl.ok("delete", "node", "n9") == "node/n9 deleted\n"
    assert ctl("get", "node", "n9").returncode == 1
    assert "NodeRemoved" in ctl.ok("events", "--for", "node/n9")
    report(controller, "n9", 2)
    wait_for(lambda: ctl("get", "node", "n9").returncode == 0)


def test_every_kind_is_shown(ctl: Ctl, controller: Controller) -> None:
    ctl.ok("apply", "-f", str(DEMO))
    report(controller, "n1", interval_ms=30000)
    for kind in "models pools policies nodes nodepowers replicas events journal clusters".split():
        for form in ("table", "wide", "json", "yaml", "name"):
            ctl.ok("get", kind, "-o", form)
    assert ctl.ok("get", "nodes", "-o", "name") == "node/n1\n"
    assert "n1" in ctl.ok("top", "nodes")
    assert "NodeAdded" in ctl.ok("events", "--for", "node/n1")
    assert "State:" in ctl.ok("describe", "node", "n1")
    assert "Node n1 is awake for " in ctl.ok("explain", "node", "n1")
    assert "Model small has 0 of 0 replicas" in ctl.ok("explain", "model", "small")
    assert ctl.ok("describe", "clusters,pools,models").count("Name:") == 5
    assert "Server: " in ctl.ok("version") and "unknown" not in ctl.ok("version")
    for form in ("table", "json", "yaml", "csv", "html"):
        ctl.ok("report", "--since", "1h", "-o", form)


def test_steering(ctl: Ctl, controller: Controller) -> None:
    ctl.ok("apply", "-f", str(DEMO))
    report(controller, "n1", interval_ms=30000)
    assert ctl.ok("cordon", "n1", "--reason", "flaky fan") == "node/n1 cordoned\n"
    assert ctl.get("node", "n1")["spec"]["cordoned"] is True
    assert "awake,cordoned" in ctl.ok("get", "nodes")
    ctl.ok("uncordon", "n1")
    assert ctl.get("node", "n1")["spec"]["cordoned"] is False
    refused = ctl("sleep", "n1")
    assert refused.returncode == 1 and "cannot sleep node n1: " in refused.stderr
    assert ctl("wake", "nobody").returncode == 1
    assert ctl.ok("drain", "n1", "--wait") == "node/n1 drained\n"  # nothing is on it
    assert "awake,drained" in ctl.ok("get", "nodes")
    assert "A person drains it" in ctl.ok("explain", "node", "n1")
    ctl.ok("pause", "--reason", "try")
    assert "paused" in ctl.ok("get", "clusters")
    ctl.ok("resume")
    assert "paused" not in ctl.ok("get", "clusters")
    happened = ctl.ok("events", "--no-headers")
    assert re.search(r" by local: try$", happened, re.M)
    assert re.search(r" Resumed .* by local$", happened, re.M)  # no reason was given
    acts = ctl.ok("get", "journal")
    assert "flaky fan" in acts and "pause" in acts


def follow(ctl: Ctl, *words: str) -> tuple[subprocess.Popen[str], list[str]]:
    process = subprocess.Popen(
        [BUILD / "huddlectl", *words], env=ctl.env, stdout=subprocess.PIPE, text=True
    )
    lines: list[str] = []
    assert process.stdout
    threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True).start()
    return process, lines


def test_following_over_a_restart_of_the_controller(
    controller: Controller, tmp_path: pathlib.Path
) -> None:
    config = json.loads(controller.config.read_text())
    config["listen"] = f"127.0.0.1:{controller.port}"
    controller.config.write_text(json.dumps(config))
    ctl = Ctl(controller, tmp_path)
    ctl.ok("apply", "-f", str(DEMO))
    process, lines = follow(ctl, "get", "pools", "-w", "-o", "name")
    try:
        wait_for(lambda: len(lines) == 1)
        pool = (DEMO / "rack.yaml").read_text().split("---")[0]
        ctl.ok("apply", "-f", "-", text=pool.replace("name: rack}", "name: second}"))
        wait_for(lambda: "powerpool/second\n" in lines)
        controller.stop(signal.SIGKILL)
        controller.start()
        ctl.ok("apply", "-f", "-", text=pool.replace("name: rack}", "name: third}"))
        wait_for(lambda: "powerpool/third\n" in lines)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_tls_and_tokens_made_here(tmp_path: pathlib.Path) -> None:
    cert, key, tokens = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "tokens"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-days", "2", "-subj", "/CN=huddle", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
        + ["-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )

    def token(name: str, role: str) -> str:
        return subprocess.run(
            [BUILD / "huddlectl", "token", "create", name, "--role", role, "--append", tokens],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    viewer = token("vera", "viewer")
    keys = {"tokens": str(tokens), "tls": {"certificate": str(cert), "key": str(key)}}
    keys["powerDrivers"] = DRIVERS
    with Controller(tmp_path, **keys) as controller:
        url = f"https://127.0.0.1:{controller.port}"
        ctl = Ctl(controller, tmp_path, HUDDLE_SERVER=url, HUDDLE_CA=str(cert))
        nobody = ctl("get", "nodes")
        assert nobody.returncode == 1 and "Unauthorized" in nobody.stderr
        ctl.env["HUDDLE_TOKEN"] = viewer
        ctl.ok("get", "nodes")
        denied = ctl("apply", "-f", str(DEMO))
        assert denied.returncode == 1 and "Forbidden" in denied.stderr
        ctl.env["HUDDLE_TOKEN"] = editor = token("ed", "editor")
        assert ctl("get", "nodes").returncode == 1  # the controller has not read it yet
        assert controller.process
        controller.process.send_signal(signal.SIGHUP)
        wait_for(lambda: ctl("get", "nodes").returncode == 0)
        ctl.ok("apply", "-f", str(DEMO))
        del ctl.env["HUDDLE_CA"]
        stranger = ctl("get", "nodes")
        assert stranger.returncode == 1 and "certificate is not trusted" in stranger.stderr
        for secret in (viewer, editor):
            assert secret not in stranger.stderr + denied.stderr + controller.log.read_text()
