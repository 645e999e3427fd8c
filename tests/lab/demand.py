"""A day of real demand for the demo's three models, and how it is compressed.

Source: ServeGen (Alibaba, github.com/alibaba/ServeGen at f891d118, Apache-2.0), workload m-small: the
request rates of 43 clients of a language-model service, every 600 s for 14 days. The clients, ranked
by their sum over the fortnight, are dealt in turn to three models; a model's demand is the sum of its
clients. Day 1 is "today", day 0 "yesterday"; neither has a gap. `python3 -m tests.lab.demand FOLDER`
writes the table that is kept in deploy/examples/demo/demand.csv from the trace at FOLDER.
"""

from __future__ import annotations

import csv
import math
import os
import pathlib
import sys

STEP_S = 600
STEPS = 144  # a day
DAYS = 2
MODELS = ("small", "medium", "large")
TABLE = pathlib.Path(__file__).resolve().parents[2] / "deploy/examples/demo/demand.csv"

Series = list[list[float]]  # per step: requests per second of each model


def from_trace(folder: pathlib.Path) -> Series:
    """The demand of the first two days of `folder`, a ServeGen workload."""
    clients = []
    for file in sorted(folder.glob("chunk-*-trace.csv"), key=lambda f: int(f.name.split("-")[1])):
        with file.open() as lines:
            clients.append([float(row[1] or 0) for row in csv.reader(lines)])
    if not clients:
        raise FileNotFoundError(f"{folder}: no chunk-*-trace.csv")
    clients.sort(key=sum, reverse=True)
    return [
        [sum(client[step] for client in clients[m :: len(MODELS)]) for m in range(len(MODELS))]
        for step in range(DAYS * STEPS)
    ]


def from_table(table: pathlib.Path = TABLE) -> Series:
    with table.open() as lines:
        rows = csv.reader(line for line in lines if not line.startswith("#"))
        next(rows)
        return [[float(value) for value in row[1:]] for row in rows]


def load() -> tuple[Series, str]:
    """The demand and where it came from: the full trace where HUDDLE_DATA is set, else the table."""
    data = os.environ.get("HUDDLE_DATA")
    folder = pathlib.Path(data) / "servegen/m-small" if data else None
    if folder and folder.is_dir():
        return from_trace(folder), f"ServeGen m-small, {folder}"
    return from_table(), "ServeGen m-small, deploy/examples/demo/demand.csv"


def scaled(series: Series, peaks: tuple[float, ...]) -> Series:
    """The same shapes, with each model's highest rate of the last day at `peaks`."""
    tops = [max(row[m] for row in series[-STEPS:]) for m in range(len(peaks))]
    return [[rate * peak / top for rate, peak, top in zip(row, peaks, tops)] for row in series]


def write_compressed(
    file: pathlib.Path,
    series: Series,
    lead_s: float,
    seconds: float,
    names: tuple[str, ...] = MODELS,
) -> None:
    """The load generator's table: the last `lead_s` of yesterday, then today within `seconds`."""
    step_s = seconds / STEPS
    lead = min(STEPS, math.ceil(lead_s / step_s))
    with file.open("w") as out:
        out.write("t_s," + ",".join(names) + "\n")
        for step in range(-lead, STEPS):
            at = max(0.0, lead_s + step_s * (step + 0.5))
            row = series[STEPS + step]
            out.write(f"{at:.3f}," + ",".join(f"{rate:.4f}" for rate in row) + "\n")
        last = series[2 * STEPS - 1]
        out.write(f"{lead_s + seconds:.3f}," + ",".join(f"{rate:.4f}" for rate in last) + "\n")


def main() -> None:
    series = from_trace(pathlib.Path(sys.argv[1]))
    assert __doc__
    with TABLE.open("w") as out:
        for line in __doc__.splitlines()[2:6]:
            out.write(f"# {line}\n")
        out.write("# Columns: seconds since yesterday 00:00, requests/s of each model.\n")
        out.write("t_s," + ",".join(MODELS) + "\n")
        for step, row in enumerate(series):
            out.write(f"{step * STEP_S}," + ",".join(f"{rate:.2f}" for rate in row) + "\n")


if __name__ == "__main__":
    main()
