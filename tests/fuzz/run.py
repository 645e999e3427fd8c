#!/usr/bin/env python3
"""Runs every fuzz target for a while, two at a time. The last line is `N passed, N failed`.

Seeds are read from tests/fuzz/corpus/NAME/ and the folders that the target's opening comment names;
what is found goes to BUILD/corpus/NAME/ and is used again by the next run. A crash, leak or time-out
leaves its input in BUILD/finds/.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path("tests/fuzz")
AT_A_TIME = 2


def seed_folders(name: str) -> list[str]:
    """What the target's comment names, and its own corpus; those that exist."""
    opening = (HERE / f"{name}_fuzz.c").read_text(encoding="utf-8").partition("*/")[0]
    named = re.findall(r"^ \* Seeds: (.+)$", opening, re.M)
    folders = [str(HERE / "corpus" / name), *" ".join(named).split()]
    return [folder for folder in folders if pathlib.Path(folder).is_dir()]


def fuzz(program: pathlib.Path, args: argparse.Namespace) -> tuple[bool, str, str]:
    """Whether nothing was found, one line about the run, and its output."""
    name = program.name.removesuffix("_fuzz")
    found = args.build / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    finds = args.build / "finds"
    finds.mkdir(exist_ok=True)
    # One worker that writes no file of its own; the input stays below what the parsers may take.
    command = [
        str(program),
        f"-max_total_time={args.seconds}",
        "-max_len=65536",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={finds}/{name}-",
        str(found),
        *seed_folders(name),
    ]
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1")
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=args.seconds * 3 + 300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        return False, f"{name}: did not run to its end", f"{why}\n"
    text = done.stdout.decode(errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", text)
    edges = re.findall(r"cov: (\d+)", text)
    line = f"{name}: {runs.group(1) if runs else '?'} runs, {edges[-1] if edges else '?'} edges"
    good = done.returncode == 0 and runs is not None and int(runs.group(1)) > 0
    return good, line, text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/fuzz"))
    parser.add_argument("--seconds", type=int, default=15, help="for each target")
    parser.add_argument("--only", default="", help="targets whose name holds this")
    args = parser.parse_args()
    sources = sorted(path for path in HERE.glob("*_fuzz.c") if args.only in path.name)
    programs = [args.build / "fuzz" / path.stem for path in sources]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        for good, line, text in pool.map(lambda p: fuzz(p, args), programs):
            print(f"  {'ok  ' if good else 'FAIL'} {line}", flush=True)
            if good:
                passed += 1
            else:
                failed += 1
                print(text[-6000:], flush=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
