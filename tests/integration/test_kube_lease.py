"""Leader election of huddle's Kubernetes client on a server that fails before and after the commit: never
do two do the leader's work at a time (controller/kube_client/kube_lease.h)."""

from __future__ import annotations

import collections.abc
import pathlib
import re
import signal
import time
from typing import Callable

import pytest

from kube_store import FAULTS, KubeStore
from tests.kubernetes.leasing import DURATION_S, LEASES, Candidate, kubeconfig, spans

LEASE = f"{LEASES}/huddle"
GIVEN_BACK = {
    "metadata": {"name": "huddle", "namespace": "default", "labels": {"a": "b"}},
    "spec": {
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "leaseTransitions": 6,
        "preferredHolder": "x",
    },
}
Start = Callable[[], Candidate]


@pytest.fixture(name="store")
def _store() -> collections.abc.Iterator[KubeStore]:
    with KubeStore() as store:
        yield store


@pytest.fixture(name="work")
def _work(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "work"


@pytest.fixture(name="start")
def _start(
    store: KubeStore, tmp_path: pathlib.Path, work: pathlib.Path
) -> collections.abc.Iterator[Start]:
    file, started = kubeconfig(tmp_path, store.url), []

    def start() -> Candidate:
        started.append(Candidate(file, work))
        return started[-1]

    yield start
    for candidate in started:
        if candidate.process.poll() is None:
            candidate.end()


def wait_until(what: str, condition: Callable[[], object], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"waited {limit_s:g} s for {what}"
        time.sleep(0.01)


def test_the_first_waits_a_duration_and_makes_it(store: KubeStore, start: Start) -> None:
    began = time.monotonic()
    first = start()
    assert first.epoch() == 0
    assert time.monotonic() - began > DURATION_S
    made = store.objects[LEASE]
    assert made["kind"] == "Lease" and made["apiVersion"] == "coordination.k8s.io/v1"
    spec = made["spec"]
    assert spec["holderIdentity"] == first.identity
    assert re.fullmatch(r".+_[0-9a-f]{16}", first.identity)
    assert spec["leaseDurationSeconds"] == DURATION_S
    for name in ("acquireTime", "renewTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec[name])
    before = spec["renewTime"]
    wait_until("a renewal", lambda: store.objects[LEASE]["spec"]["renewTime"] != before)


def test_it_is_given_back_and_taken_at_once(
    store: KubeStore, start: Start, work: pathlib.Path
) -> None:
    store.put(LEASE, GIVEN_BACK)
    first = start()
    assert first.epoch() == 7
    second = start()
    began = time.monotonic()
    first.release()
    spec = store.objects[LEASE]["spec"]
    assert spec["holderIdentity"] in ("", second.identity)
    assert second.epoch() == 8
    assert time.monotonic() - began < DURATION_S / 2
    assert store.objects[LEASE]["spec"]["preferredHolder"] == "x"
    assert store.objects[LEASE]["metadata"]["labels"] == {"a": "b"}
    assert not first.told("lost")
    assert [identity for _, identity in spans(work)][:1] == [first.identity]


@pytest.mark.parametrize("fault", FAULTS)
def test_writes_that_fail(store: KubeStore, start: Start, work: pathlib.Path, fault: str) -> None:
    store.put(LEASE, GIVEN_BACK)
    store.faults["PUT"] = [fault]
    first = start()
    epoch = first.epoch()  # what went wrong with it, it came through
    second = start()
    before = store.count("PUT")
    store.faults["PUT"] = [fault] * 2
    wait_until("renewals", lambda: store.count("PUT") > before + 4)
    assert not first.told("lost")
    assert first.told("leading") == [["leading", epoch]]
    assert not second.told("leading")
    # Nothing is written twice on the same version where it came through.
    if fault in ("lost", "silent", "500 done", "html", "empty"):
        puts = [b["metadata"]["resourceVersion"] for m, _, b in store.seen if m == "PUT"]
        assert len(set(puts)) == len(puts)
    assert {identity for _, identity in spans(work)} == {first.identity}
    assert "state" in {line[0] for line in first.lines}


def test_one_that_hears_nothing_stops_and_is_followed(
    store: KubeStore, start: Start, work: pathlib.Path
) -> None:
    store.put(LEASE, GIVEN_BACK)
    first = start()
    first.epoch()
    second = start()
    time.sleep(1)  # it has looked
    first.signal(signal.SIGSTOP)
    assert second.epoch() == 8
    first.signal(signal.SIGCONT)
    first.wait_for("lost")
    time.sleep(0.3)
    assert spans(work) == [(7, first.identity), (8, second.identity)]


def test_a_record_that_is_deleted_stays_its_holders(
    store: KubeStore, start: Start, work: pathlib.Path
) -> None:
    store.put(LEASE, GIVEN_BACK)
    first = start()
    first.epoch()
    second = start()
    time.sleep(1)
    with store.lock:
        del store.objects[LEASE]
    wait_until("it is there again", lambda: LEASE in store.objects)
    time.sleep(1)
    assert store.objects[LEASE]["spec"]["leaseTransitions"] == 7
    assert not first.told("lost") and not second.told("leading")
    assert spans(work) == [(7, first.identity)]


def test_a_record_that_is_taken_away_is_lost_at_once(
    store: KubeStore, start: Start, work: pathlib.Path
) -> None:
    store.put(LEASE, GIVEN_BACK)
    first = start()
    first.epoch()
    with store.lock:
        taken = {**store.objects[LEASE]["spec"], "holderIdentity": "another"}
        store.put(LEASE, {**GIVEN_BACK, "spec": taken})
    first.wait_for("lost", limit_s=2)
    size = work.stat().st_size
    time.sleep(0.3)
    assert work.stat().st_size == size  # it writes no more


def test_names_and_terms_are_checked(tmp_path: pathlib.Path, work: pathlib.Path) -> None:
    file = kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(AssertionError):
        Candidate(file, work, "../x")  # it ends, with the reason on stderr
