"""Replicas on a rack and the agents that look after them: what outlives an agent, why one could not be
started, what never becomes ready or hangs, and whose port it is."""

import contextlib
import datetime
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from tests.lab.enter import in_lab
from tests.lab.lab import CONTROLLER_ADDRESS
from tests.lab.serving import MODEL, acts, apply, assert_all_answered, hosts, rack_of
from tests.lab.traffic import steady

OTHER = """\
apiVersion: huddle.energy/v1alpha1
kind: ServedModel
metadata: {{name: {name}}}
spec:
  runtime: {runtime}
  {port}
  replicas: {{min: 1, max: 1}}
  capacity: {{requestsPerSecond: 40}}
  resources: {{cpu: 10m, memory: 32Mi}}
  readiness: {{type: http, path: /healthz, period: 200ms, timeout: 1s, startup: 4s}}
  drain: {{timeout: 10s, grace: 1s}}
---
"""

# Answers everything with 200, as a replica would, and counts what it was asked: probes, requests.
STRANGER = """\
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        with open(sys.argv[2], "a") as file:
            file.write(self.command + " " + self.path + "\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = answer
    def log_message(self, *unused): pass
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
pathlib.Path(sys.argv[2]).touch()
server.serve_forever()
"""


def other(name, runtime=None, port=None):
    line = f"port: {port}" if port else "labels: {}"
    return OTHER.format(name=name, runtime=runtime or name, port=line).replace("  labels: {}\n", "")


def add_runtime(rack, name, program, **more):
    """On every node, before it is switched on."""
    for node in rack.nodes.values():
        lines = [f"name: {name}", f"exec: {program}"] + [f"{k}: {v}" for k, v in more.items()]
        (node.folder / "runtimes.d" / f"{name}.yaml").write_text("\n".join(lines) + "\n")


def add_script(rack, name, body, mode=0o755):
    file = rack.bin / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(mode)
    add_runtime(rack, name, file)


def start_ticks(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


def processes(rack):
    """Each replica's process with its start time: a pid alone may be another's by now."""
    pids = (pid for node in rack.nodes.values() for pid in node.pids("classifier-serve"))
    return {pid: start_ticks(pid) for pid in pids}


def agents(rack):
    return {pid for node in rack.nodes.values() for pid in node.pids("huddle-agent")}


def log_of(node):
    return (node.folder / "agent.log").read_text()


def logged_at(node, message):
    """When the agent said so first, in seconds."""
    line = next(line for line in log_of(node).splitlines() if f'msg="{message}"' in line)
    return datetime.datetime.fromisoformat(line.split()[0].removeprefix("time=")).timestamp()


def replicas_of(rack, model):
    items = rack.api.items("replicas")
    return [item["status"] for item in items if item["spec"]["model"] == model]


def given_up(rack):
    """model -> what the first event said that gave a replica of it up."""
    said = {}
    for event in rack.api.items("events"):
        if event["reason"] == "ReplicaGivenUp":
            said.setdefault(event["message"].split()[1], event["message"])
    return said


def see(rack, until, limit_s):
    """What the statuses say, model -> {(phase, reason)}, until `until` is true."""
    seen = {}

    def look():
        for item in rack.api.items("replicas"):
            status = item["status"]
            states = seen.setdefault(item["spec"]["model"], set())
            states.add((status["phase"], status["reason"]))
        return until()

    rack.wait("what is to be seen", look, limit_s)
    return seen


def said_in(seen, model, phase, text):
    return any(p == phase and text in reason for p, reason in seen.get(model, ()))


# --- an agent that ends ---


def agents_replaced(how, upgrade=False):
    with rack_of(2) as rack:
        load = steady(rack, 20)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 40)
        before, old_agents, served_by = processes(rack), agents(rack), hosts(rack)
        assert len(before) == 2 and len(old_agents) == 2
        program = rack.bin / "huddle-agent"
        if upgrade:
            shutil.copy2(program, rack.bin / "new")
            os.replace(rack.bin / "new", program)
        for node in rack.nodes.values():
            assert node.kill("huddle-agent", how) == 1
        rack.wait("new agents", lambda: len(agents(rack) - old_agents) == 2, 20)
        for pid in agents(rack):
            assert os.stat(f"/proc/{pid}/exe").st_ino == program.stat().st_ino
        adopted = lambda: sum(log_of(n).count("replica adopted") for n in rack.nodes.values())
        rack.wait("adoption", lambda: adopted() == 2)
        answered = load.progress["answered"]
        rack.wait("requests", lambda: load.progress["answered"] > answered + 100)
        rack.wait("the replicas known", lambda: hosts(rack) == served_by)
        assert processes(rack) == before, "the same processes, not others like them"
        assert all(s["restarts"] == 0 for s in replicas_of(rack, "small"))
        assert len(acts(rack, "start")) == 2, "nothing was started in their place"

        left = sorted(served_by.values())[0]  # and adopted ones are stopped as any other
        node = rack.nodes[left]
        moved = set(node.pids("classifier-serve"))
        rack.ctl("drain", left)
        rack.wait(
            "the move",
            lambda: left not in hosts(rack).values() and rack.ready()["small"] == 2,
            60,
        )
        rack.wait("their end", lambda: not node.pids("classifier-serve"), 30)
        rack.wait("no records", lambda: not list(node.folder.glob("state/replicas/*/record")))
        assert processes(rack).keys() & before.keys() == before.keys() - moved
        # The model names no metrics page, and drain.timeout is 10 s: no connection was left.
        drained_s = logged_at(node, "replica is gone") - logged_at(node, "replica drains")
        assert 2 <= drained_s < 9, f"drained for {drained_s:g} s"
        assert_all_answered(load.stop())


@in_lab(180)
def test_replicas_survive_a_killed_agent():
    agents_replaced(signal.SIGKILL)


@in_lab(180)
def test_replicas_survive_an_upgrade_of_the_agent():
    agents_replaced(signal.SIGTERM, upgrade=True)


# --- starts that fail ---


@in_lab(240)
def test_why_a_start_failed():
    def prepare(rack):
        add_runtime(rack, "absent", rack.bin / "absent")
        add_script(rack, "plain", "exit 0", mode=0o644)
        add_script(rack, "exits", "echo the licence has expired >&2; exit 3")
        add_script(rack, "dies", "kill -SEGV $$")
        add_script(rack, "whose", "exit 0")
        add_runtime(rack, "whose", rack.bin / "whose", user="nosuchuser")

    # model -> what its event and its status say; the phase in which its status says it
    expected = {
        "absent": ("failed", "bin/absent: No such file or directory"),
        "plain": ("failed", "bin/plain: Permission denied"),
        "exits": ("backoff", "exited with code 3; its last words: the licence has expired"),
        "dies": ("backoff", "killed by signal 11 (SIGSEGV)"),
        "whose": ("failed", "user nosuchuser: this node knows no such user"),
    }
    with rack_of(1, replicas=0, prepare=prepare) as rack:
        apply(rack, "".join(other(name) for name in expected))
        seen = see(rack, lambda: given_up(rack).keys() >= expected.keys(), 90)
        said = given_up(rack)
        for name, (phase, why) in expected.items():
            assert why in said[name], said[name]
            assert said_in(seen, name, phase, why), (name, seen[name])
            assert not any(p in ("ready", "unready") for p, _ in seen[name]), (name, seen[name])
        # What ends by itself is tried again before it is given up, what cannot be started is not.
        log = log_of(rack.nodes["n1"])
        assert log.count('msg="replica ended by itself"') >= 4
        assert "expired | the licence" not in log, "last words of an earlier run"
        assert log.count("user nosuchuser") == 1


# --- never ready, and not ready any more ---


@in_lab(180)
def test_replica_that_never_listens_is_given_up_and_killed():
    def prepare(rack):
        add_script(rack, "deaf", "trap '' TERM; while :; do sleep 0.2; done")

    with rack_of(2, prepare=prepare) as rack:
        load = steady(rack, 20)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 40)
        before, served_by = processes(rack), hosts(rack)
        changed = MODEL.format(weights="small.bin", replicas=2, startup="4s")
        changed = changed.replace("runtime: classifier", "runtime: deaf")
        apply(rack, "\n".join(l for l in changed.splitlines() if "arguments:" not in l))
        rack.ctl("drain", sorted(served_by.values())[0])  # its replica has to move, and cannot
        rack.wait("giving up", lambda: given_up(rack), 60)
        message = given_up(rack)["small"]
        assert "onnect" in message, message  # why, whether the agent's clock ended it or ours
        assert served_by.items() <= hosts(rack).items(), "the old ones are kept"
        assert before.items() <= processes(rack).items()
        rack.wait("SIGKILL", lambda: not any(n.pids("deaf") for n in rack.nodes.values()), 30)
        assert_all_answered(load.stop())


@in_lab(180)
def test_replica_that_hangs_is_started_anew():
    with rack_of(1, replicas=0) as rack:
        node = rack.nodes["n1"]
        apply(rack, MODEL.format(weights="small.bin", replicas=1, startup="3s"))
        rack.wait("a ready replica", lambda: rack.ready()["small"] == 1, 60)
        pauses = []
        for renewals in (1, 2):
            (pid,) = node.pids("classifier-serve")
            os.kill(pid, signal.SIGSTOP)
            seen = see(rack, lambda: node.pids("classifier-serve") != [pid], 40)
            ended = time.monotonic()
            assert said_in(seen, "small", "unready", "")
            rack.wait("its successor", lambda: node.pids("classifier-serve"), 20)
            pauses.append(time.monotonic() - ended)
            rack.wait("a ready replica", lambda: rack.ready()["small"] == 1, 30)
            assert [s["restarts"] for s in replicas_of(rack, "small")] == [renewals]
        log = log_of(node)
        assert log.count("it does not become ready") == 2 and "not ready for 3000 ms" in log
        assert pauses[0] > 0.5 and pauses[1] > 1.5, f"it backs off further each time: {pauses}"
        assert len(acts(rack, "start")) == 1, "the same replica, not another one"


# --- whose port ---


@contextlib.contextmanager
def stranger(rack, node, port, name):
    """Somebody on the node listens on the port; the file with what he was asked."""
    file = rack.folder / name
    inside = str(node.pids("huddle-agent")[0])
    words = ["nsenter", "-t", inside, "-n", sys.executable, "-c", STRANGER, str(port), str(file)]
    process = subprocess.Popen(words)
    try:
        rack.wait("the stranger", file.exists)
        yield file
    finally:
        process.kill()
        process.wait()


def asked_for_work(file):
    return [line for line in file.read_text().splitlines() if line.startswith("POST")]


@in_lab(180)
def test_port_of_a_stranger_is_not_taken():
    with rack_of(1, replicas=0) as rack:
        node = rack.nodes["n1"]
        rack.wait("the agent", lambda: rack.node_states().get("n1") == "awake")
        changed = MODEL.format(weights="small.bin", replicas=1, startup="20s")
        with stranger(rack, node, 8001, "asked") as asked:
            apply(rack, changed.replace("spec:\n", "spec:\n  port: 8001\n", 1))
            seen = see(rack, lambda: given_up(rack), 30)
            message = given_up(rack)["small"]
            assert "port 8001 is taken: a process of user 0 listens there" in message, message
            assert said_in(seen, "small", "failed", "port 8001 is taken")
            assert not any(phase in ("ready", "unready") for phase, _ in seen["small"])
            assert not node.pids("classifier-serve")
        assert asked.read_text() == ""


@in_lab(180)
def test_another_port_is_tried_where_any_will_do():
    with rack_of(1, replicas=0) as rack:
        node = rack.nodes["n1"]
        rack.wait("the agent", lambda: rack.node_states().get("n1") == "awake")
        with stranger(rack, node, 20000, "asked"):
            apply(rack, MODEL.format(weights="small.bin", replicas=1, startup="20s"))
            begin = time.monotonic()
            rack.wait("it", lambda: [r for r in rack.api.items("replicas") if r["status"]["ready"]])
            assert time.monotonic() - begin < 40  # no pause of a minute
            ready = next(r for r in rack.api.items("replicas") if r["status"]["ready"])
            assert ready["spec"]["port"] == 20001
            assert "PortTaken" in [e["reason"] for e in rack.api.items("events")]


@in_lab(180)
def test_stranger_on_a_replicas_port_does_not_look_ready():
    """The replica runs and loads, and meanwhile somebody else takes its port and answers its probe."""

    def prepare(rack):
        add_script(rack, "slow", "exec sleep 1000")

    with rack_of(1, replicas=0, prepare=prepare) as rack:
        node = rack.nodes["n1"]
        rack.wait("the agent", lambda: rack.node_states().get("n1") == "awake")
        apply(rack, other("slow", port=8002).replace("startup: 4s", "startup: 10s"))
        rack.wait("its process", lambda: node.pids("sleep"))
        with stranger(rack, node, 8002, "asked") as asked:
            load = subprocess.Popen(
                [
                    "sh",
                    "-c",
                    f"while :; do curl -s -m 1 -H 'Host: slow' -d '[]' "
                    f"http://{CONTROLLER_ADDRESS}:8080/v1/predict >/dev/null; sleep 0.1; done",
                ]
            )
            try:
                seen = see(rack, lambda: given_up(rack), 40)
            finally:
                load.kill()
                load.wait()
            assert "port 8002 is taken" in given_up(rack)["slow"], given_up(rack)
            assert not any(phase in ("ready", "unready") for phase, _ in seen["slow"]), seen
            assert "GET /healthz" in asked.read_text(), "the probe did ask him"
            assert not asked_for_work(asked), "a request was sent to a stranger"
