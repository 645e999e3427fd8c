"""Events of huddle's Kubernetes client on a server that fails before and after the commit: one object for
one event, and never in the way of what matters (controller/kube_client/kube_event.h)."""

from __future__ import annotations

import collections.abc
import pathlib
import time

import pytest

from kube_store import FAULTS, KubeStore
from tests.kubernetes.eventing import Reporter
from tests.kubernetes.leasing import kubeconfig

EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


@pytest.fixture(name="store")
def _store() -> collections.abc.Iterator[KubeStore]:
    with KubeStore() as store:
        yield store


@pytest.fixture(name="reporter")
def _reporter(store: KubeStore, tmp_path: pathlib.Path) -> collections.abc.Iterator[Reporter]:
    with Reporter(kubeconfig(tmp_path, store.url)) as reporter:
        yield reporter


def test_repeats_become_one_series(store: KubeStore, reporter: Reporter) -> None:
    for n in range(1, 4):
        assert reporter.tell() == ""
        reporter.wait_for(written=n)
    (event,) = store.objects.values()
    assert event["series"]["count"] == 3
    assert event["note"] == "asleep until 07:40"
    assert [method for method, _, _ in store.seen] == ["POST", "PATCH", "PATCH"]


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in ("403", "429 for 30 s")])
def test_writes_that_fail(store: KubeStore, reporter: Reporter, fault: str) -> None:
    store.faults["POST"] = [fault]
    assert reporter.tell() == ""
    reporter.wait_for(written=1)
    assert len(store.objects) == 1  # never a twin
    store.faults["PATCH"] = [fault]
    assert reporter.tell() == ""
    reporter.wait_for(written=2)
    (event,) = store.objects.values()
    assert event["series"]["count"] == 2


def test_what_is_forbidden_is_dropped(store: KubeStore, reporter: Reporter) -> None:
    store.faults["POST"] = ["403"]
    assert reporter.tell() == ""
    reporter.wait_for(refused=1)
    assert not store.objects


def test_they_wait_for_requests_that_matter(store: KubeStore, reporter: Reporter) -> None:
    """100 requests at 40 at once and 20 a second: until half of the tokens are there again the event waits,
    and it was told in no time."""
    reporter.say(load=100, path="/busy")
    began = time.monotonic()
    assert reporter.tell() == ""
    assert time.monotonic() - began < 0.5
    reporter.wait_for(written=1)
    assert [method for method, _, _ in store.seen] == ["GET"] * 100 + ["POST"]
    assert time.monotonic() - began > 3.5  # 60 requests, and 20 tokens


def test_events_of_what_is_gone(store: KubeStore, reporter: Reporter) -> None:
    reporter.say(load=100, path="/busy")
    assert reporter.tell(uid="u1") == ""
    assert reporter.tell(uid="u2") == ""
    assert reporter.say(gone="u1") == {"error": ""}
    reporter.wait_for(written=1, gone=1)
    (event,) = store.objects.values()
    assert event["regarding"]["uid"] == "u2"
