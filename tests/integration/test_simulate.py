"""huddlectl simulate: a history of one's own, played before anything is touched."""

from __future__ import annotations

import json
import math
import os
import pathlib
import re
import subprocess
from collections.abc import Callable

import pytest

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()
NODES = """\
apiVersion: huddle.energy/v1alpha1
kind: PowerPool
metadata: {name: rack}
spec: {policy: rack, minAwake: 1, spare: 1, boot: {time: 150s}, standby: 8W}
---
apiVersion: huddle.energy/v1alpha1
kind: PowerPolicy
metadata: {name: rack}
spec: {strategy: predictive, pricePerKwh: 0.3, currency: EUR}
---
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {name: chat}
spec: {runtime: any, capacity: {requestsPerSecond: 5}, resources: {cpu: 8, memory: 24Gi}, startupTime: 40s}
---
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {name: embed}
spec: {runtime: any, capacity: {requestsPerSecond: 20}, resources: {cpu: 4, memory: 8Gi}, startupTime: 15s}
"""
RACK = ["--nodes", "12", "--size", "cpu=16,memory=64Gi", "--watts", "90,310"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    rows = ["time,chat,embed"]
    for k in range(2 * 288):
        day = math.sin(2 * math.pi * (k / 288 - 0.3))
        known = k not in (300, 301)
        rows.append(f"{300 * k},{40 + 30 * day:.2f},{f'{100 + 80 * day:.2f}' if known else ''}")
    (tmp_path / "history.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "rack.yaml").write_text(NODES)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BUILD / "huddlectl", "simulate", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def test_the_table_and_the_json_say_the_same(run: Run) -> None:
    files = ["--history", "history.csv", "-f", "rack.yaml"]
    table = run(*files, *RACK, "--carbon", "380")
    assert table.returncode == 0, table.stderr
    assert re.search(r"^\[#+-*\] \d+/100 predictive", table.stderr, re.M)  # progress
    text = run(*files, *RACK, "--carbon", "380", "-o", "json").stdout
    result = json.loads(text)
    assert (result["nodes"], result["days"], result["slotsPerNode"]) == (12, 2, 4)
    rows = {row["name"]: row for row in result["policies"]}
    assert list(rows) == ["always-on", "demand", "predictive", "clairvoyant", "bound"]
    for name, row in rows.items():
        line = next(at for at in table.stdout.splitlines() if at.startswith(name))
        assert f" {row['kwh']:.1f} " in line and f" {row['money']:.2f} " in line
        assert row["money"] == pytest.approx(0.3 * row["kwh"])
        assert row["kgCO2"] == pytest.approx(0.38 * row["kwh"])
    assert "EUR" in table.stdout.splitlines()[0]
    assert rows["bound"]["kwh"] < rows["clairvoyant"]["kwh"] < rows["predictive"]["kwh"]
    assert rows["predictive"]["kwh"] < rows["always-on"]["kwh"]
    assert rows["predictive"]["sleeps"] > 0 and rows["predictive"]["unserved"] == 0
    assert rows["always-on"]["sleeps"] == 0 and rows["always-on"]["meanAwake"] == 12


def test_each_step_weighs_by_the_rate_of_its_own_hour(run: Run, tmp_path: pathlib.Path) -> None:
    """Demand rises at 07:12 and falls at 19:12; carbon is 100 g by day, and 300 g at night."""
    hours = [300] * 8 + [100] * 12 + [300] * 4
    profile = f"policy.carbon={{source: profile, profile: {hours}, zone: Pacific/Auckland}}"
    by_day = rows(run(*FILES, "--set", profile))
    lines = [f"{3600 * h},{hours[h % 24]}" for h in range(48)]
    (tmp_path / "grid.csv").write_text("time,g\n" + "\n".join(lines) + "\n")
    by_file = rows(run(*FILES, "--carbon", "grid.csv"))
    assert by_file == by_day  # times are no dates: 00:00 is their beginning, in every zone
    result = json.loads(run(*FILES, "--carbon", "grid.csv").stdout)
    assert (result["carbonKnown"], result["priceKnown"]) == (1, 1)
    step_h, on = result["series"]["stepS"] / 3600, result["series"]["watts"]["always-on"]
    sum_g = sum(w * step_h / 1000 * hours[int(k * step_h) % 24] for k, w in enumerate(on))
    assert by_day["always-on"]["kgCO2"] == pytest.approx(sum_g / 1000, rel=0.002)
    mean = {name: 1000 * row["kgCO2"] / row["kwh"] for name, row in by_day.items()}
    assert mean["always-on"] < 200  # more is done by day
    assert mean["bound"] < mean["clairvoyant"] < mean["always-on"]  # and saved at night
    half = lines[:24] + ["86400,"] + lines[36:]  # half a day of which nothing is known
    (tmp_path / "grid.csv").write_text("\n".join(half) + "\n")
    done = run(*FILES[:-2], "--carbon", "grid.csv")
    assert done.stdout.splitlines()[-1].startswith("kgCO2 is of 75.0% of the time")
    lost = rows(run(*FILES, "--carbon", "grid.csv"))
    assert lost["always-on"]["kgCO2"] < 0.9 * by_day["always-on"]["kgCO2"]
    assert run(*FILES[:-2], "--carbon", "grid.csv", "--output", "p.html").returncode == 0
    assert ">kgCO2 is of 75.0% of the time" in (tmp_path / "p.html").read_text()


def test_dates_have_rates_of_their_own(run: Run, tmp_path: pathlib.Path) -> None:
    start = 1_790_035_200  # 2026-09-22T00:00:00Z
    table = (tmp_path / "history.csv").read_text().splitlines()
    dated = [f"{start + int(at)},{rest}" for at, rest in (x.split(",", 1) for x in table[1:])]
    (tmp_path / "history.csv").write_text("\n".join([table[0], *dated]) + "\n")
    night = [1 if h < 6 else 0 for h in range(24)]
    east = f"policy.carbon={{source: profile, profile: {night}, zone: '+12:00'}}"
    utc = f"policy.carbon={{source: profile, profile: {night}, zone: UTC}}"
    clean, foul = rows(run(*FILES, "--set", utc)), rows(run(*FILES, "--set", east))
    assert foul["bound"]["kgCO2"] > 1.5 * clean["bound"]["kgCO2"]  # noon, where it is night
    (tmp_path / "spot.csv").write_text("2026-09-21T00:00Z,0.5\n2026-09-21T12:00Z,0.2\n")
    lost = run(*FILES, "--price", "spot.csv")
    assert lost.returncode == 1
    assert "price: the file says nothing of the history's time, 2026-09-22T00:00:00" in lost.stderr
    named = f"policy.carbon={{source: file, path: {tmp_path}/none.csv}}"
    assert (
        "the PowerPolicy's carbon (--carbon says another one)" in run(*FILES, "--set", named).stderr
    )
    assert run(*FILES, "--set", named, "--carbon", "380").returncode == 0


def test_the_same_seed_gives_the_same_bytes(run: Run) -> None:
    words = ["--history", "history.csv", "-f", "rack.yaml", *RACK, "--boot-failures", "20%"]
    first = run(*words, "--seed", "3", "-o", "json")
    assert first.returncode == 0, first.stderr
    assert first.stdout == run(*words, "--seed", "3", "-o", "json").stdout
    other = json.loads(run(*words, "--seed", "4", "-o", "json").stdout)
    assert other["policies"] != json.loads(first.stdout)["policies"]
    assert sum(row.get("failedBoots", 0) for row in other["policies"]) > 0


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["-f", "rack.yaml", *RACK], 2, "--history FILE or --prometheus URL is needed"),
        (["--history", "history.csv", "-f", "rack.yaml"], 2, "--nodes N is needed"),
        ([*RACK[:2], *RACK[4:], "--size", "cores=3"], 2, '--size: "cores" is none of cpu'),
        ([*RACK[:4], "--watts", "300,90"], 2, "--watts: "),
        ([*RACK[:4], "--watts", "1,2,3"], 2, "expected 2 (idle, full) or 11"),
        ([*RACK, "--nodes", "1"], 2, "--nodes: "),
        ([*RACK, "--seed", "x"], 2, "--seed: "),
        ([*RACK, "-o", "pdf"], 2, 'unknown format "pdf"'),
        ([*RACK, "--size", "cpu=4,memory=64Gi"], 1, '"chat" does not fit on a node'),
        ([*RACK, "--history", "none.csv"], 1, "none.csv"),
        ([*RACK, "--boot", "5m..2m"], 2, "--boot: times must ascend"),
        ([*RACK, "--load", "5"], 2, "--load: "),
        ([*RACK, "--boot-failures", "2"], 2, "--boot-failures: "),
        ([*RACK, "--resolution", "500ms"], 2, "--resolution: "),
        ([*RACK, "--shutdown", "0s"], 2, "--shutdown: it takes time"),
        ([*RACK, "more.yaml"], 2, "files to compare follow --compare"),
        ([*RACK, "--preset", "vllm"], 2, "--preset goes with --prometheus"),
        ([*RACK[:4]], 1, "what does a node draw? Give --watts"),
        ([*RACK, "--history", "embed=rack.yaml"], 1, "rack.yaml:1: the first line must name"),
        ([*RACK, "-f", "history.csv"], 1, "history.csv"),
        ([*RACK, "--carbon", "-5"], 2, '--carbon: "-5" is not from 0 to 1e+06'),
        ([*RACK, "--carbon", "380g"], 1, "--carbon: expected grams of a kWh, or a file"),
        ([*RACK, "--price", "history.csv"], 1, "--price: history.csv:2:1: expected two cells"),
    ],
)
def test_what_is_wrong_is_told(run: Run, words: list[str], code: int, message: str) -> None:
    files = ["--history", "history.csv", "-f", "rack.yaml"]
    done = run(*([] if "needed" in message else files), *words)
    assert done.returncode == code, done
    assert message in done.stderr
    assert done.stdout == ""


def test_a_model_without_capacity_is_named(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "rack.yaml").write_text(NODES.replace("capacity: {requestsPerSecond: 5}, ", ""))
    done = run("--history", "history.csv", "-f", "rack.yaml", *RACK)
    assert done.returncode == 1
    assert '"chat": capacity.requestsPerSecond must be declared' in done.stderr
    (tmp_path / "rack.yaml").write_text(NODES.split("---\n")[0])
    done = run("--history", "history.csv", "-f", "rack.yaml", *RACK)
    assert 'no ServedModel named "chat"' in done.stderr


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, float]]:
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)["policies"]}


FILES = ["--history", "history.csv", "-f", "rack.yaml", *RACK, "--resolution", "5m", "-o", "json"]


def test_what_if_a_field_were_another(run: Run) -> None:
    base, bold = rows(run(*FILES)), rows(run(*FILES, "--set", "policy.quantile=0.5"))
    assert bold["predictive"]["kwh"] < base["predictive"]["kwh"]
    assert bold["demand"] == base["demand"]
    wide = rows(run(*FILES, "--set", "model/chat.replicas.min=16", "--set", "model.priority=1"))
    assert wide["demand"]["meanAwake"] > base["demand"]["meanAwake"]
    rows(run(*FILES, "--set", "pool.boot.time=5m"))


@pytest.mark.parametrize(
    "setting, message",
    [
        ("policy.quantil=0.9", 'spec.quantil: unknown field; did you mean "quantile"?'),
        ("policy.quantile=2", 'spec.quantile: "2" is not a share like 0.99 or 99%'),
        ("policy.quantile.x=2", "has no field spec.quantile.x"),
        ("model/none.priority=2", "no ServedModel of that name in the files"),
        ("node.x=1", '"node" is no kind; expected model, pool or policy'),
        ("policy.quantile", "expected KIND.FIELD=VALUE"),
    ],
)
def test_a_setting_is_refused_as_in_a_file(run: Run, setting: str, message: str) -> None:
    done = run(*FILES, "--set", setting)
    assert done.returncode == 1
    assert f"--set {setting}: " in done.stderr and message in done.stderr


def test_a_model_that_may_not_grow_enough_is_named(run: Run) -> None:
    done = run(*FILES, "--set", "model/chat.replicas.max=3")
    assert done.returncode == 1
    assert '"chat": its demand needs 14 replicas at its peak' in done.stderr
    assert "--set model/chat.replicas.max=28" in done.stderr


def test_a_policy_that_no_file_declares_is_made(run: Run, tmp_path: pathlib.Path) -> None:
    base = rows(run(*FILES, "--set", "policy.quantile=0.5"))
    parts = [part for part in NODES.split("---\n") if "PowerPolicy" not in part]
    (tmp_path / "rack.yaml").write_text("---\n".join(parts))
    bare = rows(run(*FILES, "--set", "policy.quantile=0.5"))
    assert bare["predictive"]["kwh"] == base["predictive"]["kwh"]


def test_two_policies_side_by_side(run: Run, tmp_path: pathlib.Path) -> None:
    policy = NODES.split("---\n")[1]
    for name, quantile in (("bold", 0.5), ("careful", 0.99)):
        text = policy.replace("name: rack", f"name: {name}")
        text = text.replace("strategy:", f"quantile: {quantile}, strategy:")
        (tmp_path / f"{name}.yaml").write_text(text)
    done = run(*FILES, "--compare", "bold.yaml", "careful.yaml")
    assert done.returncode == 0, done.stderr
    variants = json.loads(done.stdout)["variants"]
    assert [v["name"] for v in variants] == ["bold.yaml", "careful.yaml"]
    for variant, quantile in zip(variants, ("0.5", "0.99")):
        alone = run(*FILES, "--set", f"policy.quantile={quantile}")
        assert variant["policies"] == json.loads(alone.stdout)["policies"]
    table = run(*FILES[:-2], "--compare", "bold.yaml", "--compare", "careful.yaml").stdout
    first = [re.split(r"  +", line)[0] for line in table.splitlines()]
    policies = ["predictive bold.yaml", "predictive careful.yaml"]
    assert first == ["POLICY", "always-on", "demand", *policies, "clairvoyant", "bound"]


def test_variants_share_only_what_is_alike(run: Run, tmp_path: pathlib.Path) -> None:
    """A pool without a spare node needs no more awake, but the bound and foresight know of it."""
    pool = NODES.split("---\n")[0].replace("minAwake: 1, spare: 1", "minAwake: 0, spare: %d")
    for spare in (1, 0):
        (tmp_path / f"spare{spare}.yaml").write_text(pool % spare)
    done = run(*FILES, "--compare", "spare1.yaml", "spare0.yaml")
    assert done.returncode == 0, done.stderr
    for variant, spare in zip(json.loads(done.stdout)["variants"], (1, 0)):
        words = ["--set", "pool.minAwake=0", "--set", f"pool.spare={spare}"]
        assert variant["policies"] == json.loads(run(*FILES, *words).stdout)["policies"]


def test_chance_is_drawn_as_it_is_given(run: Run) -> None:
    """Slower boots and loads cost; boots fail as often as is said; meters err."""
    exact = ["--boot-failures", "0", "--meter-noise", "0"]
    quick = rows(run(*FILES, *exact, "--boot", "30s", "--load", "1s"))
    slow = rows(run(*FILES, *exact, "--boot", "10m..20m", "--load", "1m..5m..10m"))
    assert slow["clairvoyant"]["kwh"] > quick["clairvoyant"]["kwh"]
    assert slow["predictive"]["kwh"] > quick["predictive"]["kwh"]
    assert not any(row.get("failedBoots") for row in [*quick.values(), *slow.values()])
    failing = rows(run(*FILES, "--boot-failures", "30%"))
    boots = sum(row.get("wakes", 0) for row in failing.values())
    assert 0.15 < sum(row.get("failedBoots", 0) for row in failing.values()) / boots < 0.45
    noisy = rows(run(*FILES, *exact[:2], "--meter-noise", "60%"))
    plain = rows(run(*FILES, *exact))
    assert noisy["demand"] == plain["demand"] and noisy["predictive"] != plain["predictive"]


def test_nodes_that_suspend_within_seconds_can_be_played(run: Run, tmp_path: pathlib.Path) -> None:
    """An hour with a peak of ten minutes: what slow nodes cost, and what a second's step shows."""
    lines = [f"{30 * k},{5 if 40 <= k < 60 else 1}" for k in range(121)]
    (tmp_path / "history.csv").write_text("time,chat\n" + "\n".join(lines) + "\n")
    words = [*FILES[:-4], "-o", "json", "--resolution", "1s", "--boot", "3s", "--load", "1s"]
    quick = rows(run(*words, "--shutdown", "2s..5s"))
    slow = rows(run(*words, "--shutdown", "20m"))
    usual, minute = run(*words), run(*words, "--shutdown", "60s")
    assert usual.stdout == minute.stdout  # the default
    for name in ("demand", "predictive", "clairvoyant"):
        assert quick[name]["sleeps"] > 0
        assert quick[name]["kwh"] < rows(minute)[name]["kwh"] < slow[name]["kwh"]
    coarse = rows(run(*words[:-6], "--boot", "3s", "--load", "1s", "--shutdown", "2s..5s"))
    assert coarse["clairvoyant"]["kwh"] > quick["clairvoyant"]["kwh"]  # whole steps of 15 s


def test_recordings_of_nodes_are_demand_and_curve(run: Run, tmp_path: pathlib.Path) -> None:
    """Two nodes of 8 CPUs that idle at 100 W and draw 300 W; between them one day."""
    for node in (1, 2):
        lines = ["time_ms,cpus,busy_s,idle_s,iowait_s,steal_s,memory_bytes,energy_j,estimated_j,"]
        lines[0] += "gaps,provenance"
        busy, joules = 0.0, 0.0
        for k in range(1441):
            lines.append(
                f"{60000 * k},8,{busy:.3f},{480 * k - busy:.3f},0.000,0.000,0,"
                f"{joules:.6f},0.000000,0,measured"
            )
            u = 0.5 + 0.45 * math.sin(2 * math.pi * k / 1440)
            busy += 480 * u
            joules += 60 * (100 + 200 * u)
        (tmp_path / f"n{node}.csv").write_text("\n".join(lines) + "\n")
    words = ["--history", "chat=n1.csv", "--history", "chat=n2.csv", "-f", "rack.yaml"]
    words += [
        "--nodes",
        "4",
        "--size",
        "cpu=8",
        "-o",
        "json",
        "--set",
        "model/chat.resources.cpu=2",
    ]
    learned = run(*words, "--watts", "./n1.csv")
    assert learned.returncode == 0, learned.stderr
    result = json.loads(learned.stdout)
    assert result["slotsPerNode"] == 4 and result["days"] == 1
    assert max(result["series"]["demand"]["chat"]["actual"]) == pytest.approx(15.2, abs=0.1)
    with (tmp_path / "cut.csv").open("wb") as cut:  # as after a power failure
        cut.write((tmp_path / "n1.csv").read_bytes() + bytes(512))
    lost = run(*words, "--watts", "./cut.csv")
    assert "--watts: ./cut.csv: a NUL in it" in lost.stderr and lost.returncode == 2
    told = rows(run(*words, "--watts", "100,300"))
    assert rows(learned)["always-on"]["kwh"] == pytest.approx(told["always-on"]["kwh"], rel=0.02)


def test_public_traces_are_read(run: Run) -> None:
    data = pathlib.Path(os.environ.get("HUDDLE_DATA", "../shared/data")).resolve()
    if not data.is_dir():
        pytest.skip("no data")
    words = ["-f", "rack.yaml", *RACK, "--resolution", "10m", "-o", "json"]
    capacity = ["--set", "model/chat.capacity.requestsPerSecond=400"]
    service = run("--history", f"chat={data}/servegen/m-small", *words, *capacity)
    assert service.returncode == 0, service.stderr
    assert json.loads(service.stdout)["days"] == pytest.approx(14, abs=0.01)
    series = run("--history", f"chat={data}/series/genai_qps_gen_5min.csv", *words, *capacity)
    assert series.returncode == 0, series.stderr
    log = run(
        *["--history", f"chat={data}/azure-llm-2023/AzureLLMInferenceTrace_code.csv"],
        *[*words[:-4], "--resolution", "15s", "-o", "json"],
    )
    assert log.returncode == 0, log.stderr
    assert json.loads(log.stdout)["from"].startswith("2023-11-16T18:1")


def test_the_page_stands_for_itself(run: Run, tmp_path: pathlib.Path) -> None:
    words = [*FILES[:-2], "--carbon", "380", "--boot-failures", "20%"]
    for name in ("a.html", "b.html"):
        done = run(*words, "--output", name)
        assert done.returncode == 0 and done.stdout == "", done.stderr
    page = (tmp_path / "a.html").read_text()
    assert page == (tmp_path / "b.html").read_text()  # the same seed, the same bytes
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    assert not re.search(r"<script|<link|<img|@import|url\(|https?:", page)
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles[:4] == [
        "Awake nodes, against the least possible",
        "Power",
        "Forecast and demand: embed",
        "Forecast and demand: chat",
    ]
    assert titles[4] == "huddle's worst hour, and the one before"
    assert len(re.findall(r'<path class="line c', page)) >= 4 + 4 + 2 + 2 + 4
    assert len(re.findall(r'<path class="area c0" d="M[^"]+Z"', page)) >= 5  # fans are closed
    assert "nan" not in page and "inf" not in page
    assert ">EUR<" in page and ">kgCO2<" in page and ">failed boots<" in page
    result = rows(run(*words, "-o", "json"))
    saved = f"{100 * result['predictive']['saved']:.1f}%"
    assert f"<b>{saved}</b>" in page


def test_a_page_says_which_files_its_plots_leave_out(run: Run, tmp_path: pathlib.Path) -> None:
    for n in (3, 4):
        names = [f"p{k}.yaml" for k in range(n)]
        for name in names:
            (tmp_path / name).write_text(NODES.split("---\n")[1])
        done = run(*FILES[:-2], "--output", "page.html", "--compare", *names)
        assert done.returncode == 0, done.stderr
        page = (tmp_path / "page.html").read_text()
        assert page.count("Shown are the first 3 of 4 files.") == (2 if n == 4 else 0)


def test_a_file_is_written_in_the_format_of_its_ending(run: Run, tmp_path: pathlib.Path) -> None:
    beginnings = {"a.yml": "days: ", "a.json": "{", "a.csv": "POLICY", "a": "POLICY"}
    for name, begins in beginnings.items():
        done = run(*FILES[:-2], "--output", name)
        assert done.returncode == 0 and done.stdout == "", done.stderr
        assert (tmp_path / name).read_text().startswith(begins)
    run(*FILES[:-2], "--output", "b.json", "-o", "table")
    assert (tmp_path / "b.json").read_text().startswith("POLICY")
    lost = run(*FILES, "--output", "none/a.json")
    assert lost.returncode == 1 and "none/a.json: No such file" in lost.stderr


def test_budgets_and_windows_hold_in_virtual_time(run: Run, tmp_path: pathlib.Path) -> None:
    base = rows(run(*FILES))["predictive"]
    assert base["sleeps"] > 2
    none = rows(run(*FILES, "--set", "policy.budget.sleeps=0"))["predictive"]
    assert none["sleeps"] == 0 and none["meanAwake"] == 12
    once = rows(run(*FILES, "--set", "pool.cyclesPerDay=0"))["predictive"]
    assert once["sleeps"] == 0
    dated = (tmp_path / "history.csv").read_text().splitlines()
    start = 1_790_035_200  # 2026-09-22T00:00:00Z
    lines = [dated[0]] + [
        f"{start + int(line.split(',')[0])},{line.split(',', 1)[1]}" for line in dated[1:]
    ]
    (tmp_path / "history.csv").write_text("\n".join(lines) + "\n")
    closed = "policy.windows=[{deny: true, days: '*', zone: Europe/Berlin}]"
    never = rows(run(*FILES, "--set", closed))["predictive"]
    assert never["sleeps"] == 0
    night = "policy.windows=[{start: '22:00', end: '04:00', zone: Europe/Berlin}]"
    some = rows(run(*FILES, "--set", night))["predictive"]
    assert some["sleeps"] > 0 and base["meanAwake"] < some["meanAwake"] < never["meanAwake"]
    lost = run(*FILES, "--set", "policy.windows=[{zone: Europe/Atlantis}]")
    assert lost.returncode == 1
    assert 'windows[0].zone: time zone "Europe/Atlantis" is not known here' in lost.stderr
