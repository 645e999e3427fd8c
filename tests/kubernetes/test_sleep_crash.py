"""A controller that acts is killed in each phase of a node's sleep, and all that it kept goes: another one
leads, goes on from the NodePower, and nothing is left behind."""

from __future__ import annotations

import shutil
import signal

from tests.kubernetes.test_lead import LEASE
from tests.kubernetes.test_sleep import ASLEEP, FOREIGN, LONG_S, NAMESPACE, Stage, _stage

__all__ = ["_stage"]  # the fixture `stage`

NAME = "hollow-3"
ORDER = ["draining", "empty", "preparing", "sleeping", "asleep", "waking"]


def replace_controller(stage: Stage) -> None:
    """kill -9 and an empty store; returns when the next one leads. That one need not wait until the Lease
    of the dead one has expired: test_lead.py and test_crash.py have some that do."""
    ctl = stage.ctl
    epoch = ctl.list("clusters")[0]["status"]["lead"]["epoch"]
    ctl.controller.stop(signal.SIGKILL)
    shutil.rmtree(ctl.folder / "state")
    stage.api.patch("leases", LEASE, {"spec": {"holderIdentity": ""}}, NAMESPACE)
    ctl.start()
    ctl.wait("that it leads", ctl.leads, LONG_S)
    assert ctl.list("clusters")[0]["status"]["lead"]["epoch"] > epoch


def test_a_controller_that_is_killed_in_any_phase(stage: Stage) -> None:
    api, ctl = stage.api, stage.ctl
    api.patch("nodes", NAME, {"spec": {"taints": [FOREIGN]}})
    for at, state in enumerate(ORDER):
        if state == "waking":
            ctl.reach(NAME, "asleep")
            ctl.ok("wake", NAME)
            ctl.wait_state(NAME, "waking", "awake")
        else:
            ctl.reach(NAME, *ORDER[at:])
        replace_controller(stage)
        if ctl.wait_state(NAME, "awake", "asleep") == "asleep":
            assert stage.machines.power(NAME) == "off"
            assert stage.taints(NAME) == [FOREIGN, ASLEEP]
            ctl.ok("wake", NAME)
        stage.wait_awake(NAME)
        assert stage.machines.power(NAME) == "on"
        assert stage.taints(NAME) == [FOREIGN]
        api.wait_for(
            "its NodePower", lambda: stage.power(NAME)["status"]["phase"] == "awake", LONG_S
        )
        assert stage.power(NAME)["spec"]["desired"] == "awake"
