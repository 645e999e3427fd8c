"""The report of a rack of real programs, beside what the lab's own meter and its load generator say."""

import csv
import html.parser
import json
import re
import signal
import time

from tests.lab.enter import in_lab
from tests.lab.serving import RACK, acts, apply, near, rack_of

PRICED = RACK.replace(
    "strategy: demand",
    "strategy: demand\n  pricePerKwh: 0.4\n  currency: CHF\n"
    "  carbon: {{source: fixed, value: 300}}",
)
STEP_S = 5  # of the newest history


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def next_step():
    """Waits for a whole step of the history, and gives its time and the meter's readings then."""
    time.sleep(STEP_S - time.time() % STEP_S)
    return round(time.time())


def report(rack, begin, end, *words):
    return rack.ctl("report", "--from", stamp(begin), "--to", stamp(end), *words).stdout


def meter(rack):
    return {name: node["joules"] for name, node in rack.readings["nodes"].items()}


def check_acts(rack, r, slept, woken):
    """Sleeps and wakes as in the journal, seconds asleep as seen."""
    nodes = {node["name"]: node for node in r["nodes"]}
    for name in rack.nodes:
        edges = [row["transition"] for row in acts(rack, "sleep", name)]
        assert nodes[name]["sleeps"] == edges.count("T7"), (name, edges)
    assert r["sleeps"] == sum(node["sleeps"] for node in r["nodes"])
    assert r["wakes"] == sum(node["wakes"] for node in r["nodes"]) >= 1
    sleeper, begin, end = slept
    assert nodes[sleeper]["wakes"] >= 1 and nodes[sleeper]["sleeps"] >= 1
    assert abs(nodes[sleeper]["asleepS"] - (end - begin)) < 4, (nodes[sleeper], end - begin)
    assert nodes[woken]["sleeps"] == 0 and nodes[woken]["asleepS"] == 0


def check_energy(r, metered, always_on_j, worker):
    """Every joule of the worker, which never slept; of the others too, but for their boots."""
    nodes = {node["name"]: node["usedJ"] for node in r["nodes"]}
    e = r["energy"]
    near(nodes[worker], metered[worker], 0.1)
    near(sum(nodes.values()), e["usedJ"], 0.01)
    near(e["measuredJ"] + e["estimatedJ"], e["usedJ"], 1e-6)
    near(e["counterfactualJ"] - e["usedJ"], e["savedJ"], 1e-6)
    assert e["savedLowJ"] < e["savedJ"] < e["savedHighJ"]
    near(e["counterfactualJ"], always_on_j, 0.35)
    near(r["cost"]["saved"], e["savedJ"] / 3.6e6 * 0.4, 0.01)
    near(r["cost"]["used"], e["usedJ"] / 3.6e6 * 0.4, 0.01)
    assert r["cost"]["currency"] == "CHF"
    co2 = r["carbon"]
    near(co2["usedKg"], e["usedJ"] / 3.6e6 * 0.3, 0.01)
    near(co2["savedKg"], e["savedJ"] / 3.6e6 * 0.3, 0.01)
    near(co2["weighed"]["fixedJ"], e["usedJ"], 0.01)
    assert co2["savedLowKg"] < co2["savedKg"] < co2["savedHighKg"]
    series = r["series"]
    assert series["stepMs"] == STEP_S * 1000
    watts = [w for w in series["usedW"] if w is not None]
    near(sum(watts) * STEP_S, e["usedJ"], 0.02)
    assert min(series["awake"]) < 3


class Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.text = ""
        self.svgs = 0

    def handle_starttag(self, tag, attrs):
        self.svgs += tag == "svg"

    def handle_data(self, data):
        self.text += data


def check_forms(rack, r, window):
    """The same figures in every form."""
    table = report(rack, *window)
    joules = r["energy"]["usedJ"]
    used = re.search(r"^Energy used +([\d.]+)(k?)J", table, re.M)
    assert used, table
    near(float(used[1]) * (1000 if used[2] else 1), joules, 0.02)
    assert re.search(r"^Money saved +[-\d.e]+ CHF", table, re.M), table
    assert re.search(r"^CO2 emitted +[\d.]+k?g +300g/kWh", table, re.M), table
    assert re.search(r"^Mean power +\d+W", table, re.M), table
    assert re.search(rf"^Requests +{r['requests']}$", table, re.M), table
    rows = list(csv.DictReader(report(rack, *window, "-o", "csv").splitlines()))
    total = {row["metric"]: row for row in rows if row["kind"] == "total"}
    near(float(total["usedJ"]["value"]), joules, 1e-6)
    assert total["usedJ"]["unit"] == "J" and total["recordedS"]["unit"] == "s"
    assert float(total["costSaved"]["value"]) and total["costSaved"]["unit"] == "CHF"
    watts = [row for row in rows if row["metric"] == "usedW"]
    assert len(watts) == len(r["series"]["usedW"])
    assert {row["name"] for row in rows if row["kind"] == "node"} == set(rack.nodes)
    page = Text()
    page.feed(report(rack, *window, "-o", "html"))
    assert page.svgs == 6 and "nan" not in page.text and "small" in page.text
    assert stamp(window[0]) in page.text


def check_window_without_a_record(rack, begin):
    r = json.loads(report(rack, begin - 7200, begin - 3600, "-o", "json"))
    assert r["energy"]["usedJ"] is None and r["requests"] is None and r["series"] is None
    table = report(rack, begin - 7200, begin - 3600)
    assert re.search(r"^Energy used +-", table, re.M), table
    rows = list(csv.DictReader(report(rack, begin - 7200, begin - 3600, "-o", "csv").splitlines()))
    assert all(row["value"] == "" for row in rows if row["metric"] in ("usedJ", "asleepS"))


def same(before, after):
    near(after["energy"]["usedJ"], before["energy"]["usedJ"], 0.02)
    near(after["carbon"]["usedKg"], before["carbon"]["usedKg"], 0.02)
    near(after["energy"]["counterfactualJ"], before["energy"]["counterfactualJ"], 0.02)
    assert after["sleeps"] == before["sleeps"] and after["wakes"] == before["wakes"]
    for a, b in zip(after["nodes"], before["nodes"], strict=True):
        assert a["asleepS"] == b["asleepS"] and a["sleeps"] == b["sleeps"]


def restart(rack, how):
    rack.controller_end(how)
    rack.controller_start()
    rack.wait("the controller", lambda: rack.api.request("GET", "/readyz"))


@in_lab(240)
def test_report_beside_the_meter():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=1, min_awake=3) as rack:
        apply(rack, PRICED.format(min_awake=3))
        rack.wait("all awake", lambda: set(rack.node_states().values()) == {"awake"}, 60)
        load = steady(rack, 15)
        time.sleep(3)
        worker = next(r["spec"]["node"] for r in rack.api.items("replicas"))
        begin, before, always = next_step(), meter(rack), rack.readings["always_on_j"]
        counted = load.progress.get("answered", 0)
        apply(rack, PRICED.format(min_awake=1))
        rack.wait("a sleeper", lambda: "asleep" in rack.node_states().values(), 90)
        fell = time.time()
        sleeper = next(n for n, s in rack.node_states().items() if s == "asleep")
        time.sleep(10)
        rack.ctl("wake", sleeper)
        rack.wait("waking", lambda: rack.node_states()[sleeper] != "asleep", 10)
        rose = time.time()
        rack.wait("it back", lambda: rack.node_states()[sleeper] == "awake", 60)
        end, after = next_step(), meter(rack)
        always = rack.readings["always_on_j"] - always
        counted = load.progress.get("answered", 0) - counted
        time.sleep(1.5)  # the last reports
        r = json.loads(report(rack, begin, end, "-o", "json"))
        print(json.dumps(r), before, after, always, counted)
        assert r["seconds"] == r["recordedS"] == end - begin
        check_acts(rack, r, (sleeper, fell, rose), worker)
        check_energy(r, {n: after[n] - before[n] for n in after}, always, worker)
        near(r["requests"], counted, 0.1)
        model = r["models"][0]
        assert model["requests"] == r["requests"] and model["errors"] == 0
        near(model["idleJ"] + model["dynamicJ"], model["usedJ"], 1e-6)
        assert 0 < model["usedJ"] < r["energy"]["usedJ"]
        assert model["dynamicJ"] > 0.01 * model["usedJ"], model  # it worked, and not only was there
        check_forms(rack, r, (begin, end))
        check_window_without_a_record(rack, begin)
        minutes = (begin // 60 * 60, end // 60 * 60 + 60)  # what outlives a controller
        time.sleep(max(0.0, minutes[1] + 2 - time.time()))
        r = json.loads(report(rack, *minutes, "-o", "json"))
        restart(rack, signal.SIGTERM)
        again = json.loads(report(rack, *minutes, "-o", "json"))
        same(r, again)
        near(again["requests"], r["requests"], 0.02)
        restart(rack, signal.SIGKILL)
        same(again, json.loads(report(rack, *minutes, "-o", "json")))
        load.stop()
