"""Nodes of a rack whose power goes through BMCs: huddle whole, the driver redfish, and once our own BMC
with its quirks, once OpenStack's emulator. Off ends all that runs in the node."""

from __future__ import annotations

import contextlib
import os

import pytest

from tests.lab import sushy
from tests.lab.bmc import PASSWORD, USER, Bmc, fingerprint
from tests.lab.enter import in_lab
from tests.lab.lab import CONTROLLER_ADDRESS
from tests.lab.rack import Rack
from tests.lab.serving import RACK, apply, rack_of

# Nobody vouches for it; and of nodes that are proven none sleeps by itself within the test.
POOL = RACK.replace("  wakeProven: true\n", "").replace("cooldown: 3s", "cooldown: 5m")
POOL = POOL.format(min_awake=0)
EXEC = POOL[POOL.index("    type: exec") : POOL.index("  boot:")]
TEST = ("power", "test", "n1")
SYSTEMS = "/redfish/v1/Systems"
UUIDS = {"n1": "27946b59-9e44-4fa7-8e91-f3527a1ef094", "n2": "5ac26b4c-6ee4-4e2e-9c1f-0a3f7f3b8a11"}
# Of the password "emulated": made anew each time it would cost a second.
HASHED = "$2b$04$YWA5KcOQktHZB5eeAY27U.tUjoCndsHgjc0QhRWNBQF5BZIAnBgU2"


def through_redfish(rack: Rack, origin: str, user: str, password: str, **settings: str) -> None:
    """Puts the pool, with this BMC for all."""
    rack._write("secrets/bmc", password)
    lines = [f"      {key}: '{value}'" for key, value in settings.items()]
    driver = "\n".join(
        ["    type: redfish", "    settings:", f"      address: {origin}", f"      user: {user}"]
        + [*lines, "    secrets:", f"      password: {rack.folder}/secrets/bmc", ""]
    )
    rack.wait("its nodes", lambda: list(rack.node_states().values()) == ["awake"] * 2)
    apply(rack, POOL.replace(EXEC, driver))


def power_says(rack: Rack, name: str) -> str:
    """As `describe node` shows it."""
    lines = rack.ctl("describe", "node", name).stdout.splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if "Power says:" in line), "")


def prove_and_watch(rack: Rack) -> None:
    boots = rack.nodes["n1"].boots
    rack.wait("leave", lambda: rack.ctl(*TEST, "--wait=false", check=False).returncode == 0, 30)
    done = rack.ctl(*TEST, check=False)  # joins it
    assert done.returncode == 0 and "waking is proven: 1 cycle" in done.stdout, done.stderr
    assert rack.nodes["n1"].boots == boots + 1, "its namespace did not end"
    assert rack.nodes["n2"].boots == 1, "another one slept"


@in_lab(240)
def test_our_own_bmc():
    with contextlib.ExitStack() as stack:
        rack = stack.enter_context(rack_of(2, replicas=0))
        bmc = Bmc(rack.folder, rack.switch, tuple(rack.nodes), CONTROLLER_ADDRESS)
        stack.callback(bmc.close)
        systems = {f"system/{name}": f"{SYSTEMS}/{name}" for name in rack.nodes}
        pin = {"fingerprint": fingerprint(bmc.certificate)}
        through_redfish(rack, bmc.origin, USER, PASSWORD, **systems, **pin)
        bmc.quirks.already = 409  # a refusal that is none, each time
        prove_and_watch(rack)
        assert bmc.actions() == ["On"], "the agent switches it off, and nobody else"

        # What cannot be done is said, with the reason, and another way is not taken.
        bmc.quirks.values = ("PushPowerButton",)
        rack.wait("leave", lambda: rack.ctl(*TEST, "--wait=false", check=False).returncode == 0, 30)
        why = "its BMC offers no On, but PushPowerButton"
        rack.wait("the reason", lambda: power_says(rack, "n1") == why)
        assert "PowerActionFailed" in rack.ctl("events", "--for", "node/n1").stdout
        assert bmc.actions() == ["On"] and rack.nodes["n1"].state == "off"
        rack.switch("on", "n1")
        rack.wait("awake", lambda: rack.node_states()["n1"] == "awake", 90)
        rack.wait("no word of it", lambda: power_says(rack, "n1") != why)

        assert len(bmc.sessions) == 1
        rack.controller_end()
        assert not bmc.sessions, "left behind by a controller that was stopped"


@in_lab(240)
def test_openstacks_emulator():
    if not sushy.folder().exists():
        why = "sushy-tools is not here: make sushy says why"
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    with contextlib.ExitStack() as stack:
        rack = stack.enter_context(rack_of(2, replicas=0))
        nodes = {uuid: name for name, uuid in UUIDS.items()}
        papers = (rack.folder / "tls.pem", rack.folder / "tls.key")
        origin = stack.enter_context(
            sushy.emulator(rack.folder, CONTROLLER_ADDRESS, nodes, rack.socket_path, papers, HASHED)
        )
        systems = {f"system/{name}": f"{SYSTEMS}/{uuid}" for name, uuid in UUIDS.items()}
        through_redfish(
            rack, origin, "admin", "emulated", **systems, fingerprint=fingerprint(papers[0])
        )
        prove_and_watch(rack)
