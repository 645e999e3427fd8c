#!/usr/bin/env python3
"""Runs every test and prints one summary: cmocka programs in parallel, then pytests side by side: for
running programs, and inside namespaces of their own for a real Kubernetes.

The last line is `N passed, N failed, N skipped`; skipped tests are listed with their reason. The exit
code is 0 only when nothing failed and something ran.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

FOLDERS = ("tests/unit", "tests/simulation")  # of the programs' sources
# Of tests/kubernetes: those on real nodes (with *_real), those in which pods move, on hollow ones, and those
# in which somebody leads or nodes sleep; the others look at a cluster.
REAL = ("images", "nodes")
MOVES = ("crash", "move", "stand_in", "steer")
LEADS = ("bind", "lead", "release", "sleep", "sleep_crash", "terms")
# Of the rest, those that take longest, to begin with.
LONG = (
    "kube_watch",
    "power_test",
    "faults",
    "replicas",
    "front_door",
    "report",
    "rollout",
    "kube_event",
)
COLOUR = sys.stdout.isatty() or "FORCE_COLOR" in os.environ


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


class Totals:
    def __init__(self) -> None:
        self.passed = self.failed = 0
        self.skipped: list[str] = []

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {len(self.skipped)} skipped"


def run_program(program: pathlib.Path, wrapper: list[str], limit: float) -> tuple[str, int, float]:
    """Output, exit code and seconds of one test program; 124 when it took too long, 127 when it
    cannot be run."""
    begin = time.monotonic()
    try:
        done = subprocess.run(
            wrapper + [str(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=limit,
            check=False,
        )
        text, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"").decode(errors="replace") + f"\ntook longer than {limit:.0f} s\n"
        code = 124
    except OSError as why:
        text, code = f"{why}\n", 127
    return text, code, time.monotonic() - begin


def count_program(name: str, text: str, code: int, totals: Totals) -> bool:
    """Adds one program's cmocka results; True when all is well."""
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    failed = set(re.findall(r"^\[  (?:FAILED|ERROR)  \] (?!tests?:)(.+?)$", text, re.M))
    failed |= set(re.findall(r"^\[  FAILED  \] (\w+)$", text, re.M))
    skipped = re.findall(r"^\[  SKIPPED \] (\w+)$", text, re.M)
    n_failed = len({f for f in failed if "test(s)" not in f})
    reasons = dict(re.findall(r"^SKIP (\w+): (.+)$", text, re.M))
    n_failed += len(set(skipped) - reasons.keys())  # nobody would ever know what is missing
    if code != 0 and n_failed == 0:
        n_failed = 1
    if code == 0 and passed == 0 and not skipped:
        n_failed = 1  # a program without a test proves nothing
    totals.passed += passed
    totals.failed += n_failed
    for test in dict.fromkeys(skipped):
        if test in reasons:
            totals.skipped.append(f"{name}:{test}: {reasons[test]}")
        else:
            print(f"[  FAILED  ] {test}: skipped without a reason (tests/unit/skip.h)")
    return n_failed == 0


def programs(args: argparse.Namespace, totals: Totals) -> None:
    # By the sources: what was not built fails, and what an older build left is not run.
    names = sorted(s.stem for f in FOLDERS for s in pathlib.Path(f).glob("*_test.c"))
    found = [args.build / "test" / name for name in names]
    wrapper = shlex.split(args.wrapper)
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        runs = {pool.submit(run_program, p, wrapper, args.timeout): p for p in found}
        for future in concurrent.futures.as_completed(runs):
            name = runs[future].name
            text, code, seconds = future.result()
            good = count_program(name, text, code, totals)
            mark = paint("32", "ok  ") if good else paint("31", "FAIL")
            print(f"  {mark} {name} ({seconds:.1f} s)", flush=True)
            if not good:
                print(text[-8000:], flush=True)


def python() -> str:
    """One that has pytest."""
    if subprocess.run(
        [sys.executable, "-c", "import pytest"], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        return "/usr/bin/python3"  # Debian's python3-pytest belongs to Debian's python3
    return sys.executable


class Part:
    """Files of tests that one pytest runs, with the words of `inside` before its command."""

    def __init__(self, name: str, files: list[pathlib.Path], inside: list[str]) -> None:
        self.name, self.files, self.inside = name, files, inside
        self.seconds = 0.0

    def run(self, build: pathlib.Path) -> tuple[int, str, pathlib.Path]:
        """Exit code, output and report; there is no report when pytest could not write one."""
        begin = time.monotonic()
        report = build / f"pytest-{self.name}.xml"
        report.unlink(missing_ok=True)
        command = [*self.inside, python(), "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider"]
        command.append(f"--junit-xml={report}")
        if self.inside:  # a user who is root in there has no right to root's files
            files = build / "pytest-files"
            files.mkdir(exist_ok=True)
            command.append(f"--basetemp={files / self.name}")
        done = subprocess.run(
            command + [str(f) for f in self.files],
            env=dict(os.environ, HUDDLE_BUILD=str(build)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.seconds = time.monotonic() - begin
        return done.returncode, done.stdout.decode(errors="replace"), report


def tests_in(folder: str) -> list[pathlib.Path]:
    return sorted(pathlib.Path(folder).glob("test_*.py"))


def integration() -> list[Part]:
    """A part a file: they share nothing."""
    files = tests_in("tests/integration") + tests_in("tests/lab")
    files.sort(key=lambda f: f.stem[5:] not in LONG)
    return [Part(f"{f.parent.name}.{f.stem[5:]}", [f], []) for f in files]


def kubernetes() -> list[Part]:
    """Each part has clusters of its own, so they are few. Where there are no namespaces, what needs
    them is skipped."""
    inside = [python(), "-m", "tests.lab.enter"]
    works = subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0
    files = tests_in("tests/kubernetes")
    parts: dict[str, list[pathlib.Path]] = {
        name: [] for name in ("real", "moves", "leads", "looks")
    }
    for file in files:
        parts[kubernetes_part(file.stem[5:])].append(file)
    return [Part(f"kubernetes.{n}", f, inside if works else []) for n, f in parts.items() if f]


def kubernetes_part(name: str) -> str:
    if name in REAL or name.endswith("_real"):
        return "real"
    return "moves" if name in MOVES else "leads" if name in LEADS else "looks"


def count_part(output: str, code: int, report: pathlib.Path, totals: Totals) -> bool:
    """Adds one pytest's results; True when all is well."""
    failed, skipped = totals.failed, len(totals.skipped)
    if not report.exists():
        totals.failed += 1
        return False
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if skip is not None:
            totals.skipped.append(f"{name}: {skip.get('message')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            totals.failed += 1
        else:
            totals.passed += 1
    if code not in (0, 1, 5) or (code == 1 and totals.failed == failed):
        totals.failed += 1
    return totals.failed == failed


def pytests(args: argparse.Namespace, parts: list[Part], totals: Totals) -> None:
    """Several at a time, for most of it waits: in the order given, so the longest come first."""
    build = args.build.resolve()
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.beside) as pool:
        runs = {pool.submit(part.run, build): part for part in parts}
        for future in concurrent.futures.as_completed(runs):
            part = runs[future]
            code, output, report = future.result()
            good = count_part(output, code, report, totals)
            mark = paint("32", "ok  ") if good else paint("31", "FAIL")
            print(f"  {mark} {part.name} ({part.seconds:.0f} s)", flush=True)
            if not good:
                print(output[-60000:], flush=True)


STAGES = ("programs", "integration", "kubernetes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--wrapper", default="", help="command put before each test program")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one program")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--beside", type=int, default=4, help="pytests at a time")
    args = parser.parse_args()
    totals = Totals()
    if "programs" in args.only:
        programs(args, totals)
    parts = kubernetes() if "kubernetes" in args.only else []
    parts += integration() if "integration" in args.only else []
    pytests(args, parts, totals)
    for skipped in totals.skipped:
        print(paint("33", "  skipped ") + skipped)
    bad = totals.failed > 0 or totals.passed == 0
    print(paint("31" if bad else "32", totals.line()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
