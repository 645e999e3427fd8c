"""The GPU arena runs to its end on a small cluster, with moves too: its figures can be."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()
SHARES = [100, 200, 300, 400, 500, 600, 700, 810, 1000]


def test_a_small_cluster(tmp_path: pathlib.Path) -> None:
    program = BUILD / "bench" / "openb"
    if not program.exists():
        pytest.skip("the bench programs are not built: make bench-programs")
    nodes, pods = tmp_path / "nodes.csv", tmp_path / "pods.csv"
    nodes.write_text(
        "sn,cpu_milli,memory_mib,gpu,model\n"
        + "".join(f"n{i},{16000 * (1 + i % 4)},262144,{2 * (1 + i % 4)},T4\n" for i in range(24))
    )
    pods.write_text(
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
        + "".join(f"p{i},{1000 + 500 * (i % 7)},4096,1,{SHARES[i % 9]},\n" for i in range(90))
    )
    words = ["-o", "json", "-n", "2", str(nodes), str(pods)]
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    for policy in ("huddle", "huddleWithMoves"):
        assert 90 < result[policy]["allocatedPercent"] <= 100
        waste, bound = (result[policy][f"waste{k}PercentByTenth"] for k in ("", "Bound"))
        assert all(w >= b - 1e-9 for w, b in zip(waste, bound, strict=True))
    assert sum(result["huddleWithMoves"]["movesByTenth"]) > 0
    assert sum(result["huddle"]["movesByTenth"]) == 0
