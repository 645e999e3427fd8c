"""What `make demo` says at its end, from figures by hand: the keys of report.json, what it must show and
that it sees where it does not, a page that stands for itself. The day itself takes minutes: `make demo`."""

import argparse
import html.parser
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Callable

import pytest

from tests.lab import demo as day
from tests.lab.view import View

KEYS = (
    "requests failed wrong_answers p99_ms slo_ms energy_j always_on_j bound_j moves sleeps wakes "
    "min_awake max_awake seconds"
).split()
End = tuple[day.Demo, dict]


def moment(at_s: float, powered: int, asleep: int) -> day.Moment:
    return day.Moment(
        at_s=at_s,
        hour=24 * at_s / 120,
        powered=powered,
        counts={"awake": powered, "asleep": asleep},
        watts=40.0 * powered,
        always_on_w=400.0,
        demand={"small": 9.0, "medium": 5.0, "large": 2.0},
        need={"small": 12.0},
        forecast={"small": [7.0, 9.0, 11.0, 12.0, 13.0]},
        moves=11,
        sleeps=4,
        wakes=3,
    )


@pytest.fixture(name="end")
def end_of_a_good_day(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> End:
    monkeypatch.setattr(day, "OUT", tmp_path)
    demo = day.Demo(
        argparse.Namespace(seconds=120.0, strategy="predictive", seed=1), View(plain=True)
    )
    demo.moments = [moment(10, 3, 5), moment(70, 8, 0)]
    demo.end = {
        "nodes": {f"n{i}": {"joules": 4000.0 + i} for i in range(8)},
        "always_on_j": 40000.0,
        "bound_j": 30000.0,
        "seconds": 120.0,
    }
    load = {
        "requests": 21000,
        "failed": 0,
        "wrong_answers": 0,
        "p50_ms": 12.0,
        "p99_ms": 80.0,
        "models": {},
        "seconds": [{"t": 1, "p50_ms": 12.0, "p99_ms": 80.0}],
    }
    return demo, load


def test_the_report_has_its_keys(end: End, tmp_path: pathlib.Path) -> None:
    demo, load = end
    assert day.finish(demo, load) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    for key in KEYS:
        assert isinstance(report[key], (int, float)), key
    assert report["energy_j"] == sum(4000 + i for i in range(8))
    assert (report["min_awake"], report["max_awake"], report["slo_ms"]) == (3, 8, 500)
    assert (report["moves"], report["sleeps"], report["wakes"]) == (11, 4, 3)
    assert report["emulated_meter"] is True
    assert len(json.loads((tmp_path / "moments.json").read_text())["moments"]) == 2


def test_the_page_stands_for_itself(end: End, tmp_path: pathlib.Path) -> None:
    demo, load = end
    day.finish(demo, load)
    page = (tmp_path / "report.html").read_text()
    assert "Emulated: the power meter" in page and page.count("<svg") == 6
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)
    open_tags: list[str] = []

    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag != "meta":
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag == "html":
                open_tags.append("/html")
            elif tag in open_tags:
                del open_tags[len(open_tags) - 1 - open_tags[::-1].index(tag)]

    Tags().feed(page)
    assert {"svg", "table", "title", "style"}.isdisjoint(open_tags) and open_tags[-1] == "/html"


def lose_one(load: dict, demo: day.Demo) -> None:
    load["failed"] = 1


def ask_nothing(load: dict, demo: day.Demo) -> None:
    load["requests"] = 0


def answer_wrongly(load: dict, demo: day.Demo) -> None:
    load["wrong_answers"] = 1


def be_slow(load: dict, demo: day.Demo) -> None:
    load["p99_ms"] = 500.5


def stay_awake(load: dict, demo: day.Demo) -> None:
    demo.moments[0]["counts"] = {"asleep": 1}


def sleep_by_day(load: dict, demo: day.Demo) -> None:
    demo.moments[1]["powered"] = 4


def save_little(load: dict, demo: day.Demo) -> None:
    demo.end["bound_j"] = 5000.0


@pytest.mark.parametrize(
    "spoil", [lose_one, ask_nothing, answer_wrongly, be_slow, stay_awake, sleep_by_day, save_little]
)
def test_what_is_not_shown_fails_the_demo(
    end: End, spoil: Callable[[dict, day.Demo], None], capsys: pytest.CaptureFixture[str]
) -> None:
    demo, load = end
    spoil(load, demo)
    assert day.finish(demo, load) == 1
    assert capsys.readouterr().out.count("MISSED") == 1


def test_the_run_by_demand_stands_beside_it(
    end: End, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo, load = end
    day.finish(demo, load)
    day.add_comparison()
    assert "strategy demand: no result" in capsys.readouterr().out
    demo.args.strategy = "demand"
    demo.end["nodes"]["n0"]["joules"] += 1000
    day.finish(demo, load)
    day.add_comparison()
    assert "strategy demand took 3.1% more joules" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["demand_j"] == report["energy_j"] + 1000
    assert "33028 J" in (tmp_path / "report.html").read_text()


def test_a_day_that_cannot_be_played_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (31.8, 0, 0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    said = day.no_result(TimeoutError("waited 30 s for all nodes awake"), pathlib.Path("logs"))
    assert "waited 30 s" in said and "logs" in said and "load 32 on 2 CPUs" in said
    monkeypatch.setattr(os, "getloadavg", lambda: (1.0, 0, 0))
    assert "busy" not in day.no_result(TimeoutError("waited"), pathlib.Path("logs"))


def test_no_second_day_after_one_without_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[list[str]] = []

    def play(command: list[str]) -> int:
        played.append(command)
        return day.NO_RESULT

    monkeypatch.setattr(subprocess, "call", play)
    args = argparse.Namespace(nodes=8, seconds=120.0, seed=1, plain=True)
    assert day.two_days(args) == day.NO_RESULT and len(played) == 1
