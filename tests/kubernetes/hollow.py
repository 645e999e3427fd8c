"""Hollow nodes: real kubelets over a runtime that runs nothing. Their pods become Ready at once.

Each says that it has 1 CPU and 3840 MiB, and takes some 75 MiB itself.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
import socket
import time

from tests.kubernetes.api import ready
from tests.kubernetes.cluster import ControlPlane, words_of
from tests.kubernetes.process import Process, free_ports


def names(n: int) -> list[str]:
    return [f"hollow-{i}" for i in range(1, n + 1)]


def remove_dead_sockets() -> None:
    """What a killed runtime leaves in /tmp, whatever the temporary folder is: nobody listens there, and
    not because it is about to."""
    for path in pathlib.Path("/tmp").glob("kubelet_remote_*.sock"):
        with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime < 10:
                continue
            try:
                s.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                pass  # another's: gone meanwhile, or not ours to try


class HollowNodes:
    """One kubemark process for each of the nodes `names(n)` that the control plane knows."""

    def __init__(self, cluster: ControlPlane, n: int) -> None:
        self.cluster = cluster
        self.names = names(n)
        self.processes: dict[str, Process] = {}

    def start(self) -> HollowNodes:
        for name in self.names:
            self.start_one(name)
        return self

    def start_one(self, name: str) -> None:
        folder: pathlib.Path = self.cluster.folder / name
        folder.mkdir(exist_ok=True)
        # A kubelet that has to register first often fails to set up its CSINode in time, and is then
        # not ready for 10 or 20 s more.
        if not self.cluster.api.find("nodes", name):
            self.cluster.api.create("nodes", {"metadata": {"name": name}})
        port, read_only_port = free_ports(2)
        words = words_of(
            "kubemark",
            {
                "morph": "kubelet",
                "name": name,
                "kubeconfig": self.cluster.kubeconfig(f"system:node:{name}"),
                "kubelet-port": port,
                "kubelet-read-only-port": read_only_port,
                "use-host-image-service": False,
            },
        )
        self.processes[name] = Process(name, words, folder)

    def wait_ready(self, limit_s: float = 120.0) -> None:
        api = self.cluster.api

        def all_ready() -> bool:
            for process in self.processes.values():
                if not process.running():
                    raise RuntimeError(f"{process.name} ended:\n{process.tail()}")
            found = {n["metadata"]["name"]: n for n in api.list("nodes")}
            joined = [found[name] for name in self.processes if name in found]
            # What keeps pods away from a new node is taken off it a moment after it is ready.
            usable = [n for n in joined if ready(n) and not n["spec"].get("taints")]
            return len(usable) == len(self.processes)

        api.wait_for("hollow nodes Ready", all_ready, limit_s)

    def kill(self, name: str) -> None:
        """As a power cut does: the Node object stays."""
        process = self.processes.pop(name)
        process.kill()
        for line in process.log.read_text(encoding="utf-8", errors="replace").splitlines():
            used = re.search(r"Using (/tmp/hollow-kubelet\.\d+) as root dir", line)  # always there
            if used:
                shutil.rmtree(used.group(1), ignore_errors=True)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)  # nothing that it would have to put in order
        remove_dead_sockets()

    def __enter__(self) -> HollowNodes:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()
