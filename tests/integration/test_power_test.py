"""huddlectl power test on a rack of real programs whose pool nobody vouches for: nodes that come back,
one that never does, and a power driver that is wired to another machine."""

from __future__ import annotations

import signal
import subprocess

from tests.lab.enter import in_lab
from tests.lab.rack import Rack
from tests.lab.serving import RACK, acts, apply, assert_all_answered, hosts, rack_of

# A proven node is not put to sleep at once, and none is woken because a report comes late.
UNPROVEN = RACK.replace("  wakeProven: true\n", "").replace("cooldown: 3s", "cooldown: 5m")
UNPROVEN = UNPROVEN.format(min_awake=0)

# Of two nodes each is reached at the other's address.
CROSSED = """\
#!/bin/sh
case $2 in
n1) exec /mnt/lab/bin/lab-power "$1" n2 ;;
n2) exec /mnt/lab/bin/lab-power "$1" n1 ;;
*) exec /mnt/lab/bin/lab-power "$1" "$2" ;;
esac
"""


def unproven(rack: Rack, program: str = "lab-power") -> None:
    rack.wait("its nodes", lambda: list(rack.node_states().values()) == ["awake"] * len(rack.nodes))
    apply(rack, UNPROVEN.replace("bin/lab-power", f"bin/{program}"))


def status(rack: Rack, name: str) -> dict:
    return rack.api.status("nodes")[name]


def ctl_begin(rack: Rack, *words: str) -> subprocess.Popen[str]:
    """huddlectl, not waited for."""
    return subprocess.Popen(
        [str(rack.bin / "huddlectl"), *words],
        env=rack.ctl_env(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def asked(rack: Rack, name: str) -> str:
    return rack.ctl("power", "test", name, "--wait=false", check=False).stdout


def refused(rack: Rack, name: str, *why: str) -> None:
    """By one of these. On a busy machine a report may come late, and then that is told first."""

    def told() -> bool:
        answer = rack.ctl("power", "test", name, "--wait=false", check=False)
        assert answer.returncode == 1, answer.stdout
        return any(text in answer.stderr for text in why)

    rack.wait(" or ".join(why), told, 30)


@in_lab(240)
def test_nodes_that_come_back():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=1) as rack:
        busy = next(iter(hosts(rack).values()))
        unproven(rack)
        load = steady(rack, 15)
        sleep = rack.ctl("sleep", busy, check=False)
        assert sleep.returncode == 1 and "huddlectl power test does" in sleep.stderr
        boots = {name: node.boots for name, node in rack.nodes.items()}

        words = ("power", "test", busy, "--cycles", "2", "--reason", "new rack")
        rack.wait(  # the model may still be below its floor
            "its leave", lambda: rack.ctl(*words, "--wait=false", check=False).returncode == 0, 30
        )
        done = rack.ctl(*words, check=False)  # joins it
        assert done.returncode == 0, done.stderr
        assert f"node/{busy} waking is proven: 2 cycles, off after " in done.stdout, done.stdout
        assert "cycle 1 of 2, draining" in done.stderr and "cycle 2 of 2, waking" in done.stderr
        assert rack.nodes[busy].boots == boots.pop(busy) + 2
        assert all(rack.nodes[name].boots == n for name, n in boots.items()), "another one slept"

        proof = status(rack, busy)["wakeProof"]
        assert proof["basis"] == "test" and proof["cycles"] == 2, proof
        assert 0 < proof["sleepS"]["p50"] <= proof["sleepS"]["worst"] < 30, proof
        assert 1 <= proof["wakeS"]["p50"] <= proof["wakeS"]["worst"] < 30, proof
        assert proof["cycleJ"] > 0 and proof["identity"]["machineId"], proof
        assert status(rack, busy)["curve"]["wakes"] == 2
        assert [row["by"] for row in acts(rack, "power-test", busy)] == ["admin", "admin"]
        assert all(row["by"] == "admin" for row in acts(rack, "sleep", busy))
        lines = rack.ctl("get", "nodes", "-o", "wide").stdout.splitlines()
        wide = {line.split()[0]: line.split() for line in lines}
        assert "PROVEN" in wide["NAME"] and "test" in wide[busy]
        assert "none" in wide[next(iter(boots))]
        described = rack.ctl("describe", "node", busy).stdout
        assert "Waking proven by:" in described and "to wake, worst:" in described, described

        other = next(iter(boots))
        waiting = ctl_begin(rack, "power", "test", other)
        rack.wait("on its way", lambda: rack.node_states()[other] in ("sleeping", "asleep"), 60)
        rack.controller_end(signal.SIGKILL)
        rack.controller_start()
        out, err = waiting.communicate(timeout=90)
        assert waiting.returncode == 0 and "waking is proven: 1 cycle" in out, out + err
        assert_all_answered(load.stop())


@in_lab(240)
def test_interrupted_and_stopped():
    with rack_of(2, replicas=0) as rack:
        unproven(rack)
        waiting = ctl_begin(rack, "power", "test", "n1", "--cycles", "20")
        rack.wait("asleep", lambda: rack.node_states()["n1"] == "asleep", 60)
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=10)
        assert waiting.returncode == 1
        assert "the test goes on" in err and "huddlectl wake n1 stops it" in err, err
        assert status(rack, "n1")["wakeTest"]["state"] == "running"
        rack.ctl("wake", "n1", "--wait")
        assert status(rack, "n1")["wakeTest"]["message"] == "stopped by admin"
        wrong = rack.ctl("power", "test", "n1", "--cycles", "0", check=False)
        assert wrong.returncode == 2 and "--cycles: expected 1 to 20" in wrong.stderr
        rack.wait("n2 asked", lambda: asked(rack, "n2") == "node/n2 is being tested\n", 30)


@in_lab(240)
def test_one_that_never_comes_back():
    with rack_of(2, replicas=0) as rack:
        unproven(rack)
        rack.ctl("power", "test", "n1")  # from then on its boot time is known
        rack.nodes["n1"].command = ["sleep", "600"]  # its next boot ends there
        rack.wait("leave", lambda: asked(rack, "n1") == "node/n1 is being tested\n", 30)
        failed = rack.ctl("power", "test", "n1", check=False)  # joins it
        assert failed.returncode == 1
        assert "wake test failed after 0 of 1 cycles: " in failed.stderr, failed.stderr
        assert "its agent did not come back: it does not boot, or" in failed.stderr
        assert rack.node_states()["n1"] == "quarantined"
        refused(rack, "n2", "node n1 of its pool did not come back from its test")
        assert rack.nodes["n2"].state == "on" and rack.nodes["n2"].boots == 1
        assert status(rack, "n1")["wakeProof"]["basis"] == "refuted"
        warnings = rack.ctl("events", "--for", "node/n1", "--type", "Warning").stdout
        assert "WakeTestFailed" in warnings and "NodeQuarantined" in warnings


@in_lab(240)
def test_crossed_wiring():
    with rack_of(2, replicas=0) as rack:
        program = rack.bin / "crossed"
        program.write_text(CROSSED)
        program.chmod(0o755)
        unproven(rack, "crossed")
        failed = rack.ctl("power", "test", "n1", check=False)
        assert failed.returncode == 1
        assert "its agent is gone, but its driver still reads on: " in failed.stderr, failed.stderr
        assert "the driver seems to switch another machine" in failed.stderr
        assert rack.nodes["n1"].state == "off"
        assert rack.nodes["n2"].state == "on" and rack.nodes["n2"].boots == 1, "not one machine"

        # A person mends the wires and presses the button: then it is proven.
        apply(rack, UNPROVEN)
        rack.switch("on", "n1")
        rack.wait("n1 back", lambda: rack.node_states()["n1"] == "awake", 60)
        assert "its last wake test failed" in status(rack, "n1")["whyNotAsleep"]
        rack.ctl("power", "test", "n1")
        assert status(rack, "n1")["wakeProof"]["basis"] == "test"
