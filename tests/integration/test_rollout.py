"""A model is changed while it is served: its replicas are replaced one after the other, and no request
fails; a version that does not work replaces none."""

import json
import pathlib
import signal

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


def model(weights="small.bin", warm_up=50, replicas=3, latency=None, startup="20s"):
    text = MODEL.format(weights=weights, replicas=replicas, startup=startup)
    text = text.replace('warmUp: "50"', f'warmUp: "{warm_up}"').replace("surge: 2", "surge: 1")
    return text + (f"  slo: {{latency: {latency}}}\n" if latency else "")


def status(rack):
    return rack.api.status("servedmodels")["small"]


def command_lines(rack):
    """node -> the command lines of the replicas on it."""
    pids = {name: node.pids("classifier-serve") for name, node in rack.nodes.items()}
    return [
        pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        for of_node in pids.values()
        for pid in of_node
    ]


def pids(rack):
    return {name: node.pids("classifier-serve") for name, node in rack.nodes.items()}


def all_run(rack, warm_up, replicas=3):
    try:
        lines = command_lines(rack)
    except FileNotFoundError:  # one of them has just ended
        return False
    return len(lines) == replicas and all(f"--warm-up {warm_up} " in f"{x} " for x in lines)


def complete(rack, generation):
    now = status(rack)
    return now["observedGeneration"] == generation and now["rollout"]["state"] == "complete"


def events(rack, reason):
    return [e["message"] for e in rack.api.items("events") if e["reason"] == reason]


@in_lab(180)
def test_changed_argument_under_traffic():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=3) as rack:
        apply(rack, model())
        rack.wait("surge 1", lambda: status(rack)["observedGeneration"] == 2, 10)
        load = steady(rack, 30)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 50)
        before, fewest = pids(rack), [3]

        def done():
            now = status(rack)
            fewest.append(now["ready"])
            staying = now["updatedReplicas"] + now["outdatedReplicas"]
            assert staying <= 3 + 1, f"surge is 1, and {staying} stay"
            return complete(rack, 3) and all_run(rack, 60)

        apply(rack, model(warm_up=60))
        rack.wait("the new version everywhere", done, 90)
        assert min(fewest) >= 3, fewest
        assert not {p for of in before.values() for p in of} & {
            p for of in pids(rack).values() for p in of
        }
        assert len(acts(rack, "renew")) == 3, acts(rack, "renew")
        assert len(events(rack, "RollOutComplete")) == 1
        wide = rack.ctl("get", "servedmodels", "-o", "wide").stdout.splitlines()
        column = wide[0].index("UP-TO-DATE")
        assert wide[1][column:].split()[:2] == ["3", "complete"], wide

        served = pids(rack)  # what concerns no process replaces none
        apply(rack, model(warm_up=60, latency="3s"))
        rack.wait("the change taken over", lambda: complete(rack, 4), 10)
        answered = load.progress["answered"]
        rack.wait("requests", lambda: load.progress["answered"] > answered + 150)
        assert pids(rack) == served
        assert_all_answered(load.stop())


@in_lab(180)
def test_controller_killed_in_mid_roll_out():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=3) as rack:
        load = steady(rack, 20)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 20)
        apply(rack, model(warm_up=70))
        rack.wait("a first new one", lambda: status(rack)["updatedReplicas"] >= 1, 30)
        rack.controller_end(signal.SIGKILL)
        rack.controller_start()
        rack.wait("the controller", lambda: rack.api.request("GET", "/readyz"))
        rack.wait("the new version everywhere", lambda: all_run(rack, 70), 90)
        rack.wait("the roll-out complete", lambda: complete(rack, 2), 30)
        replaced = [row["reason"] for row in acts(rack, "renew")]
        assert len(replaced) == len(set(replaced)) == 3, replaced
        assert_all_answered(load.stop())


@in_lab(180)
def test_version_that_never_becomes_ready():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=2) as rack:
        load = steady(rack, 20)
        before = hosts(rack)
        apply(rack, model(weights="absent.bin", replicas=2, startup="4s"))
        rack.wait("the roll-out stalled", lambda: status(rack)["rollout"]["stalled"], 60)
        assert "absent.bin" in events(rack, "ReplicaGivenUp")[0], events(rack, "ReplicaGivenUp")
        assert len(events(rack, "RollOutStalled")) == 1
        progressing = [c for c in status(rack)["conditions"] if c["type"] == "Progressing"][0]
        assert (progressing["status"], progressing["reason"]) == ("False", "RollOutStalled")
        assert "absent.bin" in progressing["message"], progressing
        assert hosts(rack) == before, "the old replicas are kept"
        described = rack.ctl("describe", "servedmodel", "small").stdout
        assert "stalled" in described and "absent.bin" in described, described
        explained = rack.ctl("explain", "servedmodel", "small").stdout
        assert "absent.bin" in explained, explained

        victim = sorted(before.values())[0]  # what works is still moved where it is needed
        rack.ctl("drain", victim)
        rack.wait(
            "the old version elsewhere",
            lambda: victim not in hosts(rack).values() and rack.ready()["small"] == 2,
            60,
        )
        assert status(rack)["updatedReplicas"] == 0
        rack.ctl("uncordon", victim)

        apply(rack, model(warm_up=60, replicas=2))  # the cure is tried at once
        rack.wait("the new version", lambda: all_run(rack, 60, 2) and complete(rack, 3), 60)
        rack.wait("no process too many", lambda: count_processes(rack) == 2, 30)
        assert_all_answered(load.stop())


@in_lab(180)
def test_changed_back_in_mid_roll_out():
    from tests.lab.traffic import steady

    with rack_of(3, replicas=3) as rack:
        load = steady(rack, 20)
        rack.wait("requests", lambda: load.progress.get("answered", 0) > 20)
        apply(rack, model(warm_up=70))
        rack.wait("a first new one", lambda: acts(rack, "renew"), 30)
        apply(rack, model())
        rack.wait("the first version everywhere", lambda: all_run(rack, 50), 90)
        rack.wait("the roll-out complete", lambda: complete(rack, 3), 30)
        result = load.stop()
        assert_all_answered(result)
        print(json.dumps(result)[:300])
