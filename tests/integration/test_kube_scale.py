"""huddle-controller on a cluster of 500 nodes and 10,000 pods: what it keeps of them, and how little it asks
for. `make bench-kubernetes` measures the same on ten times as many."""

from __future__ import annotations

import pathlib
import re
import time

from tests.integration.kube_fleet import CORE, Fleet
from tests.integration.kube_lists import KubeLists, kubeconfig
from tests.lab.controller import LIMIT_S, Controller

MOST_MB = 95  # 79 on x86-64, of which 25 are the program and its histories


def most_memory_mb(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    assert found
    return int(found.group(1)) * 1024 / 1e6


def test_a_large_cluster_is_kept_small_and_listed_once(tmp_path: pathlib.Path) -> None:
    with KubeLists() as lists:
        fleet = Fleet(lists, 500, 20)
        keys = {"kubeconfig": kubeconfig(tmp_path, lists.url)}
        with Controller(tmp_path, kubernetes=keys) as controller:
            assert controller.process
            end = time.monotonic() + LIMIT_S
            while controller.ask("GET", "/readyz")[0] != 200:
                assert time.monotonic() < end
                time.sleep(0.05)
            assert most_memory_mb(controller.process.pid) < MOST_MB
            replicas = {r["status"]["pod"]: r for r in controller.get("replicas")["items"]}
            owners = {o.name: o for o in fleet.owners if o.name.startswith("model-")}
            assert len(replicas) == sum(o.pods for o in owners.values()) > 6000
            asked = sum(lists.asked.values())
            last = [p for p in fleet.pods if p.owner.name in owners][-1]
            for pod in fleet.pods[:: len(fleet.pods) // 500]:
                fleet.change(pod.number)
            fleet.change(last.number, ready=False)
            uid = replicas[f"{last.owner.namespace}/{last.name}"]["metadata"]["name"]
            while controller.get(f"replicas/{uid}")["status"]["ready"]:
                assert time.monotonic() < end
                time.sleep(0.05)
            assert sum(lists.asked.values()) == asked  # watches told it, and nothing else was asked
            assert lists.asked[f"{CORE}/pods"] == len(fleet.pods) / 500 + 1  # pages, and the watch
            assert not lists.written  # in mode observe
