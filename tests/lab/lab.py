"""A rack on one machine: nodes with power switches, a bridge, a meter. See README.md.

Must run inside the namespaces of enter.py. A node is a set of namespaces in which node.sh runs the
agent; powering it off ends all that runs in it and cuts its link, powering it on takes its boot time
and gives it a new boot id. Its folder (its disk) stays. The meter is a program of its own.
"""

from __future__ import annotations

import collections.abc
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import uuid

from tests.lab import enter
from tests.lab.machine import Cgroup, PowercapTree

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", REPOSITORY / "build/release")).resolve()
CONTROLLER_ADDRESS = "10.77.0.1"
BRIDGE_MAC = "02:00:0a:4d:00:01"
SHUTDOWN_S = 0.3


def run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def wait_for_namespaces(pid: str) -> int:
    """Waits until unshare(1) of process `pid` is done; returns the inode of its PID namespace."""
    own = os.stat("/proc/self/ns/pid").st_ino
    while True:
        try:
            inode = os.stat(f"/proc/{pid}/ns/pid_for_children").st_ino
            if inode != own:
                return inode
        except FileNotFoundError:
            pass  # unshared, but its first process is not there yet
        time.sleep(0.002)


class Node:
    """One machine of the rack. `state` is off, boot or on, as its power meter and BMC see it."""

    def __init__(self, lab: Lab, number: int, cpu_milli: int) -> None:
        self.lab = lab
        self.name = f"n{number}"
        self.number = number
        self.address = f"10.77.0.{10 + number}"
        self.folder = lab.folder / self.name
        self.folder.mkdir()
        for empty in ("stat", "boot_id"):
            (self.folder / empty).touch()
        self.tree = PowercapTree(self.folder / "powercap", number)
        self.cgroup = Cgroup(lab.name, self.name, cpu_milli)
        self.command: list[str] = []  # what node.sh keeps running
        self.state = "off"
        self.process: subprocess.Popen[str] | None = None
        self.switch = threading.Lock()  # held while power changes
        self.boots = 0
        self.inside = 0  # inode of the PID namespace of this boot

    def _in_cgroup(self) -> None:
        self.cgroup.join()

    def power_on(self, boot_s: float) -> None:
        """Returns when the node has booted. Does nothing on a node that is on."""
        with self.switch:
            if self.state != "off":
                return
            self._set_state("boot")
            time.sleep(boot_s)
            self._start()
            self._set_state("on")

    def _start(self) -> None:
        self.boots += 1
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        script = str(REPOSITORY / "tests/lab/node.sh")
        net = f"{self.address}/24"
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
            + ["sh", script, str(self.folder), self.name, net, *self.command],
            stdin=subprocess.PIPE,
            stdout=(self.folder / "console.log").open("a"),
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=self._in_cgroup,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )
        pid = str(self.process.pid)
        self.inside = wait_for_namespaces(pid)
        run("ip", "link", "add", f"v{self.number}", "type", "veth", "peer", "eth0", "netns", pid)
        run("ip", "link", "set", f"v{self.number}", "master", "br0", "up")
        self.lab.meter_send(f"source {self.name} {self.cgroup.source(self.inside)}")
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.close()

    def power_off(self) -> None:
        """Cuts link and power at once. What the node has on disk stays."""
        with self.switch:
            if self.process:
                subprocess.run(["ip", "link", "del", f"v{self.number}"], check=False)
                self.process.kill()
                self.process.wait()
                self.process = None
            self._set_state("off")

    def link(self, up: bool) -> None:
        """Plugs the network cable in or out."""
        run("ip", "link", "set", f"v{self.number}", "up" if up else "down")

    def _set_state(self, state: str) -> None:
        self.state = state
        self.lab.meter_send(f"state {self.name} {state}")

    def pids(self, program: str) -> list[int]:
        """The processes of this node whose name is `program` (its first 15 bytes)."""
        if not self.process:
            return []
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or os.stat(entry / "ns/pid").st_ino != self.inside:
                    continue
                if (entry / "comm").read_text().strip() == program[:15]:
                    found.append(int(entry.name))
            except OSError:
                continue
        return sorted(found)

    def kill(self, program: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Signals every process called `program`; returns how many there were."""
        pids = self.pids(program)
        for pid in pids:
            os.kill(pid, how)
        return len(pids)


class Lab:
    """The rack. Use as a context manager; leaving it ends all that it started."""

    def __init__(self, n_nodes: int, cpu_milli: int = 100, boot_s: float = 2.0) -> None:
        assert enter.inside(), "a lab lives in namespaces of its own: see enter.py"
        os.umask(0o022)  # the controller runs no driver from a folder that a group may write
        self.name = os.environ[enter.INSIDE]
        self.folder = pathlib.Path(enter.WORK) / "lab"
        self.folder.mkdir()
        self.cpu_milli = cpu_milli
        self.boot_s = boot_s
        self.readings: dict = {}
        self.reading_listeners: list[collections.abc.Callable[[dict], None]] = []
        self._meter_lock = threading.Lock()
        self._network()
        self._meter_start()
        self.nodes = {f"n{i}": Node(self, i, cpu_milli) for i in range(1, n_nodes + 1)}
        for node in self.nodes.values():
            self._meter_node(node)
        self.socket_path = self.folder / "power.sock"
        self._switch_start()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *unused: object) -> None:
        for node in self.nodes.values():
            node.power_off()
        assert self.meter.stdin
        self.meter.stdin.close()
        self.meter.wait(timeout=5)

    def _network(self) -> None:
        run("ip", "link", "set", "lo", "up")
        # An own address: a bridge without takes the lowest of its ports', another one when that port
        # leaves, and for half a minute its neighbours would talk to the old one.
        run("ip", "link", "add", "br0", "address", BRIDGE_MAC, "type", "bridge")
        run("ip", "address", "add", f"{CONTROLLER_ADDRESS}/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")

    # --- the meter ---

    def _meter_start(self) -> None:
        self.meter = subprocess.Popen(
            [str(BUILD / "lab-meter")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._meter_read, daemon=True).start()

    def _meter_read(self) -> None:
        assert self.meter.stdout
        for line in self.meter.stdout:
            self.readings = json.loads(line)
            for listener in self.reading_listeners:
                listener(self.readings)

    def meter_send(self, line: str) -> None:
        assert self.meter.stdin
        with self._meter_lock:
            self.meter.stdin.write(line + "\n")
            self.meter.stdin.flush()

    def _meter_node(self, node: Node) -> None:
        self.meter_send(f"node {node.name} {self.cpu_milli} {node.folder / 'stat'}")
        for file, share, top, start in node.tree.zones:
            self.meter_send(f"zone {node.name} {file} {share} {top} {start}")

    # --- the power switches, for lab-power ---

    def _switch_start(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.socket_path))
        listener.listen(32)
        threading.Thread(target=self._switch_serve, args=(listener,), daemon=True).start()

    def _switch_serve(self, listener: socket.socket) -> None:
        while True:
            peer, _ = listener.accept()
            with peer, peer.makefile("rw") as stream:
                words = stream.readline().split()
                stream.write(self.switch(*words) + "\n" if len(words) == 2 else "malformed\n")

    def switch(self, verb: str, name: str) -> str:
        """One press on a power switch; answers on, off, or why not."""
        node = self.nodes.get(name)
        if not node:
            return f"no node is called {name}"
        if verb == "on":
            threading.Thread(target=node.power_on, args=(self.boot_s,), daemon=True).start()
            return "on"
        if verb == "off":
            threading.Timer(SHUTDOWN_S, node.power_off).start()
            return "off"
        if verb == "force-off":
            node.power_off()
        elif verb != "status":
            return f"{verb}: expected status, on, off or force-off"
        return "off" if node.state == "off" else "on"
