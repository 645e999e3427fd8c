"""A rack that serves the model "small" through its front door: what tests of running racks share."""

from __future__ import annotations

import collections.abc
import contextlib
import json
import os
import pathlib

from tests.lab.rack import Rack

# What each of these models is; the rest of its spec follows.
CLASSIFIER = """\
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {{name: NAME}}
spec:
  runtime: classifier
  arguments: {{weights: {weights}, passes: "500", warmUp: "50"}}
  capacity: {{requestsPerSecond: 40, concurrency: 4}}
  resources: {{cpu: 24m, memory: 32Mi}}
"""

MODEL = (
    CLASSIFIER.replace("NAME", "small")
    + """\
  replicas: {{min: {replicas}, max: {replicas}}}
  disruption: {{minAvailable: 1, surge: 2}}
  readiness: {{type: http, path: /healthz, period: 200ms, timeout: 1s, failures: 4, startup: {startup}}}
  drain: {{timeout: 10s, grace: 5s}}
"""
)

RACK = """\
apiVersion: huddle.energy/v1alpha1
kind: PowerPool
metadata: {{name: rack}}
spec:
  policy: rack
  minAwake: {min_awake}
  spare: 0
  driver:
    type: exec
    program: /mnt/lab/bin/lab-power
    settings: {{socket: /mnt/lab/power.sock}}
  boot: {{time: 2s}}
  standby: 12W
  cyclesPerDay: 1000
  wakeProven: true
---
apiVersion: huddle.energy/v1alpha1
kind: PowerPolicy
metadata: {{name: rack}}
spec:
  strategy: demand
  interval: 1s
  horizon: 20s
  budget: {{moves: 6, sleeps: 2}}
  timing: {{settle: 1s, cooldown: 3s, drain: 20s, prepare: 5s, bye: 5s, wake: 15s, maxAsleep: 1d, warmUp: 3s}}
"""


@contextlib.contextmanager
def rack_of(
    n_nodes: int,
    replicas: int = 2,
    min_awake: int | None = None,
    cpu_milli: int = 200,
    prepare: collections.abc.Callable[[Rack], None] = lambda rack: None,
) -> collections.abc.Iterator[Rack]:
    """A rack that serves the model "small", if it has replicas; by default nothing on it may sleep by
    itself. `prepare` is called before any power is on."""
    with Rack(n_nodes, report_interval_ms=300, cpu_milli=cpu_milli, boot_s=1.0) as rack:
        try:
            prepare(rack)
            rack.controller_start()
            rack.power_all_on()
            rack.wait("the controller", lambda: rack.api.request("GET", "/readyz"))
            apply(rack, RACK.format(min_awake=n_nodes if min_awake is None else min_awake))
            if replicas:
                apply(rack, MODEL.format(weights="small.bin", replicas=replicas, startup="20s"))
                rack.wait("ready replicas", lambda: rack.ready()["small"] == replicas, 60)
            yield rack
        finally:
            if "HUDDLE_LOGS" in os.environ:
                rack.save_logs(pathlib.Path(os.environ["HUDDLE_LOGS"]))


def apply(rack: Rack, text: str) -> None:
    file = rack._write("applied.yaml", text)
    rack.ctl("apply", "-f", str(file))


def acts(rack: Rack, act: str, name: str | None = None) -> list[dict]:
    """Rows of the journal with this act."""
    rows = [item["spec"] for item in rack.api.items("journal")]
    return [r for r in rows if r["act"] == act and (name is None or r["name"] == name)]


def hosts(rack: Rack) -> dict[str, str]:
    """replica -> node, of those that serve."""
    items = rack.api.items("replicas")
    return {r["metadata"]["name"]: r["spec"]["node"] for r in items if r["status"]["ready"]}


def near(value: float, wanted: float, share: float) -> None:
    assert abs(value - wanted) <= share * abs(wanted), f"{value}, not {wanted}"


def assert_all_answered(result: dict) -> None:
    assert result["requests"] > 50, result
    assert result["failed"] == 0 and result["wrong_answers"] == 0, json.dumps(result)[:2000]


def count_processes(rack: Rack) -> int:
    return sum(len(node.pids("classifier-serve")) for node in rack.nodes.values())
