"""The README's table of measured results, from saved figures (tests/bench/report.py)."""

import json
import os
import pathlib
import subprocess
from typing import Any

SCRIPT = pathlib.Path(__file__).parents[1] / "bench" / "report.py"

README = """# x
before
<!-- measured: written by make report -->
| what | huddle | beside | day |
|---|---|---|---|
| old forecast (`make bench-forecast`) | 9.99 | naive 9 | 2001-01-01 |
| the same: an update that is old | 1 | | 2001-01-01 |
| the same: by `--hand` | 5 | | 2001-01-01 |
| old reports (`make bench-ingest`) | 123 | echo 4 | 2001-01-02 |
| old day (`make demo`) | 1 of 2 | | 2001-01-03 |
| the same day: nodes | 7 | | 2001-01-03 |
<!-- end of measured -->
after
"""

SCORE = {"mase": 1.234, "pinball90": 0.501, "pinball95": 0.389, "cover90": 0.9, "cover95": 0.95}
FORECAST = {
    "series": [{}, {}, {}],
    "mean": {"huddle": SCORE, "naive": {**SCORE, "mase": 2.5}, "best_peer": None},
    "us_per_update_and_forecast": 33.4,
    "fleet_of_10000_s": 0.27,
    "state_bytes": 64160,
}
PACKING = [
    {"family": "Hard28", "huddle": 103, "bestKnown": 100, "firstFitDecreasing": 110},
    {"family": "Falkenauer_u", "huddle": 50, "bestKnown": 50, "firstFitDecreasing": 51},
    {"family": "Falkenauer_t", "huddle": 20, "bestKnown": 20, "firstFitDecreasing": 23},
    {"family": "Falkenauer_t", "huddle": 21, "bestKnown": None, "firstFitDecreasing": 23},
]


def placed(allocated: float, waste: float) -> dict[str, Any]:
    """By one policy; the other tenths say what must not be taken for the half."""
    return {
        "arrivals": 1000.0,
        "allocatedPercent": allocated,
        "wastePercentByTenth": [99.0] * 4 + [waste] + [99.0] * 5,
        "wasteBoundPercentByTenth": [99.0] * 4 + [3.9] + [99.0] * 5,
        "movesByTenth": [1.0] * 5 + [99.0] * 5,
    }


OPENB = [
    {
        "pods": f"openb_pod_list_{name}.csv",
        "huddle": placed(96.0 + k, 4.5),
        "huddleWithMoves": placed(96.0, 4.2),
        "bestFit": placed(93.0 + k, 9.3),
        "fgd": placed(95.0 + k, 6.6),
        "published": {"bestFit": 1.0, "fgd": 2.0},
    }
    for k, name in enumerate(("default", "cpu100"))
]
PLANETLAB = [
    {"policy": "huddle", "kWh": 12, "boundKWh": 10, "migrations": 9, "slatahPercent": 0.4}
    | {"migrationsAfterFirstStep": 1000},
    {"policy": "huddle", "kWh": 13, "boundKWh": 10, "migrations": 9, "slatahPercent": 0.5}
    | {"migrationsAfterFirstStep": 1200},
    {"policy": "lr_mmt_1.2", "kWh": 17, "boundKWh": 10, "migrations": 20900, "slatahPercent": 5.9}
    | {"migrationsAfterFirstStep": None},
]


def waited(kwh: float, conv: float, code: float | None) -> dict[str, Any]:
    """By one policy in one span; the queue at the front door says what must not be taken."""
    return {
        "kWh": kwh,
        "services": {
            name: {"replicas": {"p99": p99}, "frontDoor": {"p99": 99.0}}
            for name, p99 in (("code", code), ("conv", conv))
        },
    }


REQUESTS = {
    "engine": "llama2-70b",
    "policies": {
        "always-on": {"first": waited(10.0, 8.0, 9.0), "later": waited(10.0, 0.5, 1.0)},
        "huddle": {"first": waited(9.0, 3.25, 4.0), "later": waited(7.0, 1.25, None)},
    },
}
SIMULATE = {
    "nodes": 1000,
    "days": 365,
    "stepSeconds": 300,
    "cores": 2,
    "targetSeconds": 60.0,
    "seconds": 58.4,
    "cpuSeconds": 110.2,
    "residentPeakMB": 51.7,
}
DEMO = {
    "requests": 21046,
    "failed": 0,
    "wrong_answers": 0,
    "p99_ms": 46.4,
    "slo_ms": 500.0,
    "energy_j": 90.0,
    "always_on_j": 100.0,
    "bound_j": 80.0,
    "demand_j": 95.0,
    "min_awake": 3,
    "max_awake": 8,
    "seconds": 120.0,
    "emulated_meter": True,
}


def save(path: pathlib.Path, data: Any) -> None:
    path.write_text(json.dumps(data))
    os.utime(path, (1760000000, 1760000000))  # 2025-10-09


def run(folder: pathlib.Path, readme: str = README) -> tuple[subprocess.CompletedProcess[str], str]:
    (folder / "README.md").write_text(readme)
    options = ["--readme", folder / "README.md", "--bench", folder, "--demo", folder / "demo.json"]
    done = subprocess.run([SCRIPT, *options], capture_output=True, text=True, check=False)
    return done, (folder / "README.md").read_text()


def row(text: str, part: str) -> list[str]:
    """The cells of the one row that says so."""
    (line,) = [line for line in text.splitlines() if part in line and line.startswith("|")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_saved_figures_make_rows(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "forecast.json", FORECAST)
    save(tmp_path / "packing.json", PACKING)
    save(tmp_path / "openb.json", OPENB)
    save(tmp_path / "planetlab.json", PLANETLAB)
    save(tmp_path / "requests.json", REQUESTS)
    save(tmp_path / "simulate.json", SIMULATE)
    save(tmp_path / "demo.json", DEMO)
    done, text = run(tmp_path)
    assert done.returncode == 0, done.stderr
    what, ours, beside, day = row(text, "bench-forecast")
    assert what.startswith("forecast, mean of 3 real series")
    assert (ours, beside, day) == ("1.23, 0.50, 0.39", "naive 2.50, 0.50, 0.39", "2025-10-09")
    assert row(text, "the same: an update")[1] == "33 µs; 0.27 s; 63 KB"
    assert row(text, "bench-packing")[1:3] == [
        "Falkenauer t, Falkenauer u 0.0 %; Hard28 3.0 %",
        "first fit decreasing: Falkenauer t 15.0 %; Falkenauer u 2.0 %; Hard28 10.0 %",
    ]
    assert row(text, "bench-openb")[1:3] == [
        "96.0, 97.0 %",
        "FGD in the same run 95.0, 96.0; best fit 93.0, 94.0",
    ]
    assert row(text, "the same: unused GPUs")[:3] == [
        "the same: unused GPUs on active nodes at half of the arrivals, default list; with 1.0 % of "
        "the pods moved",
        "4.5 %; 4.2 %",
        "bound 3.9 %; FGD 6.6 %, best fit 9.3 %",
    ]
    assert row(text, "bench-planetlab")[1] == "1.25, 1,100, 0.45 %"
    assert "1.70, 20,900 in all, 5.9 %" in row(text, "bench-planetlab")[2]
    assert row(text, "bench-requests")[1:3] == [
        "conv 3.2 s, code 4.0 s at -10 % energy",
        "always-on conv 8.0 s, code 9.0 s",
    ]
    assert row(text, "the same: when the hour")[1:3] == [
        "conv 1.2 s, code refused at -30 % energy",
        "always-on conv 0.5 s, code 1.0 s",
    ]
    assert row(text, "bench-simulate")[:3] == [
        "simulated, all policies and the bound: 365 days of 1,000 nodes in steps of 300 s "
        "(`make bench-simulate`)",
        "58 s on 2 cores, 110 s of CPU, 52 MB",
        "wanted 60 s",
    ]
    assert row(text, "make demo")[1] == "0 of 21,046, 0; 46 ms"
    assert row(text, "the same day:")[1:3] == [
        "3 to 8; 10.0 % less than always on",
        "without a forecast 5.0 % less; no policy could save more than 20 % there",
    ]


def test_what_is_not_saved_stays_as_it_was(tmp_path: pathlib.Path) -> None:
    done, text = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert text == README
    save(tmp_path / "forecast.json", FORECAST)
    done, text = run(tmp_path)
    assert "9.99" not in text and "an update that is old" not in text
    for line in README.splitlines():
        if "forecast" not in line and "that is old" not in line:
            assert line in text.splitlines()
    again, same = run(tmp_path, text)
    assert again.returncode == 0 and same == text


def test_a_readme_without_markers_is_left_alone(tmp_path: pathlib.Path) -> None:
    done, text = run(tmp_path, "no table\n")
    assert done.returncode == 1 and "put both lines there" in done.stderr
    assert text == "no table\n"


def test_figures_that_lack_something_change_nothing(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "ingest.json", {"nodes": 1})
    done, text = run(tmp_path)
    assert done.returncode == 1 and "ingest: there is no 'reportsPerCpuSecond'" in done.stderr
    assert text == README
