"""Faults on a rack of real programs: while things break, requests keep being answered, and afterwards
the rack is again as it was declared. Issue by issue: what is killed here is killed with SIGKILL."""

import contextlib
import os
import signal
import subprocess

from tests.lab.enter import in_lab
from tests.lab.serving import (
    MODEL,
    acts,
    apply,
    assert_all_answered,
    count_processes,
    hosts,
    rack_of,
)


def controller_killed_and_back(rack):
    rack.controller_end(signal.SIGKILL)
    rack.controller_start()
    rack.wait("the controller", lambda: rack.api.request("GET", "/readyz"))


@in_lab(180)
def test_controller_killed_in_mid_move():
    from tests.lab.traffic import steady

    with rack_of(3) as rack:
        load = steady(rack, 20)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 20)
        victim = sorted(hosts(rack).values())[0]
        rack.ctl("drain", victim)
        rack.wait("a move begun", lambda: acts(rack, "move"))
        controller_killed_and_back(rack)
        rack.wait(
            "the move done",
            lambda: victim not in hosts(rack).values() and rack.ready()["small"] == 2,
            60,
        )
        rack.wait("no process too many", lambda: count_processes(rack) == 2, 30)
        moved = [row["reason"] for row in acts(rack, "move")]  # "moves REPLICA here from node NODE"
        assert len(moved) == len(set(moved)), f"a move was begun twice: {moved}"
        assert_all_answered(load.stop())


@in_lab(180)
def test_controller_killed_in_mid_sleep():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=1, min_awake=1) as rack:
        load = steady(rack, 15)
        busy = set(hosts(rack).values())
        rack.wait(
            "a node on its way down",
            lambda: set(rack.node_states().values()) & {"preparing", "sleeping"},
            90,
        )
        controller_killed_and_back(rack)
        rack.wait("sleepers", lambda: "asleep" in rack.node_states().values(), 90)
        states = rack.node_states()
        for name, state in states.items():
            if state == "asleep":
                rack.wait("power off", lambda n=name: rack.nodes[n].state == "off", 10)
        assert all(rack.nodes[name].state == "on" for name in busy)
        for name in rack.nodes:
            steps = [(row["op"], row["transition"]) for row in acts(rack, "sleep", name)]
            assert len(steps) == len(
                set(steps)
            ), f"{name} was put to sleep twice by one op: {steps}"
            assert rack.nodes[name].boots <= 2
        assert_all_answered(load.stop())


@in_lab(180)
def test_controller_killed_in_mid_wake():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=1, min_awake=1) as rack:
        load = steady(rack, 15)
        rack.wait("a sleeper", lambda: "asleep" in rack.node_states().values(), 90)
        sleeper = next(n for n, s in rack.node_states().items() if s == "asleep")
        rack.ctl("wake", sleeper)
        rack.wait("waking", lambda: rack.node_states()[sleeper] in ("waking", "awake"), 10)
        boots = rack.nodes[sleeper].boots
        controller_killed_and_back(rack)
        rack.wait("the node awake", lambda: rack.node_states()[sleeper] == "awake", 60)
        assert rack.nodes[sleeper].boots <= boots + 1, "woken more than once"
        assert_all_answered(load.stop())


@in_lab(180)
def test_replicas_serve_while_the_controller_is_away():
    from tests.lab.traffic import steady

    with rack_of(2) as rack:
        load = steady(rack, 20)
        pids = {name: node.pids("classifier-serve") for name, node in rack.nodes.items()}
        rack.controller_end(signal.SIGKILL)
        answered = load.progress.get("answered", 0)
        rack.wait("requests", lambda: load.progress["answered"] > answered + 100, 30)
        rack.controller_start()
        rack.wait("the replicas seen again", lambda: rack.ready()["small"] == 2, 30)
        assert pids == {name: node.pids("classifier-serve") for name, node in rack.nodes.items()}
        assert_all_answered(load.stop())


@in_lab(180)
def test_agent_killed_and_its_replicas_adopted():
    from tests.lab.traffic import steady

    with rack_of(2) as rack:
        load = steady(rack, 20)
        pids = {name: node.pids("classifier-serve") for name, node in rack.nodes.items()}
        starts = len(acts(rack, "start"))
        for node in rack.nodes.values():
            assert node.kill("huddle-agent") == 1
        rack.wait(
            "agents", lambda: all(node.pids("huddle-agent") for node in rack.nodes.values()), 10
        )
        answered = load.progress.get("answered", 0)
        rack.wait("requests", lambda: load.progress["answered"] > answered + 100, 30)
        rack.wait("the replicas known", lambda: rack.ready()["small"] == 2, 30)
        assert pids == {name: node.pids("classifier-serve") for name, node in rack.nodes.items()}
        assert len(acts(rack, "start")) == starts
        assert_all_answered(load.stop())


@in_lab(180)
def test_node_lost_with_its_replicas():
    with rack_of(3) as rack:
        lost = sorted(hosts(rack).values())[0]
        rack.switch("force-off", lost)
        rack.wait(
            "replicas elsewhere",
            lambda: rack.ready()["small"] == 2 and lost not in hosts(rack).values(),
            90,
        )
        assert rack.node_states()[lost] != "awake"


@in_lab(180)
def test_front_door_killed():
    with rack_of(2) as rack:
        before = hosts(rack)
        pids = haproxy_pids()
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        rack.wait("a new front door", lambda: set(haproxy_pids()) - set(pids), 20)
        from tests.lab.traffic import answers, steady

        rack.wait("an answer through it", lambda: answers("small"), 20)
        rack.wait("the same replicas behind it", lambda: hosts(rack) == before, 30)
        load = steady(rack, 20)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 100, 30)
        assert_all_answered(load.stop())
        assert not acts(rack, "drain"), "a front door that is away must not take anything away"


def haproxy_pids():
    done = subprocess.run(["pgrep", "-x", "haproxy"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


@in_lab(180)
def test_disk_full():
    from tests.lab.traffic import steady

    def fill(rack):
        try:
            (rack.state / "filler").write_bytes(b"\0" * (48 << 20))
        except OSError:
            pass
        with (rack.state / "filler").open("ab") as file:  # to the last byte
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), b"\0" * 512)

    with rack_of(3, replicas=1, min_awake=1) as rack:
        load = steady(rack, 15)
        rack.wait("a sleeper", lambda: "asleep" in rack.node_states().values(), 90)
        sleeper = next(n for n, s in rack.node_states().items() if s == "asleep")
        cluster = lambda: next(iter(rack.api.status("clusters").values()))

        def cannot_store():
            fill(rack)  # again, when the store has given up its ballast
            rack.ctl("cordon", next(iter(hosts(rack).values())), check=False)  # wants to be stored
            rack.ctl("uncordon", next(iter(hosts(rack).values())), check=False)
            return cluster()["degraded"]

        rack.wait("wake-only", cannot_store, 60)
        rack.ctl("wake", sleeper, check=False)  # waking works without a disk
        rack.wait("the node woken", lambda: rack.nodes[sleeper].state == "on", 30)
        (rack.state / "filler").unlink()
        rack.controller_end()
        rack.controller_start()
        rack.wait("the controller well again", lambda: not cluster()["degraded"], 60)
        rack.wait("the replica", lambda: rack.ready()["small"] == 1, 30)
        assert_all_answered(load.stop())
