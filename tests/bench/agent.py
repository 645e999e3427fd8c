#!/usr/bin/env python3
"""What huddle-agent costs a node, beside prometheus-node-exporter, in one run.

A node of 64 CPUs and two packages with 100 replicas (processes that sleep): /proc/stat and
/sys/class/powercap are made up in a private mount namespace, everything else is this machine's. The
agent looks and reports every second to a stand-in for the controller; the exporter is scraped every
second. Both are measured by the kernel's own count of their CPU time, over the same seconds.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

CPUS = 64
REPLICAS = 100
TARGET_SHARE = 0.001
TARGET_BYTES = 6_000_000
POWERCAP = pathlib.Path("/sys/class/powercap")


# --- the node ---------------------------------------------------------------------------------------


def powercap_tree() -> None:
    """Two packages with core and DRAM, their limits, and the names of the kernel."""
    for package in range(2):
        top = POWERCAP / f"intel-rapl/intel-rapl:{package}"
        zones = [(top, f"package-{package}"), (top / f"intel-rapl:{package}:0", "core")]
        for folder, name in [*zones, (top / f"intel-rapl:{package}:1", "dram")]:
            folder.mkdir(parents=True)
            (folder / "name").write_text(name + "\n")
            (folder / "energy_uj").write_text("123456789012\n")
            (folder / "max_energy_range_uj").write_text("262143328850\n")
            (folder / "enabled").write_text("1\n")
            (folder / "constraint_0_name").write_text("long_term\n")
            (folder / "constraint_0_power_limit_uw").write_text("205000000\n")
            (folder / "constraint_0_max_power_uw").write_text("205000000\n")


def proc_stat() -> str:
    """As a kernel of 64 CPUs writes it, with a line of interrupts that is as long as there."""
    columns = "1234567 890 345678 987654321 1234 0 5678 0 0 0"
    lines = ["cpu  " + columns, *(f"cpu{i} {columns}" for i in range(CPUS))]
    lines.append("intr 9876543210" + " 0" * 1500 + " 1234567" * 64)
    lines += ["ctxt 1234567890", "btime 1700000000", "processes 1234567", "procs_running 3"]
    lines += ["procs_blocked 0", "softirq 123456789" + " 1234567" * 10]
    return "\n".join(lines) + "\n"


def make_node(folder: pathlib.Path) -> None:
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/class"], check=True)
    powercap_tree()
    (folder / "stat").write_text(proc_stat())
    subprocess.run(["mount", "--bind", folder / "stat", "/proc/stat"], check=True)


# --- the stand-in for the controller ----------------------------------------------------------------


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def desired() -> bytes:
    """The replicas of a Reply (proto/huddle.proto)."""
    out = b""
    for i in range(REPLICAS):
        command = text(5, b"/bin/sleep") + text(5, b"1000000")
        replica = text(1, b"bench-%d" % i) + text(2, b"model-%d" % (i % 10)) + command
        out += text(8, replica + varint(16 << 3) + varint(1))
    return out


DESIRED = desired()


def answer(report: bytes) -> bytes:
    """A Reply to a report: its epoch (3, fixed64) and sequence (4, varint) stand at the start."""
    at = 0
    epoch = sequence = 0
    while at < len(report) and not sequence:
        number, kind = report[at] >> 3, report[at] & 7
        at += 1
        if kind == 1:
            epoch = struct.unpack_from("<Q", report, at)[0] if number == 3 else epoch
            at += 8
            continue
        value = shift = 0
        while True:
            byte = report[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        sequence = value if number == 4 else sequence
        at += value if kind == 2 else 0
    head = varint(1 << 3 | 1) + struct.pack("<Q", epoch) + varint(2 << 3) + varint(sequence)
    head += text(3, b"bench") + varint(4 << 3) + varint(1)
    head += varint(5 << 3 | 1) + struct.pack("<Q", 1)
    head += varint(6 << 3) + varint(1) + varint(7 << 3) + varint(1)
    return head + DESIRED + varint(10 << 3) + varint(1000) + varint(14 << 3) + varint(1)


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    reports = 0
    bytes = 0

    def do_POST(self) -> None:
        report = self.rfile.read(int(self.headers["Content-Length"]))
        Door.reports += 1
        Door.bytes = len(report)
        reply = answer(report)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        pass


# --- measuring --------------------------------------------------------------------------------------


def cpu_ns(pid: int) -> int:
    """Of all threads, as the scheduler counts it."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def resident_bytes(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no VmRSS of process {pid}")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children_of(pid: int) -> list[int]:
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def replicas_of(pid: int) -> int:
    """How many replicas the agent runs; each has a child beside it that keeps its log."""
    names = [pathlib.Path(f"/proc/{child}/comm") for child in children_of(pid)]
    return [name.read_text() for name in names if name.exists()].count("sleep\n")


def cgroup() -> str:
    """Parent of the replicas' cgroups, where this machine lets us make any."""
    return f"/huddle-bench-{os.getpid()}"


def remove_cgroups() -> None:
    for top in pathlib.Path("/sys/fs/cgroup").glob("**" + cgroup()):
        for folder in [*top.glob("*/"), top]:
            wait_for(f"{folder} is removed", lambda: try_rmdir(folder), 10)


def try_rmdir(folder: pathlib.Path) -> bool:
    """Refused while a process is still about to leave it."""
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


def start_agent(build: pathlib.Path, folder: pathlib.Path, port: int) -> subprocess.Popen[bytes]:
    config = {
        "node": "bench",
        "controller": {"url": f"http://127.0.0.1:{port}"},
        "stateDir": str(folder / "state"),
        "runtimesDir": str(folder / "runtimes.d"),
        "noSleepFile": str(folder / "no-sleep"),
        "allowCommands": True,
        "cgroup": cgroup(),
        "interval": "1s",
    }
    (folder / "state").mkdir()
    (folder / "runtimes.d").mkdir()
    (folder / "agent.yaml").write_text(json.dumps(config))
    with (folder / "agent.log").open("wb") as log:
        return subprocess.Popen(
            [build / "huddle-agent", "--config", folder / "agent.yaml"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def start_exporter(program: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [program, f"--web.listen-address=127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def scrape(port: int, end: float) -> int:
    """Once a second until then; the bytes of the last page."""
    size = 0
    at = time.monotonic()
    while at < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            size = len(page.read())
        at += 1.0
        time.sleep(max(0.0, min(at, end) - time.monotonic()))
    return size


def wait_for(what: str, done, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"after {limit_s:.0f} s still not: {what}")
        time.sleep(0.1)


def is_served(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            return page.status == 200
    except OSError:
        return False


# --- the run ----------------------------------------------------------------------------------------


def run(args: argparse.Namespace, folder: pathlib.Path) -> int:
    make_node(folder)
    door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    exporter_port = free_port()
    agent = start_agent(args.build, folder, door.server_port)
    exporter = start_exporter(args.exporter, exporter_port) if args.exporter else None
    try:
        wait_for(f"{REPLICAS} replicas run", lambda: replicas_of(agent.pid) == REPLICAS)
        if exporter:
            wait_for("the exporter serves", lambda: is_served(exporter_port))
        end = time.monotonic() + args.warm_up
        page = scrape(exporter_port, end) if exporter else 0
        time.sleep(max(0.0, end - time.monotonic()))
        processes = [p for p in (agent, exporter) if p]
        begin, before = time.monotonic(), [cpu_ns(p.pid) for p in processes]
        reports = Door.reports
        if exporter:
            page = scrape(exporter_port, begin + args.seconds)
        time.sleep(max(0.0, begin + args.seconds - time.monotonic()))
        after, seconds = [cpu_ns(p.pid) for p in processes], time.monotonic() - begin
        shares = [(a - b) / 1e9 / seconds for a, b in zip(after, before)]
        resident = [resident_bytes(p.pid) for p in processes]
        reports = Door.reports - reports
        if replicas_of(agent.pid) != REPLICAS:
            raise RuntimeError("the agent has lost replicas")
    except Exception:
        sys.stderr.write((folder / "agent.log").read_text()[-4000:])
        raise
    finally:
        children = children_of(agent.pid)
        for process in (agent, exporter):
            if process:
                process.terminate()
                process.wait()
        for child in children:  # they outlive their agent, as they should
            os.kill(child, signal.SIGKILL)
        remove_cgroups()
        door.shutdown()
    return tell(args.output == "json", seconds, reports, shares, resident, page)


def problems_of(seconds: float, reports: int, share: float, resident: int) -> list[str]:
    problems = []
    if reports < seconds * 0.9:
        problems.append(f"only {reports} reports in {seconds:.0f} s")
    if share > TARGET_SHARE:
        problems.append(f"more than {TARGET_SHARE * 100} % of a core")
    if resident > TARGET_BYTES:
        problems.append(f"more than {TARGET_BYTES / 1e6:.0f} MB resident")
    return problems


def tell(
    as_json: bool,
    seconds: float,
    reports: int,
    shares: list[float],
    resident: list[int],
    page: int,
) -> int:
    names = ["huddle-agent", "node-exporter"]
    notes = [f"{reports} reports of {Door.bytes} bytes", f"pages of {page} bytes"]
    problems = problems_of(seconds, reports, shares[0], resident[0])
    if as_json:
        figures = {
            name: {"shareOfCore": share, "residentMB": size / 1e6, "did": note}
            for name, share, size, note in zip(names, shares, resident, notes)
        }
        root = {
            "repeat": "make bench-agent",
            "cpus": CPUS,
            "replicas": REPLICAS,
            "seconds": seconds,
            **figures,
            "targets": {"shareOfCore": TARGET_SHARE, "residentMB": TARGET_BYTES / 1e6},
            "missed": bool(problems),
        }
        print(json.dumps(root, indent=1))
        return 1 if problems else 0
    print(f"{CPUS} CPUs, 2 packages, {REPLICAS} replicas, {seconds:.0f} s at one look a second")
    for name, share, size, note in zip(names, shares, resident, notes):
        print(f"  {name:14} {share * 100:7.3f} % of a core  {size / 1e6:6.1f} MB resident  {note}")
    if len(shares) > 1:
        print(
            f"  ratio          {shares[0] / shares[1]:7.3f}              {resident[0] / resident[1]:6.2f}"
        )
    for problem in problems:
        print(f"  MISSED: {problem}")
    print("repeat: make bench-agent")
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--exporter", default=shutil.which("prometheus-node-exporter") or "")
    args = parser.parse_args()
    if "HUDDLE_BENCH_INSIDE" not in os.environ:
        unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Ur", "--mount"]
        os.environ["HUDDLE_BENCH_INSIDE"] = "1"
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])
    if not args.exporter:
        print("bench-agent: there is no prometheus-node-exporter to compare with", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="huddle-bench-") as folder:
        return run(args, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
