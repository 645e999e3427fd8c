"""Leader election of huddle's Kubernetes client on a real API server: candidates are stopped, killed and
cut off, and what they wrote while they held the Lease tells who did when."""

from __future__ import annotations

import collections.abc
import pathlib
import signal
import time
from typing import Callable

import pytest

from tests.kubernetes.api import Object
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.conftest import keep_logs, need
from tests.kubernetes.leasing import DURATION_S, Candidate, spans

RULES = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "update"],
        "resourceNames": ["huddle"],
    },
]
Start = Callable[[], Candidate]


@pytest.fixture(name="server", scope="module")
def _server(folder: pathlib.Path) -> collections.abc.Iterator[ControlPlane]:
    """etcd and the API server alone; `huddle` has the rights that it ships with, no more."""
    need("control")
    people = {"huddle": ["huddle"]}
    with ControlPlane(folder / "lease", people=people) as cluster:
        try:
            cluster.start_etcd()
            cluster.start_apiserver()
            cluster.api.wait_for("a namespace", lambda: cluster.api.find("namespaces", "default"))
            cluster.api.allow("huddle", RULES)
            yield cluster
        finally:
            keep_logs(cluster.folder, "lease")


@pytest.fixture(name="work")
def _work(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "work"


@pytest.fixture(name="start")
def _start(server: ControlPlane, work: pathlib.Path) -> collections.abc.Iterator[Start]:
    file, started = server.kubeconfig("huddle"), []

    def start() -> Candidate:
        started.append(Candidate(file, work))
        return started[-1]

    if server.api.find("leases", "huddle", "default"):
        server.api.delete("leases", "huddle", "default")
    yield start
    for candidate in started:
        if candidate.process.poll() is None:
            candidate.end()


def lease(server: ControlPlane) -> Object:
    return server.api.get("leases", "huddle", "default")


def test_the_holder_is_stopped_killed_and_asked_to_go(
    server: ControlPlane, start: Start, work: pathlib.Path
) -> None:
    began = time.monotonic()
    first = start()
    assert first.epoch() == 0
    assert time.monotonic() - began > DURATION_S
    assert lease(server)["spec"]["holderIdentity"] == first.identity

    second = start()
    time.sleep(1)
    first.signal(signal.SIGSTOP)  # as a process that waits for its disk
    assert second.epoch() == 1
    first.signal(signal.SIGCONT)
    first.wait_for("lost")

    second.kill()  # the first sees it, as any other
    assert first.epoch(2) == 2

    third = start()
    time.sleep(1)
    began = time.monotonic()
    first.release()
    assert third.epoch() == 3
    assert time.monotonic() - began < DURATION_S / 2
    spec = lease(server)["spec"]
    assert spec["holderIdentity"] == third.identity
    assert spec["leaseTransitions"] == 3
    assert spec["leaseDurationSeconds"] == DURATION_S
    time.sleep(0.3)
    order = [(0, first), (1, second), (2, first), (3, third)]
    assert spans(work) == [(epoch, candidate.identity) for epoch, candidate in order]
    third.release()
    spec = lease(server)["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("", 1)


def test_fields_of_newer_servers_and_of_people_stay(server: ControlPlane, start: Start) -> None:
    spec = {"leaseTransitions": 4, "strategy": "OldestEmulationVersion", "preferredHolder": "x"}
    metadata = {"name": "huddle", "annotations": {"a": "b"}}
    made = server.api.create("leases", {"metadata": metadata, "spec": spec}, "default")
    first = start()
    assert first.epoch() == 5
    first.release()
    after = lease(server)
    kept = {key: made["spec"].get(key) for key in ("strategy", "preferredHolder")}
    assert {key: after["spec"].get(key) for key in kept} == kept
    assert after["metadata"]["annotations"] == {"a": "b"}


def test_a_deleted_lease_stays_its_holders(
    server: ControlPlane, start: Start, work: pathlib.Path
) -> None:
    server.api.create("leases", {"metadata": {"name": "huddle"}}, "default")
    first = start()
    epoch = first.epoch()
    second = start()
    time.sleep(1)
    uid = lease(server)["metadata"]["uid"]
    server.api.delete("leases", "huddle", "default")

    def again() -> bool:
        found = server.api.find("leases", "huddle", "default")
        return found is not None and found["metadata"]["uid"] != uid

    server.api.wait_for("it is there again", again)
    time.sleep(DURATION_S)
    assert not first.told("lost") and not second.told("leading")
    assert lease(server)["spec"]["leaseTransitions"] == epoch
    assert spans(work) == [(epoch, first.identity)]


def test_the_server_goes_away(server: ControlPlane, start: Start, work: pathlib.Path) -> None:
    server.api.create("leases", {"metadata": {"name": "huddle"}}, "default")
    candidates = [start(), start()]
    server.api.wait_for("a holder", lambda: any(c.told("leading") for c in candidates))
    holder = next(c for c in candidates if c.told("leading"))
    server.processes["kube-apiserver"].signal(signal.SIGSTOP)
    holder.wait_for("lost")
    time.sleep(DURATION_S)
    assert sum(len(c.told("leading")) for c in candidates) == 1
    server.processes["kube-apiserver"].signal(signal.SIGCONT)
    server.api.wait_for(
        "a holder again", lambda: sum(len(c.told("leading")) for c in candidates) == 2
    )
    time.sleep(0.3)
    assert len(spans(work)) == 2


def test_rights_that_are_missing_are_told(server: ControlPlane, work: pathlib.Path) -> None:
    other = Candidate(server.kubeconfig("huddle"), work, "not-ours")
    state = other.wait_for("state")
    assert state[1] == "Forbidden"
    assert "not-ours" in state[2]
    other.end()
