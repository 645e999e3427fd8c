#!/usr/bin/env python3
"""Serves a powercap tree to the real libpowercap and lets a program look at it.

Run inside a private mount namespace: mounts a tmpfs on /sys/class, builds the tree of a .tree file,
starts the program, applies the changes of each [after] section between its samples, and prints the
program's JSON. tests/data/powercap/README.md describes the file.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path("/sys/class/powercap")
PAUSE_S = 0.03


def put(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="latin-1") as file:
        file.write(text)


def apply(line: str) -> None:
    """One line of [tree] or [after]."""
    word, _, rest = line.partition(" ")
    if word == "zone":
        where, name, energy, *more = rest.split()
        put(ROOT / where / "name", name + "\n")
        put(ROOT / where / "energy_uj", energy + "\n")
        put(ROOT / where / "max_energy_range_uj", (more[0] if more else "262143328850") + "\n")
        put(ROOT / where / "enabled", "1\n")
        return
    path = ROOT / rest.split()[0] if rest else ROOT
    if word == "set":
        text = rest.partition(" ")[2]
        put(path, text.encode().decode("unicode_escape") + "\n")
    elif word == "empty":
        put(path, "")
    elif word == "repeat":
        _, text, times = rest.split()
        put(path, text * int(times) + "\n")
    elif word == "deny":
        path.chmod(0)
    elif word == "remove":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif word == "fifo":
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    elif word == "folder":
        path.unlink(missing_ok=True)
        path.mkdir(parents=True)
    elif word == "link":
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(rest.split()[1])
    else:
        raise ValueError(f"unknown line: {line}")


def sections(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            found.append((line[1:-1], []))
        elif line and not line.startswith("#"):
            found[-1][1].append(line)
    return found


def main() -> int:
    tree, *command = sys.argv[1:]
    parts = sections(pathlib.Path(tree).read_text(encoding="utf-8"))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/class"], check=True)
    for line in parts[0][1]:
        apply(line)
    # Without capabilities, so that file modes count for root too.
    with subprocess.Popen(
        ["setpriv", "--bounding-set=-all", "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as look:
        assert look.stdin and look.stdout
        greeting = look.stdout.readline()
        if greeting != "ok\n":
            sys.stdout.write(greeting)
            return 1
        for kind, lines in parts[1:]:
            if kind != "after":
                continue
            time.sleep(PAUSE_S)
            for line in lines:
                apply(line)
            look.stdin.write("next\n")
            look.stdin.flush()
            if look.stdout.readline() != "ok\n":
                return 1
        look.stdin.close()
        sys.stdout.write(look.stdout.read())
    return look.returncode


if __name__ == "__main__":
    sys.exit(main())
