"""`make demo`: a day of real demand on a rack of eight, in two minutes. See README.md.

Everything is real but the power: daemons, sockets, processes, front door, libpowercap. The power meter
is an emulation (meter.c), and the report says so.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from tests.lab import demand, enter, report
from tests.lab.api import ApiError
from tests.lab.lab import REPOSITORY
from tests.lab.machine import OwnMeter
from tests.lab.rack import Rack
from tests.lab.traffic import Traffic
from tests.lab.view import View, clock

MANIFESTS = REPOSITORY / "deploy/examples/demo"
OUT = REPOSITORY / "build/demo"
PEAKS = (140.0, 80.0, 40.0)  # req/s of small, medium, large at their highest
SLO_MS = 500.0
LEAD_S = 30.0  # the end of yesterday, in which the forecast sees its first demand
FIXED_S = 6.0  # of them with as many replicas as the peak needs, as without huddle
REPLICAS_FIXED = {"small": 10, "medium": 8, "large": 8}  # peak / capacity
NODE_CPU_MILLI = 100
NO_RESULT = 3  # exit code of a day that could not be played; 0 and 1: shown, or not


class Moment(dict):
    """What was so in one second: hour, states, counts, watts, always_on_w, demand, need, forecast,
    ready, sent, failed, wrong, p99_ms, moves, sleeps, wakes."""


def fixed_at_peak(models: str) -> str:
    """The manifest of the models with a number of replicas that huddle cannot lower."""
    parts = models.split("\n---\n")
    for i, replicas in enumerate(REPLICAS_FIXED.values()):
        parts[i] = parts[i].replace("replicas: {min: 1,", f"replicas: {{min: {replicas},")
    return "\n---\n".join(parts)


class Demo:
    def __init__(self, args: argparse.Namespace, view: View) -> None:
        self.args = args
        self.view = view
        series, self.source = demand.load()
        self.series = demand.scaled(series, PEAKS)
        self.moments: list[Moment] = []
        self.start = 0.0  # monotonic time at which the day begins
        self.end: dict = {}  # the meter's last reading of the day
        self.own_meter = OwnMeter()
        self.own_j: float | None = None  # its joules of the day

    # --- before the day ---

    def prepare(self, rack: Rack) -> None:
        self.view.say(f"rack: {len(rack.nodes)} nodes boot, {len(demand.MODELS)} models start")
        rack.controller_start()
        rack.power_all_on()
        rack.wait("the controller", lambda: rack.api.request("GET", "/readyz"), 20)
        policy = (MANIFESTS / "rack.yaml").read_text()
        policy = policy.replace("strategy: predictive", f"strategy: {self.args.strategy}")
        models = (MANIFESTS / "models.yaml").read_text()
        rack._write("rack.yaml", policy)
        rack._write("models.yaml", models)
        rack._write("fixed.yaml", fixed_at_peak(models))
        rack.ctl(
            "apply", "-f", str(rack.folder / "rack.yaml"), "-f", str(rack.folder / "fixed.yaml")
        )
        awake = len(rack.nodes)
        rack.wait(
            "all nodes awake", lambda: list(rack.node_states().values()).count("awake") == awake, 30
        )
        rack.wait(
            "the replicas of a rack without huddle",
            lambda: all(n >= REPLICAS_FIXED[m] for m, n in rack.ready().items()),
            30,
        )

    def load_start(self, rack: Rack) -> Traffic:
        table = rack.folder / "load.csv"
        demand.write_compressed(table, self.series, LEAD_S, self.args.seconds)
        return Traffic(rack, table, demand.MODELS, self.args.seed)

    # --- the day ---

    def hour(self) -> float:
        return (time.monotonic() - self.start) * 24 / self.args.seconds

    def moment(self, rack: Rack) -> Moment:
        nodes = rack.api.status("nodes")
        models = rack.api.status("servedmodels")
        cluster = next(iter(rack.api.status("clusters").values()))
        meter = rack.readings
        states = {name: status["state"] for name, status in nodes.items()}
        return Moment(
            hour=self.hour(),
            at_s=time.monotonic() - self.start,
            states=states,
            counts={s: list(states.values()).count(s) for s in set(states.values())},
            powered=sum(n["state"] == "on" for n in meter["nodes"].values()),
            watts=sum(n["watts"] for n in meter["nodes"].values()),
            always_on_j=meter["always_on_j"],
            meter_s=meter["seconds"],
            always_on_w=self._always_on_watts(meter),
            demand={m: float(self.load.progress.get("rates", {}).get(m, 0)) for m in demand.MODELS},
            seen={m: s.get("demand") for m, s in models.items()},
            need={m: s.get("demandNeed") for m, s in models.items()},
            forecast={m: one_step(s.get("forecast")) for m, s in models.items()},
            ready={m: s.get("ready") or 0 for m, s in models.items()},
            sent=self.load.progress.get("sent", 0),
            failed=self.load.progress.get("failed", 0),
            wrong=self.load.progress.get("wrong_answers", 0),
            p99_ms=self.load.progress.get("p99_ms"),
            moves=cluster["moves"],
            sleeps=cluster["sleeps"],
            wakes=cluster["wakes"],
            top_w=457.0 * len(nodes) * 0.5,
            top_rate=max(PEAKS),
        )

    def _always_on_watts(self, meter: dict) -> float:
        if not self.moments or meter["seconds"] <= self.moments[-1]["meter_s"]:
            return self.moments[-1]["always_on_w"] if self.moments else 0.0
        last = self.moments[-1]
        return (meter["always_on_j"] - last["always_on_j"]) / (meter["seconds"] - last["meter_s"])

    def run(self, rack: Rack) -> dict:
        self.load = self.load_start(rack)
        self.start = time.monotonic() + LEAD_S
        free = marked = False
        while self.load.running():
            if not free and time.monotonic() >= self.start - LEAD_S + FIXED_S:
                rack.ctl("apply", "-f", str(rack.folder / "models.yaml"))
                free = True
            if not marked and time.monotonic() >= self.start:
                rack.meter_send("mark")
                self.own_meter = OwnMeter()
                marked = True
                time.sleep(0.3)
            try:
                moment = self.moment(rack)
            except (OSError, ApiError) as error:
                self.view.say(f"the controller did not answer: {error}")
            else:
                self.moments.append(moment)
                self.view.show(moment)
            if self.own_meter:
                self.own_meter.read()
            time.sleep(max(0.05, 1 - time.monotonic() % 1))
        self.end = dict(rack.readings)
        self.own_j = self.own_meter.read()
        return self.load.result()


def one_step(forecast: dict | None) -> list[float] | None:
    """The nearest step's quantiles, or None."""
    return forecast["values"][0] if forecast and forecast.get("values") else None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="A day of demand on a small rack.")
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120, help="length of the day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", choices=("predictive", "demand"), default="predictive")
    parser.add_argument(
        "--compare", action="store_true", help="then the same day with strategy demand"
    )
    parser.add_argument("--plain", action="store_true", help="lines instead of a panel")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    if args.compare:
        return two_days(args)
    enter.enter([sys.executable, "-m", "tests.lab.demo", *sys.argv[1:]])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    demo = Demo(args, View(args.plain))
    OUT.mkdir(parents=True, exist_ok=True)
    logs = OUT / f"logs{suffix(args.strategy)}"
    try:
        with Rack(args.nodes, cpu_milli=NODE_CPU_MILLI, boot_s=2.0) as rack:
            try:
                demo.prepare(rack)
                load = demo.run(rack)
            finally:
                rack.save_logs(logs)
    except TimeoutError as error:
        print(no_result(error, logs), file=sys.stderr)
        return NO_RESULT
    return finish(demo, load)


def no_result(error: TimeoutError, logs: pathlib.Path) -> str:
    return f"demo: {error}.\n  What the programs said: {logs}" + busy()


def busy() -> str:
    """What to say of a machine that others use, too; else nothing."""
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load <= 1.5 * cpus:
        return ""
    return f"\n  This machine is busy (load {load:.0f} on {cpus} CPUs): try again when it is not."


def two_days(args: argparse.Namespace) -> int:
    """The day, and the same requests without a forecast, each on a rack of its own; the second one's
    joules then stand in the first one's report."""
    command = [sys.executable, "-m", "tests.lab.demo", f"--nodes={args.nodes}"]
    command += [f"--seconds={args.seconds}", f"--seed={args.seed}", *(["--plain"] * args.plain)]
    (OUT / "report-demand.json").unlink(missing_ok=True)
    code = subprocess.call(command)
    if code not in (0, 1):  # it did not come to a result
        return code
    print(
        "  Now the same day with strategy demand, to compare; it takes as long. Ctrl-C leaves it out,"
        " as COMPARE=no does.\n",
        flush=True,
    )
    try:
        subprocess.call([*command, "--strategy=demand"])
    except KeyboardInterrupt:
        return code
    add_comparison()
    return code


# --- after the day ---


def suffix(strategy: str) -> str:
    return "-demand" if strategy == "demand" else ""


def result_of(demo: Demo, load: dict) -> dict:
    day = [m for m in demo.moments if m["at_s"] >= 0.5]
    end = demo.end
    return {
        "requests": load["requests"],
        "failed": load["failed"],
        "wrong_answers": load["wrong_answers"],
        "p50_ms": load["p50_ms"],
        "p99_ms": load["p99_ms"],
        "slo_ms": SLO_MS,
        "energy_j": round(sum(n["joules"] for n in end["nodes"].values()), 1),
        "always_on_j": round(end["always_on_j"], 1),
        "bound_j": round(end["bound_j"], 1),
        "demand_j": None,  # see add_comparison
        "moves": demo.moments[-1]["moves"],
        "sleeps": demo.moments[-1]["sleeps"],
        "wakes": demo.moments[-1]["wakes"],
        "min_awake": min(m["powered"] for m in day),
        "max_awake": max(m["powered"] for m in day),
        "night_asleep": max(m["counts"].get("asleep", 0) for m in day if m["hour"] < 7),
        "seconds": round(end["seconds"], 1),
        "strategy": demo.args.strategy,
        "seed": demo.args.seed,
        "nodes": {name: round(n["joules"], 1) for name, n in end["nodes"].items()},
        "models": load["models"],
        "own_meter_j": demo.own_j,
        "emulated_meter": True,
        "source": demo.source,
    }


def expectations(r: dict) -> list[tuple[str, bool]]:
    """What the demo must show; each with whether it did."""
    return [
        ("every request was answered", r["failed"] == 0 and r["requests"] > 0),
        ("every answer was right to the last bit", r["wrong_answers"] == 0),
        (f"99 % of the answers came within {r['slo_ms']:.0f} ms", r["p99_ms"] <= r["slo_ms"]),
        ("at least two nodes slept at night", r["night_asleep"] >= 2),
        ("sleepers were awake again by day", r["max_awake"] - r["min_awake"] >= 2),
        ("a third of the joules that any policy could save were saved", share(r) >= 1 / 3),
    ]


def share(r: dict) -> float:
    """Saved joules over those that the lower bound leaves to save."""
    return (r["always_on_j"] - r["energy_j"]) / max(1.0, r["always_on_j"] - r["bound_j"])


def rows_of(r: dict) -> list[tuple[str, str, str]]:
    saved = 1 - r["energy_j"] / r["always_on_j"]
    rows = [
        (
            "requests",
            f"{r['requests']}",
            f"{r['failed']} failed, {r['wrong_answers']} wrong answers",
        ),
        (
            "latency p50, p99",
            f"{r['p50_ms']:.0f}, {r['p99_ms']:.0f} ms",
            f"SLO {SLO_MS:.0f} ms at p99",
        ),
        ("energy", f"{r['energy_j']:.0f} J", f"{saved:.1%} less than always on (emulated meter)"),
        (
            "always on",
            f"{r['always_on_j']:.0f} J",
            "the same work spread over all nodes, same curve",
        ),
        (
            "lower bound",
            f"{r['bound_j']:.0f} J",
            f"no policy whatever can go below; {share(r):.0%} of what it leaves to save was saved",
        ),
        ("nodes awake", f"{r['min_awake']} to {r['max_awake']}", f"of {len(r['nodes'])}"),
        ("moves, sleeps, wakes", f"{r['moves']}, {r['sleeps']}, {r['wakes']}", "lead-in included"),
    ]
    if r["demand_j"] is not None:
        rows.append(
            ("strategy demand", f"{r['demand_j']:.0f} J", "a run of its own with the same requests")
        )
    own = r["own_meter_j"]
    rows.append(
        ("this machine's meter", f"{own:.0f} J", "all of this machine, RAPL packages")
        if own is not None
        else ("this machine's meter", "none", "no readable RAPL here")
    )
    joules = ", ".join(f"{name} {j:.0f}" for name, j in r["nodes"].items())
    return rows + [("joules by node", "", joules)]


NOTES = (
    "Real: daemons, sockets, processes, front door, requests, CPU time, libpowercap. Emulated: the power"
    " meter. It moves each node's powercap tree by the SPECpower curve of a Dell R740 at the CPU share"
    " that the node's processes truly used; standby (12 W) and boot draw (147 W) are assumed. Joules and"
    " watts here are therefore figures of the emulation, but for the line of this machine's own meter.",
    "Always on is computed from the same curve with the same CPU work spread evenly over all nodes, second"
    " by second. The lower bound lets the work be split and nodes sleep at no cost at every instant.",
)


def plots(record: dict) -> list[str]:
    seconds = record["seconds"]
    day = [m for m in record["moments"] if -LEAD_S <= m["at_s"] <= seconds]

    def line(name: str, of) -> report.Line:
        return name, [(m["at_s"] + LEAD_S, of(m)) for m in day]

    def label(x: float) -> str:
        return clock((x - LEAD_S) * 24 / seconds)

    end = LEAD_S + seconds
    out = [
        report.plot(
            "Nodes",
            "nodes",
            [line("powered", lambda m: m["powered"])]
            + [
                line(s, lambda m, s=s: m["counts"].get(s, 0))
                for s in ("asleep", "waking", "draining")
            ],
            end,
            label,
        ),
        report.plot(
            "Power (emulated meter)",
            "W",
            [line("huddle", lambda m: m["watts"]), line("always on", lambda m: m["always_on_w"])],
            end,
            label,
        ),
    ]
    for model in demand.MODELS:
        out.append(
            report.plot(
                f"Model {model}: demand, forecast, and what replicas stand ready for",
                "requests/s",
                [
                    line("requests sent", lambda m: m["demand"][model]),
                    line("forecast, median", lambda m: quantile(m, model, 1)),
                    line("forecast, 95 %", lambda m: quantile(m, model, 3)),
                    line("planned for", lambda m: m["need"].get(model)),
                ],
                end,
                label,
            )
        )
    p99 = [(float(s["t"]), s["p99_ms"]) for s in record["latency"]]
    slo = [(0.0, SLO_MS), (end, SLO_MS)]
    p50 = [(float(s["t"]), s["p50_ms"]) for s in record["latency"]]
    lines: list[report.Line] = [("p99", p99), ("SLO", slo), ("p50", p50)]
    return out + [report.plot("Latency by second", "ms", lines, end, label)]


def quantile(m: Moment, model: str, index: int) -> float | None:
    values = m["forecast"].get(model)
    return values[index] if values else None


def finish(demo: Demo, load: dict) -> int:
    r = result_of(demo, load)
    print("\n" + report.text_table(rows_of(r)))
    print("\n  " + NOTES[0] + "\n")
    met = expectations(r)
    for text, good in met:
        print(f"  {'ok    ' if good else 'MISSED'}  {text}")
    if not all(good for _, good in met):
        print(busy())
    publish(r, {"seconds": demo.args.seconds, "moments": demo.moments, "latency": load["seconds"]})
    end = suffix(demo.args.strategy)
    print(f"\n  {OUT}/report{end}.html  {OUT}/report{end}.json\n")
    return 0 if all(good for _, good in met) else 1


def publish(r: dict, record: dict) -> None:
    """Writes the day's figures, what was so in each second, and a page of both."""
    end = suffix(r["strategy"])
    notes = [*NOTES, f"Demand: {r['source']}; {record['seconds']:g} s stand for a day."]
    report.write_json(OUT / f"report{end}.json", r)
    report.write_json(OUT / f"moments{end}.json", record)
    report.write_html(OUT / f"report{end}.html", rows_of(r), notes, plots(record))


def add_comparison() -> None:
    """Of the second day to the report of the first."""
    try:
        r, record, other = (
            json.loads((OUT / f"{name}.json").read_text())
            for name in ("report", "moments", "report-demand")
        )
    except (OSError, ValueError) as error:
        print(f"  strategy demand: no result ({error})")
        return
    r["demand_j"] = other["energy_j"]
    publish(r, record)
    more = other["energy_j"] / r["energy_j"] - 1
    print(
        f"  strategy demand took {abs(more):.1%} {'more' if more > 0 else 'less'} joules than"
        f" predictive: {other['energy_j']:.0f} and {r['energy_j']:.0f} J;"
        f" p99 {other['p99_ms']:.0f} and {r['p99_ms']:.0f} ms."
    )


if __name__ == "__main__":
    sys.exit(main())
