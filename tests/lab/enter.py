"""Into namespaces of our own: everything that the lab starts, mounts or listens on lives in them.

`enter()` replaces this process by itself inside a new network, mount and PID namespace (and, without
root, a user namespace). When that first process ends, however it ends, the kernel ends all the
others and removes the mounts and interfaces. Only cgroups outlive it; a watcher outside removes
those when the last holder of a pipe is gone.
"""

from __future__ import annotations

import functools
import inspect
import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
INSIDE = "HUDDLE_LAB_INSIDE"
WORK = "/mnt"  # a tmpfs of our own is mounted here: a short path that vanishes with us


def inside() -> bool:
    return INSIDE in os.environ


def unshare_command() -> list[str]:
    """The unshare(1) words for this user; empty paths are never touched."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]


def possible() -> str:
    """Why this machine cannot run a lab, or "" when it can."""
    test = "mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt && ip link add br0 type bridge"
    done = subprocess.run(
        [*unshare_command(), "sh", "-ec", test], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or "unshare failed")


def watch_cgroups(name: str) -> int:
    """Starts the watcher that removes the cgroups called `name`; returns the pipe's end to hold."""
    read_end, write_end = os.pipe()
    script = (
        "trap '' INT TERM HUP; cat >/dev/null; "
        "for i in 1 2 3 4 5 6 7 8 9 10; do left=$(find /sys/fs/cgroup -depth -type d "
        '\\( -path "*/$0" -o -path "*/$0/*" \\) -exec rmdir {} \\; -print 2>/dev/null); '
        '[ -z "$left" ] && break; sleep 0.2; done'
    )
    subprocess.Popen(
        ["sh", "-c", script, name],
        stdin=read_end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read_end)
    os.set_inheritable(write_end, True)
    return write_end


def enter(command: list[str]) -> None:
    """Runs `command` inside, in place of this process. Returns at once when already inside."""
    if inside():
        return
    name = f"huddle-lab-{os.getpid()}"
    if os.geteuid() == 0:
        os.environ["HUDDLE_LAB_PIPE"] = str(watch_cgroups(name))
    os.environ[INSIDE] = name
    script = f'mount -t proc proc /proc; mount -t tmpfs -o mode=0755 tmpfs {WORK}; exec "$@"'
    words = [*unshare_command(), "sh", "-ec", script, "sh", *command]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(words[0], words)


def in_lab(timeout_s: float = 120.0):
    """Decorator of a pytest function: it is run by a pytest of its own inside the namespaces."""

    def decorate(test):
        @functools.wraps(test)
        def wrapper() -> None:
            if inside():
                test()
                return
            import pytest

            why_not = possible()
            if why_not:
                pytest.skip(f"no namespaces here: {why_not}")
            case = f"{inspect.getfile(test)}::{test.__name__}"
            words = [sys.executable, "-m", "tests.lab.enter", sys.executable, "-m", "pytest"]
            words += ["-q", "-p", "no:cacheprovider", "--no-header", case]
            try:
                done = subprocess.run(
                    words, cwd=REPOSITORY, text=True, capture_output=True, timeout=timeout_s
                )
            except subprocess.TimeoutExpired as error:
                output = (error.stdout or b"").decode(errors="replace")
                pytest.fail(f"not done after {timeout_s:g} s\n{output}", pytrace=False)
            if done.returncode:
                pytest.fail(done.stdout + done.stderr, pytrace=False)

        return wrapper

    return decorate


if __name__ == "__main__":
    enter(sys.argv[1:])
    raise SystemExit("tests.lab.enter: already inside")
