"""Shapes of powercap trees, served to the real libpowercap inside a private mount namespace.

Each tests/data/powercap/NAME.tree holds a tree, how it changes, and what must come out.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from typing import Any

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", REPOSITORY / "build/release"))
TREES = sorted((REPOSITORY / "tests/data/powercap").glob("*.tree"))
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Ur", "--mount"]
if os.geteuid() != 0 and subprocess.run([*UNSHARE, "true"], check=False).returncode != 0:
    pytest.skip("no user namespaces on this machine", allow_module_level=True)


def run(tree: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *UNSHARE,
            "python3",
            str(REPOSITORY / "tests/lab/powercap_tree.py"),
            str(tree),
            str(BUILD / "lab/powercap_look"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def expectations(tree: pathlib.Path) -> list[list[str]]:
    text = tree.read_text(encoding="utf-8").partition("[expect]")[2]
    return [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]


def check_energy(found: dict[str, Any], provenance: str, energy: str) -> None:
    assert found["provenance"] == provenance
    if energy == "-":
        assert found["energy_uj"] is None and found["power_w"] is None
    else:
        assert found["energy_uj"] == int(energy)


@pytest.mark.parametrize("tree", TREES, ids=lambda path: path.stem)
def test_shape(tree: pathlib.Path) -> None:
    done = run(tree)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    zones = {zone["path"]: zone for zone in seen["zones"]}
    expected_zones = set()
    problems = "\n".join(f"{p['what']} | {p['fix']}" for p in seen["problems"])
    told_problem = False
    for what, *rest in expectations(tree):
        if what == "zone":
            path, name, kind, provenance, energy = rest
            expected_zones.add(path)
            assert zones[path]["name"] == name and zones[path]["kind"] == kind
            check_energy(zones[path], provenance, energy)
        elif what == "counted":
            assert seen["node"]["counted"] == rest
        elif what == "node":
            check_energy(seen["node"], *rest)
        elif what == "problem":
            told_problem = True
            assert " ".join(rest) in problems
        else:
            raise ValueError(what)
    assert set(zones) == expected_zones
    assert told_problem or not problems, problems


# A package that draws 300 W and wraps at 2.5 kJ, which is soon; argv: the program that looks at it.
WRAPPING = """
import os, subprocess, sys, time
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/class"], check=True)
zone = "/sys/class/powercap/intel-rapl/intel-rapl:0/"
os.makedirs(zone)
for name, text in {
    "name": "package-0", "max_energy_range_uj": 2500000000, "enabled": 1, "energy_uj": 2000000000,
}.items():
    open(zone + name, "w").write(f"{text}\\n")
energy = os.open(zone + "energy_uj", os.O_WRONLY)
begin = time.monotonic()
look = subprocess.Popen(sys.argv[1:])
while look.poll() is None:
    used = int((time.monotonic() - begin) * 3e8)
    os.pwrite(energy, (b"%d" % ((2000000000 + used) % 2500000000)).ljust(10, b"\\n"), 0)
    time.sleep(0.01)
sys.exit(look.returncode)
"""


@pytest.mark.parametrize("words", [["--once", "-o", "json"], ["--record", "-"]])
def test_no_wrap_is_missed_in_a_long_window(words: list[str]) -> None:
    """A package may draw 1 kW: within 3 s it may wrap twice, so it is read in between."""
    agent = ["timeout", "-s", "INT", "4.5", str(BUILD / "huddle-agent"), *words, "--seconds", "3"]
    done = subprocess.run(
        [*UNSHARE, "python3", "-c", WRAPPING, *agent],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if words[0] == "--once":
        node = json.loads(done.stdout)["node"]
        joules, provenance = node["energy_uj"] / 1e6, node["provenance"]
    else:
        head, _, line = (text.split(",") for text in done.stdout.splitlines())
        row = dict(zip(head, line))
        assert row["gaps"] == "0"
        joules, provenance = float(row["energy_j"]), row["provenance"]
    assert provenance == "measured"
    assert 750 < joules < 1050


def test_there_are_enough_shapes() -> None:
    assert len(TREES) >= 30


def test_descriptors_are_not_inherited() -> None:
    done = run(REPOSITORY / "tests/data/powercap/two-packages.tree", "--report-fds")
    assert done.stdout.split() == ["0", "5"]  # none of five open counters
