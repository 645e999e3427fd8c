"""huddlectl simulate: a history of one's own, played before anything is touched."""

from __future__ import annotations

import json
import math
import os
import pathlib
import re
import subprocess
from collections.abc import Callable

import pytest

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()
NODES = """\
apiVersion: huddle.energy/v1alpha1
kind: PowerPool
metadata: {name: rack}
spec: {policy: rack, minAwake: 1, spare: 1, boot: {time: 150s}, standby: 8W}
---
apiVersion: huddle.energy/v1alpha1
kind: PowerPolicy
metadata: {name: rack}
spec: {strategy: predictive, pricePerKwh: 0.3, currency: EUR}
---
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {name: chat}
spec: {runtime: any, capacity: {requestsPerSecond: 5}, resources: {cpu: 8, memory: 24Gi}, startupTime: 40s}
---
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {name: embed}
spec: {runtime: any, capacity: {requestsPerSecond: 20}, resources: {cpu: 4, memory: 8Gi}, startupTime: 15s}
"""
RACK = ["--count", "12", "--size", "cpu=16,memory=64Gi", "--watts", "90,310"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    rows = ["time,chat,embed"]
    for k in range(2 * 288):
        day = math.sin(2 * math.pi * (k / 288 - 0.3))
        known = k not in (300, 301)
        rows.append(f"{300 * k},{40 + 30 * day:.2f},{f'{100 + 80 * day:.2f}' if known else ''}")
    (tmp_path / "history.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "rack.yaml").write_text(NODES)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BUILD / "huddlectl", "simulate", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def test_the_table_and_the_json_say_the_same(run: Run) -> None:
    files = ["--history", "history.csv", "--nodes", "rack.yaml"]
    table = run(*files, *RACK, "--carbon", "380")
    assert table.returncode == 0, table.stderr
    assert re.search(r"^\[#+-*\] \d+/100 predictive", table.stderr, re.M)  # progress
    text = run(*files, *RACK, "--carbon", "380", "-o", "json").stdout
    result = json.loads(text)
    assert (result["nodes"], result["days"], result["slotsPerNode"]) == (12, 2, 4)
    rows = {row["name"]: row for row in result["policies"]}
    assert list(rows) == ["always-on", "demand", "predictive", "clairvoyant", "bound"]
    for name, row in rows.items():
        line = next(at for at in table.stdout.splitlines() if at.startswith(name))
        assert f" {row['kwh']:.1f} " in line and f" {row['money']:.2f} " in line
        assert row["money"] == pytest.approx(0.3 * row["kwh"])
        assert row["kgCO2"] == pytest.approx(0.38 * row["kwh"])
    assert "EUR" in table.stdout.splitlines()[0]
    assert rows["bound"]["kwh"] < rows["clairvoyant"]["kwh"] < rows["predictive"]["kwh"]
    assert rows["predictive"]["kwh"] < rows["always-on"]["kwh"]
    assert rows["predictive"]["sleeps"] > 0 and rows["predictive"]["unserved"] == 0
    assert rows["always-on"]["sleeps"] == 0 and rows["always-on"]["meanAwake"] == 12


def test_the_same_seed_gives_the_same_bytes(run: Run) -> None:
    words = ["--history", "history.csv", "--nodes", "rack.yaml", *RACK, "--failures", "0.2"]
    first = run(*words, "--seed", "3", "-o", "json")
    assert first.returncode == 0, first.stderr
    assert first.stdout == run(*words, "--seed", "3", "-o", "json").stdout
    other = json.loads(run(*words, "--seed", "4", "-o", "json").stdout)
    assert other["policies"] != json.loads(first.stdout)["policies"]
    assert sum(row.get("failedBoots", 0) for row in other["policies"]) > 0


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["--nodes", "rack.yaml", *RACK], 2, "--history FILE is needed"),
        (["--history", "history.csv", "--nodes", "rack.yaml"], 2, "--count N is needed"),
        ([*RACK[:2], *RACK[4:], "--size", "cores=3"], 2, '--size: "cores" is none of cpu'),
        ([*RACK[:4], "--watts", "300,90"], 2, "--watts: "),
        ([*RACK[:4], "--watts", "1,2,3"], 2, "expected 2 (idle, full) or 11"),
        ([*RACK, "--count", "1"], 2, "--count: "),
        ([*RACK, "--seed", "x"], 2, "--seed: "),
        ([*RACK, "-o", "pdf"], 2, 'unknown format "pdf"'),
        ([*RACK, "--size", "cpu=4,memory=64Gi"], 1, '"chat" does not fit on a node'),
        ([*RACK, "--history", "none.csv"], 1, "none.csv"),
        ([*RACK, "--history", "rack.yaml"], 1, "rack.yaml:1: the first line must name"),
        ([*RACK, "--nodes", "history.csv"], 1, "history.csv"),
    ],
)
def test_what_is_wrong_is_told(run: Run, words: list[str], code: int, message: str) -> None:
    files = ["--history", "history.csv", "--nodes", "rack.yaml"]
    done = run(*([] if "needed" in message else files), *words)
    assert done.returncode == code, done
    assert message in done.stderr
    assert done.stdout == ""


def test_a_model_without_capacity_is_named(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "rack.yaml").write_text(NODES.replace("capacity: {requestsPerSecond: 5}, ", ""))
    done = run("--history", "history.csv", "--nodes", "rack.yaml", *RACK)
    assert done.returncode == 1
    assert '"chat": capacity.requestsPerSecond must be declared' in done.stderr
    (tmp_path / "rack.yaml").write_text(NODES.split("---\n")[0])
    done = run("--history", "history.csv", "--nodes", "rack.yaml", *RACK)
    assert 'no ServedModel named "chat"' in done.stderr
