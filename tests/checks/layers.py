#!/usr/bin/env python3
"""Proves the direction of includes, one user for each library, and the purity of the pure modules.

The tables below are the architecture: a folder may include what its row names. Objects of pure modules
are checked with nm(1): they may call nothing that reads a clock, a file, the environment or chance.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys

# folder -> folders it may include, besides itself; the longest matching row counts
MAY_INCLUDE = {
    "proto/base": [],
    "proto": ["proto/base"],
    "agent/sensor": ["agent", "proto", "proto/base"],
    "agent/replica": ["agent", "agent/sensor", "proto", "proto/base"],
    "agent": ["agent/sensor", "agent/replica", "proto", "proto/base"],
    "controller/energy": ["proto", "proto/base"],
    "controller/state": ["controller/energy", "proto", "proto/base"],
    "controller/forecast": ["controller/energy", "controller/state", "proto", "proto/base"],
    "controller/placement": [
        "controller/energy",
        "controller/state",
        "controller/forecast",
        "proto",
        "proto/base",
    ],
    "controller/pki": ["proto", "proto/base"],
    "controller/power": ["controller", "proto", "proto/base"],
    "controller/substrate": [
        "controller",
        "controller/state",
        "controller/placement",
        "controller/kube_client",
        "controller/kubernetes",
        "proto",
        "proto/base",
    ],
    "controller/reconcile": [
        "controller",
        "controller/energy",
        "controller/state",
        "controller/forecast",
        "controller/placement",
        "controller/substrate",
        "proto",
        "proto/base",
    ],
    "controller/api": ["controller", "controller/pki", "controller/state", "proto", "proto/base"],
    "controller/simulate": [
        "controller",
        "controller/energy",
        "controller/state",
        "controller/forecast",
        "controller/placement",
        "controller/reconcile",
        "proto",
        "proto/base",
    ],
    "controller/kube_client": ["proto", "proto/base"],
    "controller/kubernetes": ["controller/kube_client", "proto", "proto/base"],
    "controller/cli": [
        "controller/simulate",
        "controller/kubernetes",
        "controller/kube_client",
        "controller/pki",
        "proto",
        "proto/base",
    ],
    "controller": [
        "controller/api",
        "controller/energy",
        "controller/state",
        "controller/forecast",
        "controller/pki",
        "controller/placement",
        "controller/power",
        "controller/reconcile",
        "controller/substrate",
        "proto",
        "proto/base",
    ],
}

# header pattern -> files that may include it
ONE_USER = {
    r"powercap/": r"agent/(sensor/rapl|power_cap)\.c",
    r"sqlite3\.h": r"controller/state/store\w*\.[ch]",
    r"microhttpd\.h": r"proto/base/httpd\w*\.[ch]",
    r"yaml\.h": r"proto/base/yaml(_print)?\.c",
    r"(proto/huddle\.pb-c|protobuf-c/protobuf-c)\.h": r"proto/wire\w*\.[ch]",
    r"curl/": r"proto/base/http\w*\.c",
    r"dlfcn\.h": r"agent/sensor/nvml\.c",
}

PURE = [
    "agent/agent",
    "agent/attribution",
    "agent/desired",
    "agent/drain",
    "agent/durable",
    "agent/effects",
    "agent/energy_counter",
    "agent/idle_power",
    "agent/joules",
    "agent/ledger",
    "agent/metering",
    "agent/metrics_text",
    "agent/once",
    "agent/power_cap_plan",
    "agent/record",
    "agent/replica",
    "agent/report",
    "agent/sample",
    "agent/sensor/metrics*",
    "agent/sensor/power_model",
    "agent/sensor/procfs",
    "agent/sensor/zone_choice",
    "agent/service_counters",
    "agent/sleep",
    "controller/cli/column*",
    "controller/cli/completion",
    "controller/cli/description*",
    "controller/cli/diff",
    "controller/cli/explanation",
    "controller/cli/human",
    "controller/cli/kind",
    "controller/cli/look",
    "controller/cli/merge",
    "controller/cli/moment",
    "controller/cli/page",
    "controller/cli/plot",
    "controller/cli/report*",
    "controller/cli/selection",
    "controller/cli/simulation_fit",
    "controller/cli/simulation_html",
    "controller/cli/simulation_result",
    "controller/cli/table",
    "controller/cli/text",
    "controller/cli/writer",
    "controller/api/access",
    "controller/api/limiter",
    "controller/api/merge_patch",
    "controller/api/metrics",
    "controller/api/resource",
    "controller/api/route",
    "controller/api/status",
    "controller/controller",
    "controller/energy/*",
    "controller/forecast/*",
    "controller/kube_client/kube_answer",
    "controller/kube_client/kube_base64",
    "controller/kube_client/kube_discovery",
    "controller/kube_client/kube_escape",
    "controller/kube_client/kube_event_*",
    "controller/kube_client/kube_exec_text",
    "controller/kube_client/kube_frame",
    "controller/kube_client/kube_keys",
    "controller/kube_client/kube_lease_*",
    "controller/kube_client/kube_peek",
    "controller/kube_client/kube_rate",
    "controller/kube_client/kube_status",
    "controller/kube_client/kube_time",
    "controller/kube_client/kube_watch_*",
    "controller/kubernetes/access_review",
    "controller/kubernetes/adopt*",
    "controller/kubernetes/amount",
    "controller/kubernetes/crd*",
    "controller/kubernetes/discover",
    "controller/kubernetes/doctor*",
    "controller/kubernetes/drain_safe",
    "controller/kubernetes/finding",
    "controller/kubernetes/hold",
    "controller/kubernetes/label_selector",
    "controller/kubernetes/rights",
    "controller/kubernetes/sleepers_now",
    "controller/kubernetes/surge",
    "controller/kubernetes/survey",
    "controller/kubernetes/verdicts",
    "controller/kubernetes/view*",
    "controller/placement/*",
    "controller/power/exec_answer",
    "controller/power/hosts",
    "controller/power/redfish_body",
    "controller/power/redfish_flow",
    "controller/reconcile/*",
    "controller/simulate/*",
    "controller/state/cluster",
    "controller/state/history",
    "controller/state/machine_uuid",
    "controller/state/snapshot",
    "controller/substrate/door_*",
    "controller/substrate/endpoints_file",
    "controller/substrate/haproxy_config",
    "controller/substrate/haproxy_table",
    "controller/substrate/haproxy_view",
    "controller/substrate/kube_cluster*",
    "controller/substrate/kube_object",
    "controller/substrate/latency_window",
    "controller/substrate/standalone",
    "proto/base/exposition",
    "proto/base/guess",
    "proto/base/yaml_print",
    "proto/base/zone",
    "proto/manifest*",
    "proto/power_curve",
    "proto/quantity",
    "proto/selector",
    "proto/wire*",
]
IMPURE = re.compile(
    r"^(time|gettimeofday|clock_gettime|clock_\w+_ms|clock|rand|random|srand|drand48|getrandom|getenv"
    r"|open|open64|fopen|fopen64|read|write|socket|connect|send|recv|fork|vfork|system|popen|execve"
    r"|usleep|nanosleep|sleep|log_line|localtime\w*|setlocale|pthread_create)$"
)


def files() -> list[pathlib.Path]:
    out = subprocess.run(
        ["git", "ls-files", "agent", "controller", "proto"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [pathlib.Path(p) for p in out.stdout.split() if p.endswith((".c", ".h"))]


def check_includes(problems: list[str]) -> None:
    for path in files():
        if not path.exists():
            continue
        folder = path.parent.as_posix()
        allowed = {folder, *MAY_INCLUDE.get(folder, [])}
        if folder not in MAY_INCLUDE:
            problems.append(f"{path}: no row for folder {folder} in {__file__}")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            kind, name = match.groups()
            for pattern, users in ONE_USER.items():
                if re.match(pattern, name) and not re.fullmatch(users, path.as_posix()):
                    problems.append(f"{path}:{number}: only {users} may include {name}")
            if kind == '"' and "/" in name and not name.endswith(".pb-c.h"):
                if pathlib.PurePosixPath(name).parent.as_posix() not in allowed:
                    problems.append(f"{path}:{number}: {folder} may not include {name}")
            elif kind == '"' and "/" not in name:
                problems.append(f"{path}:{number}: include by full path, not {name}")


def check_pure(objects: pathlib.Path, problems: list[str]) -> int:
    seen = 0
    for pattern in PURE:
        for path in sorted(objects.glob(pattern + ".o")):
            seen += 1
            out = subprocess.run(
                ["nm", "-u", str(path)], capture_output=True, text=True, check=True
            )
            for symbol in out.stdout.split():
                if IMPURE.match(symbol.split("@")[0]):
                    problems.append(f"{path.relative_to(objects)}: pure, but calls {symbol}")
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=pathlib.Path, default=pathlib.Path("build/release/obj"))
    args = parser.parse_args()
    problems: list[str] = []
    check_includes(problems)
    seen = check_pure(args.objects, problems)
    for problem in problems:
        print(problem)
    if seen == 0:
        problems.append("no object to check")
    print(f"layers: {len(problems)} problems, {seen} pure objects")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
