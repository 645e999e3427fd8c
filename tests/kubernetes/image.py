"""Container images without a registry or a daemon: one layer of files, as `docker save` writes it."""

from __future__ import annotations

import collections.abc
import hashlib
import io
import json
import pathlib
import re
import subprocess
import tarfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PAUSE = "registry.k8s.io/pause:3.10.2"  # what containerd runs as the sandbox of a pod
SERVER = "huddle.test/server:1"
CLASSIFIER = "huddle.test/classifier:1"


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _tar(files: collections.abc.Mapping[str, tuple[bytes, int]]) -> bytes:
    """The same bytes for the same files, whenever it is made."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in ("tmp", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for name in sorted(files):
            _add(tar, name, *files[name])
    return out.getvalue()


def libraries(program: pathlib.Path) -> dict[str, pathlib.Path]:
    """What a dynamic program is loaded with, by the paths where it looks."""
    said = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    return {path: pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", said)}


def write(
    out: pathlib.Path,
    name: str,
    files: collections.abc.Mapping[str, pathlib.Path],
    command: list[str],
) -> None:
    """An image called `name` in the file `out`; `files` maps its paths to the files here."""
    held = {
        path: (file.read_bytes(), 0o755 if file.stat().st_mode & 0o100 else 0o644)
        for path, file in files.items()
    }
    layer = _tar(held)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Entrypoint": command, "Env": ["PATH=/bin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, "manifest.json", json.dumps(manifest).encode())
        _add(tar, config_name, config)
        _add(tar, f"{digest}.tar", layer)


def _architecture() -> str:
    machine = subprocess.run(["uname", "-m"], check=True, capture_output=True, text=True).stdout
    return {"x86_64": "amd64", "aarch64": "arm64"}[machine.strip()]


def write_all(folder: pathlib.Path, build: pathlib.Path, weights: pathlib.Path) -> None:
    """The images of the tests: what `make kubernetes-images` built, and the classifier with its
    weights."""
    folder.mkdir(exist_ok=True)
    pause, server = build / "kubernetes/pause", build / "kubernetes/pod_server"
    write(folder / "pause.tar", PAUSE, {"/pause": pause}, ["/pause"])
    write(folder / "server.tar", SERVER, {"/bin/server": server}, ["/bin/server"])
    classifier = build / "classifier-serve"
    files = {"/bin/classifier-serve": classifier, **libraries(classifier)}
    files |= {f"/weights/{w.name}": w for w in sorted(weights.glob("*.bin"))}
    write(folder / "classifier.tar", CLASSIFIER, files, ["/bin/classifier-serve"])


def own() -> list[pathlib.Path]:
    """huddle's own images of this architecture, as `make images` built them."""
    return sorted(REPOSITORY.glob(f"build/images/*-{_architecture()}.tar"))
