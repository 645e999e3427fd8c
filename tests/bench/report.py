#!/usr/bin/env python3
"""Writes the table of measured results into the README, between its two markers, from what the bench
programs and the demo have saved: build/bench/*.json and build/demo/report.json. Each row says the
command that repeats it, the day on which it was measured (that of its file) and its peers. A row
whose file is not there stays as it was."""

import argparse
import datetime
import json
import pathlib
import re
import sys
from typing import Any, Callable

BEGIN = "<!-- measured: written by make report -->"
END = "<!-- end of measured -->"
HEAD = ["| what | huddle | beside | day |", "|---|---|---|---|"]

FAMILIES = {
    "dlrm_HN_day": "DLRM",
    "openb_G": "openb vectors",
    "Falkenauer_u": "Falkenauer u",
    "Falkenauer_t": "Falkenauer t",
}

Row = tuple[
    str, str, str
]  # what, huddle, beside; a row is known again by its command in backquotes


def three(score: dict[str, float]) -> str:
    return ", ".join(f"{score[k]:.2f}" for k in ("mase", "pinball90", "pinball95"))


def span(values: list[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def listed(values: list[float]) -> str:
    return ", ".join(f"{v + 1e-9:.1f}" for v in values)  # a half goes up


# --- a function a file: its rows -------------------------------------------------------------------


def forecast(d: dict[str, Any]) -> list[Row]:
    mean = d["mean"]
    beside = f"naive {three(mean['naive'])}"
    if mean["best_peer"]:
        beside += "; the best of R's forecast package, chosen per series afterwards " + three(
            mean["best_peer"]
        )
    first = (
        f"forecast, mean of {len(d['series'])} real series: MASE, pinball .90, .95 "
        "(`make bench-forecast`)",
        three(mean["huddle"]),
        beside,
    )
    cost = (
        "the same: an update with a 12-step forecast; 10,000 models one step; state of a model",
        f"{d['us_per_update_and_forecast']:.0f} µs; {d['fleet_of_10000_s']:.2f} s; "
        f"{d['state_bytes'] / 1024:.0f} KB",
        "",
    )
    return [first, cost]


def over(rows: list[dict[str, Any]], key: str) -> float:
    known = [r for r in rows if r["bestKnown"]]
    return 100 * (sum(r[key] for r in known) / sum(r["bestKnown"] for r in known) - 1)


def by_family(rows: list[dict[str, Any]], key: str) -> str:
    """Families with equal figures share one."""
    groups: dict[str, list[str]] = {}
    for family in sorted({r["family"] for r in rows if r["bestKnown"]}):
        share = over([r for r in rows if r["family"] == family], key)
        groups.setdefault(f"{share:.1f} %", []).append(FAMILIES.get(family, family))
    return "; ".join(f"{', '.join(names)} {share}" for share, names in groups.items())


def packing(d: list[dict[str, Any]]) -> list[Row]:
    return [
        (
            "packing, known optima (`make bench-packing`): nodes over the best known",
            by_family(d, "huddle"),
            "first fit decreasing: " + by_family(d, "firstFitDecreasing"),
        )
    ]


def openb(d: list[dict[str, Any]]) -> list[Row]:
    def allocated(who: str) -> str:
        return listed([x[who]["allocatedPercent"] for x in d])

    rows = [
        (
            f"GPUs allocated, {len(d)} lists of Alibaba's (`make bench-openb`)",
            f"{allocated('huddle')} %",
            f"FGD in the same run {allocated('fgd')}; best fit {allocated('bestFit')}",
        )
    ]
    return rows + [unused_gpus(x) for x in d if "_default" in x["pods"]]


def unused_gpus(x: dict[str, Any]) -> Row:
    half = 4  # of the tenths

    def waste(who: str, key: str = "wastePercentByTenth") -> str:
        return f"{x[who][key][half]:.1f} %"

    moves = x["huddleWithMoves"]
    moved = sum(moves["movesByTenth"][: half + 1]) / (moves["arrivals"] / 2)
    return (
        "the same: unused GPUs on active nodes at half of the arrivals, default list; with "
        f"{100 * moved:.1f} % of the pods moved",
        f"{waste('huddle')}; {waste('huddleWithMoves')}",
        f"bound {waste('huddle', 'wasteBoundPercentByTenth')}; FGD {waste('fgd')}, "
        f"best fit {waste('bestFit')}",
    )


def planetlab(d: list[dict[str, Any]]) -> list[Row]:
    ours = [x for x in d if x["policy"] == "huddle"]
    peer = [x for x in d if x["policy"].startswith("lr_")]

    def mean(key: Callable[[dict[str, Any]], float]) -> float:
        return sum(key(x) for x in ours) / len(ours)

    return [
        (
            f"PlanetLab, {len(ours)} days (`make bench-planetlab`): kWh over the bound, moves after "
            "the first step, SLATAH",
            f"{mean(lambda x: x['kWh'] / x['boundKWh']):.2f}, "
            f"{mean(lambda x: x['migrationsAfterFirstStep']):,.0f}, "
            f"{mean(lambda x: x['slatahPercent']):.2f} %",
            "Lr-MMT of CloudSim on the same days "
            f"{span([x['kWh'] / x['boundKWh'] for x in peer], '.2f')}, "
            f"{span([x['migrations'] for x in peer], ',.0f')} in all, "
            f"{span([x['slatahPercent'] for x in peer], '.1f')} %",
        )
    ]


def fortnight(d: list[dict[str, Any]]) -> list[Row]:
    def captured(who: str) -> str:
        said = []
        for x in d:
            entry = x["mean"].get(who)
            if entry:
                late = "" if entry["gate"] else " (SLO gate fails)"
                said.append(f"{x['name']} {100 * entry['captured']:.0f} %{late}")
        return ", ".join(said)

    peers = [who for who in d[0]["mean"] if who not in ("huddle", "boundKwh", "clairvoyant")]
    return [
        (
            "a fortnight of LLM demand (`make bench-fortnight`): share of the clairvoyant's savings",
            captured("huddle"),
            "; ".join(f"{who}: {captured(who)}" for who in peers if captured(who)),
        )
    ]


def requests(d: dict[str, Any]) -> list[Row]:
    """The hour met for the first time, then as it comes again; queues in the replicas."""

    def waits(who: str, span: str) -> str:
        services = d["policies"][who][span]["services"]
        said = []
        for name in sorted(services, reverse=True):
            p99 = services[name]["replicas"]["p99"]
            said.append(f"{name} " + ("refused" if p99 is None else f"{p99:.1f} s"))
        kwh, on = (d["policies"][x][span]["kWh"] for x in (who, "always-on"))
        less = "" if who == "always-on" else f" at {100 * (kwh / on - 1):+.0f} % energy"
        return ", ".join(said) + less

    def beside(span: str) -> str:
        return "; ".join(f"{who} {waits(who, span)}" for who in d["policies"] if who != "huddle")

    return [
        (
            f"a request's wait, p99, on Azure's hour, {d['engine']}, nothing learned yet "
            "(`make bench-requests`)",
            waits("huddle", "first"),
            beside("first"),
        ),
        ("the same: when the hour comes again", waits("huddle", "later"), beside("later")),
    ]


def scale(d: dict[str, Any]) -> list[Row]:
    last, growth = d["sizes"][-1], d["growthExponent"]
    exponents = [g for g in growth.values() if g is not None]
    grows = f"; grows with nodes^{max(exponents):.1f}" if exponents else ""
    peers = "; ".join(f"{p['name']}: {p['nodes']:,} nodes" for p in d["peers"])
    return [
        (
            f"a plan for {last['nodes']:,} nodes, {last['replicas']:,} replicas "
            "(`make bench-scale`): first plan as found, from nothing, after 1 % of change; memory",
            f"{last['spread']['cpuSeconds']:.2f}, {last['cold']['cpuSeconds']:.2f}, "
            f"{last['next']['cpuSeconds']:.2f} s of one core; {last['residentPeakMB']:.0f} MB{grows}",
            peers + " (published)",
        )
    ]


def kubernetes(d: dict[str, Any]) -> list[Row]:
    return [
        (
            f"Kubernetes, {d['nodes']:,} nodes, {d['pods']:,} pods as objects (`make bench-kubernetes`): "
            "start; memory; requests a second to the API server while "
            f"{d['changesPerSecond']} pods a second change; first plan, next one",
            f"{d['startSeconds']:.0f} s ({d['startCpuSeconds']:.0f} s of CPU); "
            f"{d['residentPeakMB']:.0f} MB; {d['requestsPerSecond']:.1f}; "
            f"{d['firstPlanCpuSeconds']:.2f}, {d['nextPlanCpuSeconds']:.2f} s",
            "wanted 60 s, 500 MB, 5, 2 s, 0.2 s",
        )
    ]


def simulate(d: dict[str, Any]) -> list[Row]:
    return [
        (
            f"simulated, all policies and the bound: {d['days']} days of {d['nodes']:,} nodes in steps "
            f"of {d['stepSeconds']} s (`make bench-simulate`)",
            f"{d['seconds']:.0f} s on {d['cores']} cores, {d['cpuSeconds']:.0f} s of CPU, "
            f"{d['residentPeakMB']:.0f} MB",
            f"wanted {d['targetSeconds']:.0f} s" if d["targetSeconds"] else "",
        )
    ]


def ingest(d: dict[str, Any]) -> list[Row]:
    return [
        (
            f"reports taken in per CPU second, {d['nodes']:,} nodes (`make bench-ingest`)",
            f"{d['reportsPerCpuSecond']:,.0f}",
            f"a bare libmicrohttpd echo of the same size: {d['echoPerCpuSecond']:,.0f}",
        )
    ]


def state(d: dict[str, Any]) -> list[Row]:
    return [
        (
            f"memory of the controller's state: {d['nodes']:,} nodes, {d['replicas']:,} replicas, "
            f"{d['models']:,} models, four weeks of history (`make bench-state`)",
            f"{d['MB']:.0f} MB",
            "",
        )
    ]


def agent(d: dict[str, Any]) -> list[Row]:
    def cost(x: dict[str, Any]) -> str:
        return f"{100 * x['shareOfCore']:.2f} % of a core, {x['residentMB']:.1f} MB"

    peer = d.get("node-exporter")
    return [
        (
            f"the agent, once a second on {d['cpus']} CPUs with {d['replicas']} replicas "
            "(`make bench-agent`)",
            cost(d["huddle-agent"]),
            f"prometheus-node-exporter {cost(peer)}" if peer else "",
        )
    ]


def demo(d: dict[str, Any]) -> list[Row]:
    saved, could = (100 * (1 - d[key] / d["always_on_j"]) for key in ("energy_j", "bound_j"))
    meter = " by the emulated meter" if d["emulated_meter"] else ""
    compared = f"no policy could save more than {could:.0f} % there"
    if d.get("demand_j"):
        demand = 100 * (1 - d["demand_j"] / d["always_on_j"])
        compared = f"without a forecast {demand:.1f} % less; {compared}"
    return [
        (
            f"a day of real demand in {d['seconds']:.0f} s (`make demo`): requests lost, wrong "
            "answers; latency p99",
            f"{d['failed']} of {d['requests']:,}, {d['wrong_answers']}; {d['p99_ms']:.0f} ms",
            f"SLO {d['slo_ms']:.0f} ms",
        ),
        (
            f"the same day: nodes awake; joules{meter}",
            f"{d['min_awake']} to {d['max_awake']}; {saved:.1f} % less than always on",
            compared,
        ),
    ]


SOURCES: list[tuple[str, Callable[[Any], list[Row]]]] = [
    ("forecast", forecast),
    ("packing", packing),
    ("openb", openb),
    ("planetlab", planetlab),
    ("fortnight", fortnight),
    ("requests", requests),
    ("scale", scale),
    ("kubernetes", kubernetes),
    ("simulate", simulate),
    ("ingest", ingest),
    ("state", state),
    ("agent", agent),
    ("demo", demo),
]

# --- the table -------------------------------------------------------------------------------------


def command(name: str) -> str:
    return "`make demo`" if name == "demo" else f"`make bench-{name}`"


def kept(old: list[str], name: str) -> list[str]:
    """The rows of the source as they stand: that with its command, and those behind it that go on."""
    rows: list[str] = []
    for line in old:
        if command(name) in line:
            rows.append(line)
        elif rows and line.startswith("| the same"):
            rows.append(line)
        elif rows:
            break
    return rows


def made(name: str, rows: list[Row], day: str) -> list[str]:
    if command(name) not in rows[0][0]:
        raise ValueError(f"the first row of {name} does not say {command(name)}")
    return [f"| {what} | {huddle} | {beside} | {day} |" for what, huddle, beside in rows]


def untold(rows: list[str], new: list[str]) -> list[str]:
    """Rows that go on behind a source's first and of which its file says nothing."""
    begun = {line[:20] for line in new}
    return [line for line in rows[1:] if line[:20] not in begun]


def table(old: list[str], saved: dict[str, tuple[Any, str]]) -> list[str]:
    lines = list(HEAD)
    for name, rows_of in SOURCES:
        if name in saved:
            data, day = saved[name]
            try:
                new = made(name, rows_of(data), day)
            except KeyError as key:
                raise ValueError(f"{name}: there is no {key}: measure it again (FRESH=1)") from key
            lines += new + untold(kept(old, name), new)
        else:
            lines += kept(old, name)
    return lines


def rewrite(readme: str, saved: dict[str, tuple[Any, str]]) -> str:
    found = re.search(re.escape(BEGIN) + r"\n(.*?)" + re.escape(END), readme, re.S)
    if not found:
        raise ValueError(f"there is nothing between {BEGIN!r} and {END!r}: put both lines there")
    lines = table(found.group(1).splitlines(), saved)
    return readme[: found.start(1)] + "\n".join(lines) + "\n" + readme[found.end(1) :]


def load(folder: pathlib.Path, demo_report: pathlib.Path) -> dict[str, tuple[Any, str]]:
    saved = {}
    for name, _ in SOURCES:
        path = demo_report if name == "demo" else folder / f"{name}.json"
        if path.exists():
            day = datetime.date.fromtimestamp(path.stat().st_mtime).isoformat()
            saved[name] = (json.loads(path.read_text()), day)
    return saved


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", type=pathlib.Path, default=pathlib.Path("README.md"))
    parser.add_argument("--bench", type=pathlib.Path, default=pathlib.Path("build/bench"))
    parser.add_argument("--demo", type=pathlib.Path, default=pathlib.Path("build/demo/report.json"))
    args = parser.parse_args()
    saved = load(args.bench, args.demo)
    try:
        text = rewrite(args.readme.read_text(), saved)
    except ValueError as problem:
        print(f"report: {problem}", file=sys.stderr)
        return 1
    args.readme.write_text(text)
    absent = [name for name, _ in SOURCES if name not in saved]
    print(f"{args.readme}: rows of {', '.join(saved) or 'nothing'} are new")
    if absent:
        print(f"as they were, nothing is saved of them: {', '.join(absent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
