#!/usr/bin/env python3
"""What huddle-controller costs on a large cluster of Kubernetes: 5,000 nodes and 100,000 pods as objects
of an API server (tests/integration/kube_fleet.py), most of them replicas of ServedModels.

Told are the time from its start until all objects are taken in; its memory; what it asks of the API
server per second while pods change and, some of them, cease to be ready for a second, as the leader of a
pool with `mode: recommend`; and the processor time of plans. Objects come from a process of their own,
whose processor time is not the controller's.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import multiprocessing.connection
import pathlib
import re
import sys
import tempfile
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.integration.kube_fleet import Fleet  # noqa: E402
from tests.integration.kube_lists import KubeLists, kubeconfig  # noqa: E402
from tests.lab.controller import Controller  # noqa: E402

TARGETS = {
    "startSeconds": 60.0,
    "residentPeakMB": 500.0,
    "requestsPerSecond": 5.0,
    "firstPlanCpuSeconds": 2.0,
    "nextPlanCpuSeconds": 0.2,
}
PATIENCE_S = 900
CHANGES_A_SECOND = 50  # of pods
UNREADY_SHARE = 5  # one in so many of them ceases to be ready


def serve(n_nodes: int, pods_a_node: int, line: multiprocessing.connection.Connection) -> None:
    """The API server's process: says its URL and the fleet; then changes N pods for each N that comes,
    and answers with what was asked of it so far; None ends it."""
    with KubeLists() as lists:
        fleet = Fleet(lists, n_nodes, pods_a_node, "recommend")
        line.send((lists.url, len(fleet.pods), fleet.models))
        at, unready = 0, []
        while (changes := line.recv()) is not None:
            for pod in unready:
                fleet.change(pod)
            unready = [at + 7919 * i for i in range(0, changes, UNREADY_SHARE)]
            for pod in (at + 7919 * i for i in range(changes)):
                fleet.change(pod, ready=pod not in unready)
            at += 7919 * changes
            with lists.changed:
                line.send(lists.asked + lists.written)


def memory_mb(pid: int, what: str) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB", status, re.M)
    if not found:
        raise RuntimeError(f"no {what} of process {pid}")
    return int(found.group(1)) * 1024 / 1e6


def cpu_s(pid: int) -> float:
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def plans(controller: Controller) -> tuple[float, float]:
    """How many there were, and the processor time that they took."""
    page = controller.ask("GET", "/metrics")[1].decode()
    found = [
        re.search(rf"^huddle_{name} (\S+)$", page, re.M)
        for name in ("plans_total", "planning_cpu_seconds_total")
    ]
    return tuple(float(x.group(1)) if x else 0.0 for x in found)  # type: ignore[return-value]


def wait_for_plans(controller: Controller, n: float) -> tuple[float, float]:
    end = time.monotonic() + PATIENCE_S
    while plans(controller)[0] < n:
        if time.monotonic() > end:
            raise RuntimeError(f"after {PATIENCE_S} s there are not {n:.0f} plans")
        time.sleep(0.1)
    return plans(controller)


def wait_until_ready(controller: Controller, begun: float) -> None:
    while controller.ask("GET", "/readyz")[0] != 200:
        if time.monotonic() - begun > PATIENCE_S:
            raise RuntimeError(controller.ask("GET", "/readyz")[1].decode())
        time.sleep(0.05)


def change_pods(
    line: multiprocessing.connection.Connection, seconds: float
) -> tuple[collections.Counter[str], float]:
    """What was asked of the API server meanwhile, and how long it was."""
    line.send(0)
    before: collections.Counter[str] = line.recv()
    begun, after = time.monotonic(), before
    while time.monotonic() - begun < seconds:
        line.send(CHANGES_A_SECOND)
        after = line.recv()
        time.sleep(1)
    return after - before, time.monotonic() - begun


def measure(
    args: argparse.Namespace, folder: pathlib.Path, line: multiprocessing.connection.Connection
) -> dict[str, Any]:
    url, n_pods, n_models = line.recv()
    config = {"kubeconfig": kubeconfig(folder, url)}
    controller = Controller(folder, kubernetes=config, tick="1s")
    begun = time.monotonic()
    with controller:
        assert controller.process
        pid = controller.process.pid
        wait_until_ready(controller, begun)
        start_s, start_cpu_s = time.monotonic() - begun, cpu_s(pid)
        n_first, first_s = wait_for_plans(controller, 1)
        time.sleep(args.settle)
        n_before, before_s = plans(controller)
        cpu_before_s = cpu_s(pid)
        asked, seconds = change_pods(line, args.seconds)
        cpu_after_s = cpu_s(pid)
        n_after, after_s = wait_for_plans(controller, n_before + 1)
        return {
            "repeat": "make bench-kubernetes",
            "nodes": args.nodes,
            "pods": n_pods,
            "models": n_models,
            "startSeconds": start_s,
            "startCpuSeconds": start_cpu_s,
            "residentPeakMB": memory_mb(pid, "VmHWM"),
            "residentMB": memory_mb(pid, "VmRSS"),
            "seconds": seconds,
            "changesPerSecond": CHANGES_A_SECOND,
            "requestsPerSecond": sum(asked.values()) / seconds,
            "requests": dict(asked.most_common()),
            "shareOfCore": (cpu_after_s - cpu_before_s) / seconds,
            "firstPlanCpuSeconds": first_s / n_first,
            "nextPlanCpuSeconds": (after_s - before_s) / (n_after - n_before),
        }


def missed(x: dict[str, Any]) -> list[str]:
    return [f"{name} {x[name]:.2f} > {most:g}" for name, most in TARGETS.items() if x[name] > most]


def tell(x: dict[str, Any]) -> None:
    print(f"{x['nodes']:,} nodes, {x['pods']:,} pods, {x['models']} models")
    print(f"  start        {x['startSeconds']:6.1f} s, {x['startCpuSeconds']:.1f} s of processor")
    print(f"  memory       {x['residentMB']:6.0f} MB, at most {x['residentPeakMB']:.0f} MB")
    print(
        f"  API server   {x['requestsPerSecond']:6.2f} requests a second while "
        f"{x['changesPerSecond']} pods a second change, {100 * x['shareOfCore']:.0f} % of a core"
    )
    for path, n in x["requests"].items():
        print(f"    {n:6} {path}")
    print(
        f"  plan         {x['firstPlanCpuSeconds']:6.2f} s of processor, the next ones "
        f"{x['nextPlanCpuSeconds']:.2f} s"
    )
    for problem in x["missed"]:
        print(f"  MISSED: {problem}")
    print(f"repeat: {x['repeat']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods-a-node", type=int, default=20)
    parser.add_argument("--settle", type=float, default=30, help="seconds behind the start")
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    line, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(args.nodes, args.pods_a_node, theirs))
    server.start()
    try:
        with tempfile.TemporaryDirectory(prefix="huddle-bench-") as folder:
            x = measure(args, pathlib.Path(folder), line)
    finally:
        line.send(None)
        server.join()
    x |= {"targets": TARGETS, "missed": missed(x)}
    if args.output == "json":
        print(json.dumps(x, indent=1))
    else:
        tell(x)
    return 1 if x["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
