"""Events of huddle's Kubernetes client on a real API server: what it writes is what servers take, and what
they would refuse is not sent."""

from __future__ import annotations

import collections.abc
import pathlib

import pytest

from tests.kubernetes.api import Api, ApiError, Object
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import keep_logs, need
from tests.kubernetes.eventing import Reporter

RULES = [
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
]
EVENTS = "/apis/events.k8s.io/v1/namespaces/{}/events"


@pytest.fixture(name="server", scope="module")
def _server(folder: pathlib.Path) -> collections.abc.Iterator[ControlPlane]:
    """etcd and the API server alone; `huddle` has the rights that it ships with, no more."""
    need("control")
    with ControlPlane(folder / "events", people={"huddle": ["huddle"]}) as cluster:
        try:
            cluster.start_etcd()
            cluster.start_apiserver()
            cluster.api.wait_for("a namespace", lambda: cluster.api.find("namespaces", "default"))
            cluster.api.create("namespaces", {"metadata": {"name": "shop"}})
            cluster.api.allow("huddle", RULES)
            yield cluster
        finally:
            keep_logs(cluster.folder, "events")


@pytest.fixture(name="reporter")
def _reporter(server: ControlPlane) -> collections.abc.Iterator[Reporter]:
    with Reporter(server.kubeconfig("huddle")) as reporter:
        yield reporter


def events(api: Api, namespace: str, name: str) -> list[Object]:
    """Those that regard an object of this name."""
    items: list[Object] = api.request("GET", EVENTS.format(namespace))["items"]
    return [item for item in items if item["regarding"]["name"] == name]


def test_an_event_of_a_node_and_its_series(server: ControlPlane, reporter: Reporter) -> None:
    assert reporter.tell(name="n3", uid="n3") == ""
    reporter.wait_for(written=1)
    (event,) = events(server.api, "default", "n3")
    assert event["type"] == "Normal"
    assert event["note"] == "asleep until 07:40"
    assert event.get("series") is None
    for n in (2, 3):
        assert reporter.tell(name="n3", uid="n3", note="asleep until 07:45") == ""
        reporter.wait_for(written=n)
        (event,) = events(server.api, "default", "n3")
        assert event["series"]["count"] == n
    assert event["series"]["lastObservedTime"] > event["eventTime"]
    described = server.kubectl("get", "events", "-n", "default")
    assert "NodeAsleep" in described.stdout, described.stderr


def test_an_event_of_a_pod_is_in_its_namespace(server: ControlPlane, reporter: Reporter) -> None:
    assert reporter.tell(kind="Pod", name="web-1", namespace="shop", warning=True) == ""
    reporter.wait_for(written=1)
    (event,) = events(server.api, "shop", "web-1")
    assert event["type"] == "Warning"
    assert event["regarding"]["namespace"] == "shop"


@pytest.mark.parametrize("letter", ["x", "é", "€", "🐧"])
def test_a_note_of_1024_bytes_and_more(
    server: ControlPlane, reporter: Reporter, letter: str
) -> None:
    name = f"long-{len(letter.encode())}"
    assert reporter.tell(name=name, note="y" + letter * 1024) == ""
    reporter.wait_for(written=1)
    (event,) = events(server.api, "default", name)
    assert event["note"] == "y" + letter * (1023 // len(letter.encode()))


def test_the_limits_are_the_servers(server: ControlPlane, reporter: Reporter) -> None:
    """What the client cuts, fills in or refuses, a server would refuse."""
    assert reporter.tell(name="whole") == ""
    reporter.wait_for(written=1)
    (event,) = events(server.api, "default", "whole")
    del event["metadata"]
    changes: list[Object] = [
        {},
        {"note": "x" * 1025},
        {"action": ""},
        {"reason": ""},
        {"reportingController": ""},
        {"reportingController": "no/qualified/name"},
        {"reportingInstance": ""},
        {"reportingInstance": "x" * 129},
        {"eventTime": "2026-11-27T03:45:00Z"},
        {"namespace": "shop"},
        {"name": "N O"},
    ]
    for number, change in enumerate(changes):
        metadata = {
            "name": change.pop("name", f"whole.{number}"),
            "namespace": change.pop("namespace", "default"),
        }
        path = EVENTS.format(metadata["namespace"])
        body = {**event, "metadata": metadata, **change}
        if number == 0:
            server.api.request("POST", path, body)
            continue
        with pytest.raises(ApiError) as refused:
            server.api.request("POST", path, body)
        assert refused.value.code in (400, 422), (change, metadata)


def test_bad_events_are_refused_where_they_are_told(
    server: ControlPlane, reporter: Reporter
) -> None:
    assert "is no name of an object" in reporter.tell(name="N O")
    assert "is no name of an object" in reporter.tell(name="../n3")
    assert "reason and an action" in reporter.tell(action="")
    assert reporter.counts()["told"] == 0
    # The longest name that an object can have, with what makes an Event's of it.
    assert reporter.tell(name="a" * 253) == ""
    reporter.wait_for(written=1)
    assert len(events(server.api, "default", "a" * 253)) == 1


def test_what_the_server_forgot_is_written_anew(server: ControlPlane, reporter: Reporter) -> None:
    assert reporter.tell(name="n5") == ""
    reporter.wait_for(written=1)
    (event,) = events(server.api, "default", "n5")
    server.api.request("DELETE", EVENTS.format("default") + "/" + event["metadata"]["name"])
    assert reporter.tell(name="n5") == ""
    reporter.wait_for(written=2)
    (again,) = events(server.api, "default", "n5")
    assert again["metadata"]["name"] != event["metadata"]["name"]


def test_a_namespace_that_is_gone(server: ControlPlane, reporter: Reporter) -> None:
    assert reporter.tell(kind="Pod", name="web-1", namespace="never-was") == ""
    reporter.wait_for(gone=1)


def test_a_flood_about_one_object(server: ControlPlane, reporter: Reporter) -> None:
    for n in range(40):
        assert reporter.tell(name="noisy", reason=f"R{n}") == ""
    reporter.wait_for(written=25, spam=15)
    assert len(events(server.api, "default", "noisy")) == 25
