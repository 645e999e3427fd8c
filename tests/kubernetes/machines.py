"""Hollow nodes that are machines: an agent of huddle on each, and a power switch that its agent's own
power-off command and an exec driver reach.

A machine's folder holds `power` (on, boot or off) and what its agent sees as its boot id and CPU time.
Must run inside the namespaces of tests/lab/enter.py: an agent's view of its machine is mounted.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import threading
import time
import uuid

from tests.kubernetes.hollow import HollowNodes
from tests.kubernetes.process import Process
from tests.lab.lab import BUILD

# `on` and `off` only ask: the switch does it, as a board would.
DRIVER = """\
#!/bin/sh
read -r power <"{folder}/$2/power"
case $1 in
status) [ "$power" = off ] && echo '{{"power": "off"}}' || echo '{{"power": "on"}}' ;;
on) echo "$(date +%s) on" >>"{folder}/$2/calls"; touch "{folder}/$2/want-on" ;;
*) exit 69 ;;
esac
"""
OFF = "#!/bin/sh\ntouch {folder}/want-off\nsleep 60\n"
AGENT = """\
mount --bind {folder}/boot_id /proc/sys/kernel/random/boot_id
mount --bind {folder}/stat /proc/stat
exec {agent} --config {folder}/agent.yaml
"""
STAT = "cpu  1000 0 1000 {0:012} 0 0 0 0 0 0\ncpu0 1000 0 1000 {0:012} 0 0 0 0 0 0\nbtime 1\n"


class Machines:
    """The machines of these hollow nodes, all on. Reports go to `port` of the loopback address."""

    def __init__(
        self, hollow: HollowNodes, names: list[str], folder: pathlib.Path, port: int
    ) -> None:
        self.hollow, self.names, self.port = hollow, names, port
        self.folder = folder / "machines"
        self.agents: dict[str, Process] = {}
        self.boots = dict.fromkeys(names, 0)
        self.broken: set[str] = set()  # these do not come when they are called
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._switch, daemon=True)
        self.programs = folder / "programs"
        for place in (self.folder, self.programs):
            place.mkdir(parents=True)
            place.chmod(0o755)
        self.driver = self._program(self.programs / "switch", DRIVER.format(folder=self.folder))
        for name in names:
            self._make(name)

    @staticmethod
    def _program(path: pathlib.Path, text: str) -> pathlib.Path:
        path.write_text(text)
        path.chmod(0o755)
        return path

    def _make(self, name: str) -> None:
        folder = self.folder / name
        folder.mkdir()
        (folder / "stat").write_text(STAT.format(0))
        off = self._program(folder / "off", OFF.format(folder=folder))
        config = {
            "node": name,
            "address": "127.0.0.1",
            "stateDir": str(folder / "state"),
            "allowSleep": True,
            "interval": "1s",
            "controller": {"url": f"http://127.0.0.1:{self.port}"},
            "powerOff": {"command": [str(off)], "wakeAlarm": ""},
        }
        (folder / "agent.yaml").write_text(json.dumps(config))  # JSON is YAML

    # --- power ---

    def power(self, name: str) -> str:
        return (self.folder / name / "power").read_text().strip()

    def _set(self, name: str, power: str) -> None:
        fresh = self.folder / name / "power.new"
        fresh.write_text(power + "\n")
        fresh.rename(self.folder / name / "power")

    def calls(self, name: str) -> int:
        """How often `on` was called."""
        file = self.folder / name / "calls"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def _boot(self, name: str, kubelet: bool) -> None:
        folder = self.folder / name
        self.boots[name] += 1
        (folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        if kubelet:
            self.hollow.start_one(name)
        script = AGENT.format(folder=folder, agent=BUILD / "huddle-agent")
        words = ["unshare", "--mount", "--", "sh", "-ec", script]
        self.agents[name] = Process("agent", words, folder)

    def _off(self, name: str) -> None:
        self.agents.pop(name).kill()
        self.hollow.kill(name)
        self._set(name, "off")

    def _idle(self, name: str) -> None:
        """It never does anything, in ticks of 10 ms. The file itself is what is mounted."""
        with (self.folder / name / "stat").open("r+") as file:
            file.write(STAT.format(int(time.monotonic() * 100)))

    def _switch(self) -> None:
        while not self.ending.is_set():
            for name in self.names:
                self._idle(name)
                wants = {w: self.folder / name / f"want-{w}" for w in ("on", "off")}
                if wants["off"].exists():
                    wants["off"].unlink()
                    if self.power(name) == "on":
                        self._off(name)
                if wants["on"].exists():
                    wants["on"].unlink()
                    if self.power(name) == "off" and name not in self.broken:
                        self._boot(name, True)
                        self._set(name, "on")
            time.sleep(0.05)

    def __enter__(self) -> Machines:
        for name in self.names:
            self._boot(name, False)
            self._set(name, "on")
        self.thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        """All kubelets are as they were: those that the switch has started die with its thread."""
        self.ending.set()
        self.thread.join()
        for agent in self.agents.values():
            agent.kill()
        for name in self.names:
            if self.power(name) == "on":
                self.hollow.kill(name)
            self.hollow.start_one(name)


def mounts_work() -> bool:
    """May this process mount?"""
    done = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    return done.returncode == 0
