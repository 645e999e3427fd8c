#!/usr/bin/env python3
"""What a year of simulation costs: huddlectl simulate on 1,000 nodes in steps of five minutes.

The history is made up, the same each time: models of one to eight GPUs whose demand has a day, a
week, a slow growth, noise that lasts for an hour, and bursts. All policies and the bound are played.
Told are the time that passes, the CPU time and the most memory of the process, as the kernel counts
them, and a hash of the result: what only makes it faster leaves that as it was. It fails when more
time passes than is wanted, which is said of a year of 1,000 nodes alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import pathlib
import random
import resource
import subprocess
import sys
import time
from typing import Any

STEP_S = 300
DAY_STEPS = 86400 // STEP_S
START_S = 1735689600  # 2025-01-01T00:00:00Z
SLOTS = 8
PEAK_SHARE = 0.6  # of all GPUs, at the usual peak of a day
GPUS = [1, 1, 2, 2, 4, 4, 8, 8]  # of a replica, by model
CAPACITY = 10.0  # requests/s of a replica
NODES, DAYS = 1000, 365
TARGET_S = 60.0  # for these

OBJECTS = """\
apiVersion: huddle.energy/v1alpha1
kind: PowerPool
metadata: {name: rack}
spec: {policy: rack, minAwake: 1, spare: 1, boot: {time: 300s}, standby: 20W}
---
apiVersion: huddle.energy/v1alpha1
kind: PowerPolicy
metadata: {name: rack}
spec: {strategy: predictive, pricePerKwh: 0.3, currency: EUR}
"""
MODEL = """\
---
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {{name: m{k}}}
spec: {{runtime: any, capacity: {{requestsPerSecond: {capacity}}}, resources: {{gpu: {{count: {gpus}}}}}, startupTime: 90s, replicas: {{min: 1, max: 4096}}}}
"""


def series(k: int, nodes: int, days: int) -> list[float]:
    """requests/s of one model, step by step."""
    own = random.Random(k)
    peak = CAPACITY * PEAK_SHARE * SLOTS * nodes / len(GPUS) / GPUS[k]
    phase, noise, burst = own.uniform(0.25, 0.4), 0.0, 0.0
    out = []
    for t in range(days * DAY_STEPS):
        day = 0.55 + 0.45 * math.sin(2 * math.pi * (t / DAY_STEPS - phase))
        week = 0.7 if t // DAY_STEPS % 7 >= 5 else 1.0
        grown = 0.8 + 0.2 * t / (365 * DAY_STEPS)
        noise = 0.92 * noise + own.gauss(0, 0.015)
        burst = 0.8 * burst if own.random() < 0.999 else 0.5
        out.append(peak * day * week * grown * max(0.1, 1 + noise + burst))
    return out


def write_input(folder: pathlib.Path, nodes: int, days: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    columns = [series(k, nodes, days) for k in range(len(GPUS))]
    rows = ["time," + ",".join(f"m{k}" for k in range(len(GPUS)))]
    for t, values in enumerate(zip(*columns)):
        rows.append(f"{START_S + t * STEP_S}," + ",".join(f"{v:.2f}" for v in values))
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    models = [MODEL.format(k=k, gpus=g, capacity=CAPACITY) for k, g in enumerate(GPUS)]
    (folder / "rack.yaml").write_text(OBJECTS + "".join(models))


def play(build: pathlib.Path, folder: pathlib.Path, nodes: int) -> dict[str, Any]:
    """What it took."""
    words = [str(build / "huddlectl"), "simulate", "--history", str(folder / "history.csv")]
    words += ["-f", str(folder / "rack.yaml"), "--nodes", str(nodes), "--size", f"gpus={SLOTS}"]
    words += ["--watts", "1900,8000", "--resolution", f"{STEP_S}s", "-o", "json"]
    begin = time.monotonic()
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE)
    seconds = time.monotonic() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": seconds,
        "cpuSeconds": used.ru_utime + used.ru_stime,
        "residentPeakMB": used.ru_maxrss * 1024 / 1e6,
        "sha256": hashlib.sha256(done.stdout).hexdigest(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--input", type=pathlib.Path, default=pathlib.Path("build/bench/simulate"))
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("-o", dest="output", choices=["text", "json"], default="text")
    args = parser.parse_args()
    write_input(args.input, args.nodes, args.days)
    target_s = TARGET_S if (args.nodes, args.days) == (NODES, DAYS) else None
    told = {
        "nodes": args.nodes,
        "days": args.days,
        "stepSeconds": STEP_S,
        "cores": len(os.sched_getaffinity(0)),
        "targetSeconds": target_s,
        **play(args.build, args.input, args.nodes),
    }
    if args.output == "json":
        print(json.dumps(told, indent=2))
    else:
        print(f"{args.days} days of {args.nodes:,} nodes in steps of {STEP_S} s, all policies:")
        wanted = (
            f", {told['seconds'] / target_s:.2f} of the wanted {target_s:.0f}" if target_s else ""
        )
        print(
            f"  {told['seconds']:.1f} s on {told['cores']} cores{wanted}; "
            f"{told['cpuSeconds']:.1f} s of CPU; {told['residentPeakMB']:.0f} MB"
        )
        print(f"  result {told['sha256'][:16]}")
        print('repeat: make bench-simulate [SIMULATE_ARGS="--days 30"]')
    if target_s and told["seconds"] > target_s:
        print(f"missed: {told['seconds']:.1f} s > {target_s:.0f} s", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
