"""deploy/prometheus as it is shipped: promtool's checks, its tests of alerts, and a real Prometheus."""

from __future__ import annotations

import hashlib
import pathlib
import re
import subprocess
import time

import prometheus_server
from prometheus_server import Prometheus

from tests.lab.controller import LIMIT_S, Controller
from tests.lab.lab import REPOSITORY

SHIPPED = REPOSITORY / "deploy/prometheus"
RULES = SHIPPED / "huddle.rules.yaml"
CASES = REPOSITORY / "tests/data/prometheus/alerts.yaml"
EXPORTED = [REPOSITORY / "controller/api/metrics.c", REPOSITORY / "agent/metrics_text.c"]


def promtool(*words: object) -> str:
    prometheus_server.need()
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_and_configuration_are_valid() -> None:
    assert "SUCCESS: 8 rules found" in promtool("check", "rules", RULES)
    assert "is valid" in promtool("check", "config", "--syntax-only", SHIPPED / "prometheus.yaml")


def test_alerts_come_when_they_should() -> None:
    promtool("test", "rules", CASES)


def test_every_alert_is_tested_and_of_what_is_exported() -> None:
    rules, cases = RULES.read_text(), CASES.read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    fires = re.findall(r"alertname: (\w+)\n +exp_alerts:", cases)
    silent = re.findall(r"alertname: (\w+)}", cases)
    assert alerts and set(alerts) == set(fires) == set(silent)
    exported = "".join(file.read_text() for file in EXPORTED)
    for expression in re.findall(r"expr: (.+)", rules):
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
            assert len(rules) == 8
            assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
            assert prometheus.ask("huddle_degraded") == {"huddle-controller": 0}
            assert controller.stop() == 0
            while not prometheus.ask('ALERTS{alertname="HuddleControllerDown"}'):
                assert time.monotonic() < end
                time.sleep(0.1)
