"""What the tests start ends with them, however they end."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time

from tests.kubernetes.process import Process

STARTER = """\
import pathlib, sys, time
from tests.kubernetes.process import Process
print(Process("sleeper", ["sleep", "600"], pathlib.Path(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


def test_dies_with_the_tests(tmp_path: pathlib.Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout
        proc = pathlib.Path("/proc") / tests.stdout.readline().strip()
        assert proc.exists()
        tests.kill()
    end = time.monotonic() + 10
    while proc.exists() and ") Z " not in (proc / "stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_stops_what_ignores_sigterm(tmp_path: pathlib.Path) -> None:
    words = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"]
    process = Process("deaf", words, tmp_path)
    process.wait_for("its word", lambda: "up" in process.tail())
    process.stop(limit_s=0.2)
    assert not process.running()
