"""Numbers on the command lines of the bench programs are whole or refused: "2x" is not 2."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", "build/release")).resolve()


@pytest.mark.parametrize(
    "words",
    [
        ["requests", "--seed", "2x", "nowhere"],
        ["requests", "--runs", "0", "nowhere"],
        ["requests", "--times", "101", "nowhere"],
        ["fortnight", "--seeds", "1,2x", "nowhere"],
        ["fortnight", "--seeds", "1,-2", "nowhere"],
        ["fortnight", "--models", "4.5", "nowhere"],
        ["scale", "--seed", "2x", "100", "1000"],
        ["scale", "-s", "", "100", "1000"],
        ["scale", "100x", "1000"],
        ["openb", "-s", "2x", "nowhere", "nowhere"],
        ["openb", "-n", "0", "nowhere", "nowhere"],
        ["state", "-n", "18446744073709551617"],
        ["state", "-n", "10x"],
        ["ingest", "-c", "nowhere", "-n", "10x"],
        ["ingest", "-c", "nowhere", "-s", "2x"],
        ["ingest", "-c", "nowhere", "-r", "3x"],
    ],
    ids=" ".join,
)
def test_what_is_no_number_is_refused(words: list[str]) -> None:
    program = BUILD / "bench" / words[0]
    if not program.exists():
        pytest.skip("the bench programs are not built: make bench-programs")
    done = subprocess.run(
        [program, *words[1:]], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: {words[0]} ")
    assert not done.stdout


def test_what_is_one_is_taken() -> None:
    program = BUILD / "bench" / "requests"
    if not program.exists():
        pytest.skip("the bench programs are not built: make bench-programs")
    words = ["--seed", "18446744073709551615", "--runs", "100", "--times", "2", "nowhere"]
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "nowhere/" in done.stderr
