"""OpenStack's Redfish emulator (sushy-tools) before the nodes of a lab: a peer that is not ours.

    python3 -m tests.lab.sushy [--optional]      fetches it into the cache, once

Its own fake machines are replaced by the lab's switches (sushy_server.py, which runs in its Python).
"""

from __future__ import annotations

import argparse
import collections.abc
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
PACKAGES = HERE / "sushy.txt"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "huddle"


def folder() -> pathlib.Path:
    """Of the packages, by what they are."""
    recipe = hashlib.sha256(PACKAGES.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return CACHE / f"sushy-{recipe}"


def fetch() -> None:
    """Whole or not at all: another make may do the same."""
    if folder().exists():
        return
    print("sushy-tools: fetching it, once", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    new = pathlib.Path(tempfile.mkdtemp(dir=CACHE))
    try:
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        words += ["--no-input", "--target", str(new), "-r", str(PACKAGES)]
        subprocess.run(words, check=True, timeout=300)
        new.chmod(0o755)
        with contextlib.suppress(OSError):
            new.rename(folder())
    finally:
        shutil.rmtree(new, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="fetches sushy-tools into the cache")
    parser.add_argument("--optional", action="store_true", help="without CI=true a failure exits 0")
    optional = parser.parse_args().optional and not os.environ.get("CI")
    try:
        fetch()
    except (OSError, subprocess.SubprocessError) as error:
        skipped = "; its test will be skipped" if optional else ""
        print(f"sushy-tools cannot be had: {error}{skipped}", file=sys.stderr)
        return 0 if optional else 1
    return 0


@contextlib.contextmanager
def emulator(
    work: pathlib.Path,
    address: str,
    systems: dict[str, str],
    switch: pathlib.Path,
    certificate: tuple[pathlib.Path, pathlib.Path],
    password_hash: str,
) -> collections.abc.Iterator[str]:
    """Its origin. `systems`: UUID -> node; `switch`: the lab's socket; the user is "admin"."""
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    (work / "htpasswd").write_text(f"admin:{password_hash}\n")
    options = {
        "address": address,
        "port": port,
        "systems": systems,
        "switch": str(switch),
        "state": str(work / "sushy"),
        "htpasswd": str(work / "htpasswd"),
        "certificate": str(certificate[0]),
        "key": str(certificate[1]),
    }
    log = (work / "sushy.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, str(HERE / "sushy_server.py"), json.dumps(options)],
        env={**os.environ, "PYTHONPATH": str(folder())},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
                break
            assert process.poll() is None, (work / "sushy.log").read_text()
            assert time.monotonic() < end, "sushy-tools does not listen"
            time.sleep(0.05)
        yield f"https://{address}:{port}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
