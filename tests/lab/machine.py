"""What a lab node is made of: its cgroup, its powercap tree, and the machine's own power meter."""

from __future__ import annotations

import os
import pathlib
import random

CGROUPS = pathlib.Path("/sys/fs/cgroup")
PERIOD_US = 20_000


class Cgroup:
    """One node's cgroup: CPU time is counted in it and, with root, limited. Hosts have v2, v1 or
    both; without root there is none, and `source()` falls back to the node's PID namespace."""

    def __init__(self, lab: str, node: str, cpu_milli: int) -> None:
        self.folders: list[pathlib.Path] = []
        self._source = ""
        if os.environ.get("HUDDLE_LAB_PIPE"):
            try:
                self._make(f"{lab}/{node}", max(1000, cpu_milli * PERIOD_US // 1000))
            except OSError:
                self.folders, self._source = [], ""

    def _make(self, name: str, quota_us: int) -> None:
        controllers = CGROUPS / "cgroup.controllers"
        if controllers.exists() and "cpu" in controllers.read_text().split():
            folder = CGROUPS / name
            for parent in (CGROUPS, folder.parent):
                parent.mkdir(exist_ok=True)
                (parent / "cgroup.subtree_control").write_text("+cpu")
            folder.mkdir(exist_ok=True)
            (folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
            self.folders = [folder]
            self._source = f"v2:{folder}/cpu.stat"
            return
        for controller in ("cpu", "cpuacct"):
            folder = CGROUPS / controller / name
            folder.mkdir(parents=True, exist_ok=True)
            self.folders.append(folder)
        (self.folders[0] / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self.folders[0] / "cpu.cfs_quota_us").write_text(str(quota_us))
        self._source = f"v1:{self.folders[1]}/cpuacct.usage"
        # The node's agent makes cgroups for its replicas below its own, in these as well: they must
        # be the lab's, or they would outlive it.
        for hierarchy in ("memory", "unified"):
            if (CGROUPS / hierarchy / "cgroup.procs").exists():
                folder = CGROUPS / hierarchy / name
                folder.mkdir(parents=True, exist_ok=True)
                self.folders.append(folder)

    def source(self, namespace_inode: int) -> str:
        return self._source or f"ns:{namespace_inode}"

    def join(self) -> None:
        """Moves the calling process into it (in a child, before it becomes the node)."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))


class PowercapTree:
    """A nested tree as libpowercap reads it under /sys/class/powercap. Every other node has a psys
    zone; on the others package and dram add up to the node."""

    def __init__(self, root: pathlib.Path, number: int) -> None:
        self.root = root
        self.zones: list[tuple[pathlib.Path, float, int, int]] = []  # file, share, range, start
        chance = random.Random(number)
        psys = number % 2 == 0
        control = root / "intel-rapl"
        package = control / "intel-rapl:0"
        self._zone(package, "package-0", 0.7 if psys else 0.85, 9_000_000_000, chance)
        self._zone(package / "intel-rapl:0:0", "core", 0.5, 9_000_000_000, chance)
        self._zone(package / "intel-rapl:0:1", "dram", 0.15, 3_000_000_000, chance)
        if psys:
            self._zone(control / "intel-rapl:1", "psys", 1.0, 12_000_000_000, chance)
        (control / "enabled").write_text("1\n")

    def _zone(
        self, folder: pathlib.Path, name: str, share: float, top: int, chance: random.Random
    ) -> None:
        folder.mkdir(parents=True)
        start = chance.randrange(top)
        for file, text in (
            ("name", name),
            ("energy_uj", start),
            ("max_energy_range_uj", top),
            ("enabled", 1),
        ):
            (folder / file).write_text(f"{text}\n")
        (folder / "energy_uj").chmod(0o400)
        for index, constraint in enumerate(("long_term", "short_term")[: 2 if share > 0.6 else 0]):
            for key, value in (
                ("name", constraint),
                ("power_limit_uw", 500_000_000),
                ("time_window_us", 976 if index else 999_424),
                ("max_power_uw", 600_000_000),
            ):
                (folder / f"constraint_{index}_{key}").write_text(f"{value}\n")
        self.zones.append((folder / "energy_uj", share, top, start))


class OwnMeter:
    """The joules of this machine's own packages, where it has RAPL that we may read."""

    def __init__(self) -> None:
        self.last: dict[pathlib.Path, int] = {}
        self.joules = 0.0
        for zone in sorted(pathlib.Path("/sys/class/powercap").glob("intel-rapl:*")):
            try:
                if (zone / "name").read_text().startswith("package"):
                    self.last[zone] = int((zone / "energy_uj").read_text())
            except (OSError, ValueError):
                continue

    def read(self) -> float | None:
        """Joules since the start, or None without a meter; call at least every minute."""
        for zone, before in self.last.items():
            now = int((zone / "energy_uj").read_text())
            span = int((zone / "max_energy_range_uj").read_text())
            self.joules += (now - before if now >= before else now + span - before) / 1e6
            self.last[zone] = now
        return self.joules if self.last else None
