"""The power driver "redfish" against a BMC with one switch per quirk (tests/lab/bmc.py)."""

from __future__ import annotations

import collections.abc
import pathlib
import socket

import pytest

from tests.lab.bmc import PASSWORD, SESSIONS, USER, Bmc, fingerprint
from tests.lab.power_driver import Driver, driver_of

SYSTEM = "/redfish/v1/Systems/1"


class Pair:
    """A BMC, and a driver that knows it by its fingerprint."""

    def __init__(self, bmc: Bmc, driver: Driver, folder: pathlib.Path) -> None:
        self.bmc = bmc
        self.quirks = bmc.quirks
        self.driver = driver
        password = folder / "password"
        password.write_text(PASSWORD + "\n")
        driver.secrets = {"password": str(password)}
        driver.settings = {"address": bmc.origin, "user": USER}
        driver.settings["fingerprint"] = fingerprint(bmc.certificate)

    def ask(self, action: str) -> dict:
        return self.driver.ask(action)

    def sees(self, outcome: str, reading: str = "unknown", message: str = "") -> None:
        told = self.ask("probe")
        assert (told["outcome"], told["reading"]) == (outcome, reading), told
        assert message in told["message"], told

    def does(self, action: str, outcome: str, message: str = "", posts: int = 1) -> dict:
        before = len(self.bmc.actions())
        told = self.ask(action)
        assert told["outcome"] == outcome and message in told["message"], told
        assert len(self.bmc.actions()) - before == posts, self.bmc.log
        return told

    def logins(self) -> int:
        return sum((m, p) == ("POST", SESSIONS) for m, p, _ in self.bmc.log)


@pytest.fixture(name="pair")
def a_pair(tmp_path: pathlib.Path) -> collections.abc.Iterator[Pair]:
    bmc = Bmc(tmp_path)
    with driver_of("redfish", tmp_path) as driver:
        yield Pair(bmc, driver, tmp_path)
    bmc.close()


def test_reads_and_switches(pair: Pair) -> None:
    pair.sees("done", "off")
    pair.does("on", "accepted")
    pair.sees("done", "on")
    pair.does("on", "accepted", "PowerState On already", posts=0)
    pair.does("soft-off", "accepted")
    pair.sees("done", "off")
    pair.does("force-off", "accepted", "PowerState Off already", posts=0)
    pair.bmc.power["1"] = "on"
    pair.does("force-off", "accepted")
    assert pair.bmc.actions() == ["On", "GracefulShutdown", "ForceOff"]
    pair.quirks.uuid = "a1234567-89ab-cdef-0123-456789abcdef"
    assert pair.ask("probe")["uuid"] == pair.quirks.uuid


@pytest.mark.parametrize("status", [200, 202, 204])
def test_acceptance_is_any_success(pair: Pair, status: int) -> None:
    pair.quirks.acceptance = status
    pair.quirks.deaf = True  # only a later reading tells whether it worked
    pair.does("on", "accepted")
    pair.sees("done", "off")


# --- who we are -----------------------------------------------------------------------------------


def test_one_session_that_is_given_back(pair: Pair) -> None:
    for _ in range(3):
        pair.sees("done", "off")
    assert pair.logins() == 1 and len(pair.bmc.sessions) == 1
    pair.driver.close()
    assert not pair.bmc.sessions, "it was left behind"


def test_an_ended_session_is_made_anew_once(pair: Pair) -> None:
    pair.sees("done", "off")
    pair.bmc.sessions.clear()
    pair.does("on", "accepted")
    assert pair.logins() == 2
    assert [path for method, path, _ in pair.bmc.log if method == "GET"].count("/redfish/v1/") == 1


@pytest.mark.parametrize("quirk", ["no_sessions", "sessions_full"])
def test_basic_where_there_are_no_sessions(pair: Pair, quirk: str) -> None:
    setattr(pair.quirks, quirk, True)
    pair.does("on", "accepted")
    pair.sees("done", "on")
    assert pair.logins() == (1 if quirk == "sessions_full" else 0), "asked again and again"


def test_basic_where_it_is_wanted(pair: Pair) -> None:
    pair.driver.settings["login"] = "basic"
    pair.driver.settings["system/n1"] = SYSTEM
    pair.sees("done", "off")
    assert pair.bmc.log == [("GET", SYSTEM, "")]


def test_a_busy_login(pair: Pair) -> None:
    pair.quirks.sessions_busy = True
    pair.quirks.retry_after = "120"
    told = pair.does("on", "busy", "The service is starting.", posts=0)
    assert told["retryAfterMs"] == 120000


def test_wrong_passwords_lock_no_account(pair: Pair) -> None:
    secret = pathlib.Path(pair.driver.secrets["password"])
    secret.write_text("swordfish-7")
    pauses = []
    for _ in range(5):
        told = pair.does("on", "auth", "does not let us in", posts=0)
        assert "swordfish" not in str(told) and "***" in told["message"]
        pauses.append(told["retryAfterMs"])
    assert pauses == [30000, 60000, 120000, 240000, 300000] and pair.logins() == 5
    secret.write_text(PASSWORD)
    pair.sees("done", "off")


def test_basic_that_is_switched_off(pair: Pair) -> None:
    pair.quirks.no_basic = pair.quirks.sessions_full = True
    pair.sees("auth")
    pair.quirks.sessions_full = False
    pair.sees("done", "off")


def test_it_must_be_who_it_should_be(pair: Pair, tmp_path: pathlib.Path) -> None:
    right = pair.driver.settings.pop("fingerprint")
    pair.sees("auth", message="is not trusted")
    pair.driver.settings["fingerprint"] = "sha256//" + "A" * 43 + "="
    pair.sees("auth", message="another key than the one that is pinned")
    assert pair.bmc.log == [], "something was sent"
    pair.driver.settings["fingerprint"] = right
    pair.sees("done", "off")
    del pair.driver.settings["fingerprint"]
    pair.driver.secrets["ca"] = str(pair.bmc.certificate)
    pair.sees("done", "off")
    pair.driver.secrets["ca"] = "/etc/ssl/certs/ca-certificates.crt"
    pair.sees("unsupported", message="outside of the folders")


# --- what can be asked for ------------------------------------------------------------------------


def test_values_from_an_action_info(pair: Pair) -> None:
    pair.quirks.values_in = "action-info"
    pair.does("on", "accepted")
    pair.quirks.values = ("On", "ForceOff")
    pair.does("soft-off", "unsupported", "no GracefulShutdown, but On, ForceOff", posts=0)


def test_values_that_are_listed_nowhere(pair: Pair) -> None:
    pair.quirks.values_in = "nowhere"
    pair.does("on", "accepted")
    pair.quirks.values = ("On", "ForceOff")
    pair.does("soft-off", "refused", "GracefulShutdown is not supported")


def test_nothing_that_toggles_stands_in(pair: Pair) -> None:
    pair.quirks.values = ("PushPowerButton", "PowerCycle", "ForceRestart", "ForceOn")
    pair.does("on", "unsupported", "no On, but PushPowerButton, PowerCycle", posts=0)
    pair.bmc.power["1"] = "on"
    pair.does("soft-off", "unsupported", posts=0)
    pair.does("force-off", "unsupported", posts=0)
    pair.quirks.no_reset = True
    pair.does("force-off", "unsupported", "offers no reset", posts=0)


def test_if_match(pair: Pair) -> None:
    pair.quirks.if_match_fails = True
    pair.does("on", "accepted")
    pair.quirks.if_match_fails, pair.quirks.if_match_needed = False, True
    pair.does("soft-off", "accepted", posts=2)
    pair.quirks.no_etag = True
    pair.does("on", "refused", "has no ETag", posts=1)


# --- what went wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 409, 412, 500])
def test_refused_because_it_is_so_already(pair: Pair, status: int) -> None:
    pair.quirks.already = status
    pair.does("on", "accepted", f"PowerState On (On: HTTP {status}: PSU501")


@pytest.mark.parametrize(
    "status,outcome",
    [(400, "refused"), (403, "auth"), (404, "refused"), (409, "refused"), (429, "busy")]
    + [(500, "failed"), (501, "failed"), (503, "busy")],
)
def test_refused(pair: Pair, status: int, outcome: str) -> None:
    pair.quirks.refusal = status
    pair.does("on", outcome)
    pair.sees("done", "off")


def test_a_lost_answer_is_not_sent_again(pair: Pair) -> None:
    pair.quirks.lost = True
    pair.does("on", "accepted", "perhaps done")
    pair.quirks.deaf = True
    pair.does("soft-off", "failed", "perhaps done")
    pair.sees("done", "on")


@pytest.mark.parametrize("word", ["PoweringOn", "PoweringOff", "Paused", "null", "ON", "Standby"])
def test_only_on_and_off_are_readings(pair: Pair, word: str) -> None:
    pair.quirks.word = word
    pair.sees("done", "unknown", f"PowerState {word}: unknown")


@pytest.mark.parametrize(
    "quirk,value,outcome",
    [("system_status", 404, "failed"), ("system_status", 503, "busy")]
    + [("system_status", 500, "failed"), ("garbage", True, "failed"), ("much", True, "failed")],
)
def test_unreadable_is_unknown(pair: Pair, quirk: str, value: object, outcome: str) -> None:
    setattr(pair.quirks, quirk, value)
    pair.sees(outcome)
    pair.does("on", outcome, posts=0)


def test_nothing_is_sent_elsewhere(pair: Pair) -> None:
    pair.quirks.foreign_target = True
    pair.does("on", "failed", "leads to another server", posts=0)
    pair.quirks.foreign_target, pair.quirks.moved = False, True
    pair.does("on", "refused", "HTTP 302")
    pair.quirks.moved, pair.quirks.absolute = False, True
    pair.does("on", "accepted")


def test_nobody_there(pair: Pair) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        pair.driver.settings["address"] = f"https://127.0.0.1:{taken.getsockname()[1]}"
        pair.sees("unreachable", message="cannot connect")


def test_one_that_takes_too_long(pair: Pair) -> None:
    pair.quirks.slow_s = 1.0
    told = pair.driver.ask("on", ms=400)
    assert told["outcome"] == "failed" and not pair.bmc.actions(), told


# --- several nodes --------------------------------------------------------------------------------


def test_a_chassis_takes_one_call_at_a_time(tmp_path: pathlib.Path) -> None:
    bmc = Bmc(tmp_path, systems=("1", "2", "3"))
    bmc.quirks.slow_s = 0.02
    with driver_of("redfish", tmp_path) as driver:
        pair = Pair(bmc, driver, tmp_path)
        told = driver.ask("on", node="n9")
        assert told["outcome"] == "unsupported" and "3 systems" in told["message"], told
        assert "settings.system/NODE" in told["message"]
        for name in bmc.systems:
            driver.settings[f"system/n{name}"] = f"/redfish/v1/Systems/{name}"
        driver.settings["groupCalls"] = "8"
        driver.settings["group"] = "pdu"
        for name in bmc.systems:
            driver.send("on", node=f"n{name}")
        assert {driver.answer()["outcome"] for _ in bmc.systems} == {"accepted"}
        assert set(bmc.power.values()) == {"on"} and pair.logins() == 1
        order = [path.split("/")[4] for _, path, _ in bmc.log if path.startswith(SYSTEM[:-1])]
        assert order == sorted(order), "calls were mixed"
    bmc.close()


def test_who_may_be_reached(pair: Pair) -> None:
    pair.driver.settings["address/n1"] = "https://localhost:1"
    pair.sees("unsupported", message="powerDrivers.hosts: 127.0.0.1")
    pair.driver.settings["address/n1"] = pair.bmc.origin.replace("https", "http")
    pair.sees("unsupported", message="expected https://host")
    del pair.driver.settings["address/n1"], pair.driver.settings["address"]
    pair.sees("unsupported", message="names no BMC for this node")
    pair.driver.settings["address"] = pair.bmc.origin
    del pair.driver.settings["user"]
    pair.sees("unsupported", message="names nobody")
