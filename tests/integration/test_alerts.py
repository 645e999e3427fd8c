"""deploy/prometheus as it is shipped: promtool's checks, its tests of alerts, and a real Prometheus."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import time
import urllib.request

import prometheus_server
import pytest
from prometheus_server import Prometheus

from tests.lab.controller import LIMIT_S, Controller
from tests.lab.lab import REPOSITORY

SHIPPED = REPOSITORY / "deploy/prometheus"
RULES = SHIPPED / "huddle.rules.yaml"
MORE = SHIPPED / "huddle-kubernetes.rules.yaml"
INHIBIT = SHIPPED / "alertmanager.yaml"
OPERATOR = REPOSITORY / "deploy/kubernetes/prometheus-operator"
CASES = REPOSITORY / "tests/data/prometheus/alerts.yaml"
MORE_CASES = REPOSITORY / "tests/data/prometheus/kubernetes.yaml"
EXPORTED = [REPOSITORY / "controller/api/metrics.c", REPOSITORY / "agent/metrics_text.c"]


def promtool(*words: object) -> str:
    prometheus_server.need()
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_and_configuration_are_valid() -> None:
    assert "SUCCESS: 10 rules found" in promtool("check", "rules", RULES)
    assert "SUCCESS: 2 rules found" in promtool("check", "rules", MORE)
    assert "is valid" in promtool("check", "config", "--syntax-only", SHIPPED / "prometheus.yaml")


def test_alerts_come_when_they_should() -> None:
    promtool("test", "rules", CASES, MORE_CASES)


def groups(file: pathlib.Path) -> str:
    """The text of its groups, without indentation."""
    text = file.read_text().split("groups:\n", 1)[1]
    return "\n".join(line.strip() for line in text.splitlines())


def test_the_operator_has_the_same_alerts() -> None:
    """`make prometheus-rule` makes it."""
    both = f"{groups(RULES)}\n{groups(MORE)}"
    assert groups(OPERATOR / "rules.yaml") == both


def test_the_operator_has_the_same_inhibition() -> None:
    """As (what is held back, by which equal label), of the two ways to write it."""
    plain = re.findall(r"target_matchers: \[(.+)\]\n(?: +equal: \[(\w+)\])?", INHIBIT.read_text())
    text = (OPERATOR / "inhibit.yaml").read_text().split("inhibitRules:")[1]
    rules = text.split("- sourceMatch: [{name: alertname, value: HuddleNodeAsleep}]")[1:]
    assert len(plain) == len(rules) == 4
    for (matchers, equal), rule in zip(plain, rules, strict=True):
        wanted = {
            (name, how, value.strip('"'))
            for name, how, value in re.findall(r"(\w+) (=~|=) (\"[^\"]+\"|\w+)", matchers)
        }
        found = {
            (name, how or "=", value.strip('"'))
            for name, how, value in re.findall(
                r"\{name: (\w+),(?: matchType: (=~),)? value: (\"[^\"]+\"|\w+)\}", rule
            )
        }
        assert found == wanted
        assert re.findall(r"equal: \[(\w+)\]", rule) == ([equal] if equal else [])


def test_alerts_on_a_node_that_sleeps_are_held_back(tmp_path: pathlib.Path) -> None:
    """By a real Alertmanager: those of the sleeper, not of its neighbour."""
    program = shutil.which("prometheus-alertmanager")
    if not program:
        pytest.skip("prometheus-alertmanager is not installed (make deps)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [
        program,
        f"--config.file={INHIBIT}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    url = f"http://127.0.0.1:{port}/api/v2/alerts"
    labels = [
        {"alertname": "HuddleNodeAsleep", "node": "n1", "instance": "n1", "severity": "none"},
        {"alertname": "KubeNodeNotReady", "node": "n1"},
        {"alertname": "KubeNodeNotReady", "node": "n2"},
        {"alertname": "InstanceDown", "instance": "n1", "job": "x"},
        {"alertname": "InstanceDown", "instance": "n2", "job": "x"},
        {"alertname": "TargetDown", "job": "node-exporter"},
        {"alertname": "TargetDown", "job": "shop"},
        {"alertname": "KubeDaemonSetRolloutStuck", "daemonset": "cni"},
        {"alertname": "KubePodCrashLooping", "node": "n1"},
    ]
    body = json.dumps([{"labels": of} for of in labels]).encode()
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(
        words, stdout=log, stderr=log
    ) as server:
        try:
            end = time.monotonic() + LIMIT_S
            held: list[tuple[str, ...]] = []
            while not held:
                assert time.monotonic() < end, (tmp_path / "log").read_text()
                try:
                    headers = {"Content-Type": "application/json"}
                    urllib.request.urlopen(
                        urllib.request.Request(url, body, headers), timeout=5
                    ).close()
                    with urllib.request.urlopen(url, timeout=5) as answer:
                        found = json.load(answer)
                except OSError:
                    time.sleep(0.1)
                    continue
                held = [
                    tuple(sorted(a["labels"].values())) for a in found if a["status"]["inhibitedBy"]
                ]
            wanted = [labels[1], labels[3], labels[5], labels[7]]
            assert sorted(held) == sorted(tuple(sorted(of.values())) for of in wanted)
        finally:
            server.kill()


def test_every_alert_is_tested_and_of_what_is_exported() -> None:
    for rules_file, cases_file in ((RULES, CASES), (MORE, MORE_CASES)):
        every_alert(rules_file.read_text(), cases_file.read_text())


def every_alert(rules: str, cases: str) -> None:
    alerts = re.findall(r"alert: (\w+)", rules)
    fires = re.findall(r"alertname: (\w+)\n +exp_alerts:", cases)
    silent = re.findall(r"alertname: (\w+)}", cases)
    assert alerts and set(alerts) == set(fires) == set(silent)
    exported = "".join(file.read_text() for file in EXPORTED)
    for expression in re.findall(r"expr: (?:>-)?(.+?)\n +(?:for|labels):", rules, re.DOTALL):
        for metric in re.findall(r"huddle_\w+", expression):
            assert f'"{metric}"' in exported, metric


def test_a_real_prometheus_reads_the_controller_by_it(tmp_path: pathlib.Path) -> None:
    """As shipped, but for the addresses, the paths of secrets, and how often it looks."""
    prometheus_server.need()
    prometheus_server.self_signed(tmp_path)
    (tmp_path / "token").write_text("winter")
    tokens = tmp_path / "tokens"
    tokens.write_text(f"prometheus metrics sha256:{hashlib.sha256(b'winter').hexdigest()}\n")
    tls = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    with Controller(tmp_path, tokens=str(tokens), tls=tls) as controller:
        config = (SHIPPED / "prometheus.yaml").read_text()
        for old, new in {
            "15s": "300ms",
            "30s": "300ms",
            "huddle.rules.yaml": str(RULES),
            "/etc/prometheus/huddle-token": str(tmp_path / "token"),
            "/etc/prometheus/huddle-ca.pem": str(tmp_path / "cert.pem"),
            "controller.example:7443": f"127.0.0.1:{controller.port}",
            '"n1.example:9101", "n2.example:9101"': "",
        }.items():
            assert old in config
            config = config.replace(old, new)
        with Prometheus(tmp_path / "server", tmp_path / "data", config=config) as prometheus:
            end = time.monotonic() + LIMIT_S
            while not prometheus.ask("up == 1") and time.monotonic() < end:
                time.sleep(0.1)
            assert prometheus.ask("up == 1").keys() == {"huddle-controller"}
            assert not prometheus.complaints()
            while (rules := prometheus.rules())[0]["health"] == "unknown":
                assert time.monotonic() < end
                time.sleep(0.1)
            assert len(rules) == 10
            assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
            assert prometheus.ask("huddle_degraded") == {"huddle-controller": 0}
            assert controller.stop() == 0
            while not prometheus.ask('ALERTS{alertname="HuddleControllerDown"}'):
                assert time.monotonic() < end
                time.sleep(0.1)
