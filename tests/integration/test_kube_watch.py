"""Objects of an API server that misbehaves, followed: whatever happened, what the watch told is in the
end what the server lists (controller/kube_client/kube_watch.h)."""

from __future__ import annotations

import collections.abc
import json
import os
import pathlib
import random
import subprocess
import threading
import time
from typing import Any, Callable

import pytest

from kube_api import FAULTS, PATH, KubeApi

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", REPOSITORY / "build/release"))
DRIVER = BUILD / "lab/kube_watch_driver"
CONVERGES_S = 60.0
SILENCE_MS = 1500


class Mirror:
    """What the driver's callbacks told. What they may never tell ends in `wrong`."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.held: dict[tuple[str, str], tuple[str, str]] = {}
        self.unknown: set[tuple[str, str]] = set()
        self.lines: list[list[Any]] = []
        self.wrong: list[str] = []
        self.process = subprocess.Popen(
            [str(DRIVER), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            words = json.loads(line)
            self.lines.append(words)
            if words[0] in ("changed", "gone", "unknown"):
                self._take(*words)

    def _take(self, what: str, namespace: str, name: str, uid: str, more: str = "") -> None:
        key = (namespace, name)
        before = self.held.get(key, ("", ""))[0]
        if what == "gone":
            if before != uid:
                self.wrong.append(f"{name} {uid} is gone, held was {before!r}")
            self.held.pop(key, None)
            self.unknown.discard(key)
        elif before not in ("", uid):
            self.wrong.append(f"{name} {uid} is there, and {before!r} was not told gone")
        elif what == "unknown":
            self.held[key] = (uid, "unknown")
            self.unknown.add(key)
        else:
            self.held[key] = (uid, more)
            self.unknown.discard(key)

    def count(self, what: str) -> int:
        return sum(line[0] == what for line in list(self.lines))

    def states(self) -> list[str]:
        return [line[2] for line in list(self.lines) if line[0] == "state"]

    def end(self) -> int:
        """Its peak of memory in KiB; it ends well, without a leak where a sanitizer looks."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(timeout=CONVERGES_S) == 0
        self.reader.join()
        assert not self.wrong
        assert self.lines[-1][0] == "peak"
        return int(self.lines[-1][1])


Follow = Callable[..., Mirror]


@pytest.fixture(name="api")
def _api() -> collections.abc.Iterator[KubeApi]:
    api = KubeApi()
    for i in range(12):
        api.put(f"pod-{i}")
    yield api
    api.close()


@pytest.fixture(name="follow")
def _follow(api: KubeApi) -> collections.abc.Iterator[Follow]:
    mirrors = []

    def follow(**options: Any) -> Mirror:
        mirrors.append(Mirror({"server": api.url, "path": PATH, **options}))
        return mirrors[-1]

    yield follow
    for mirror in mirrors:
        if mirror.process.poll() is None:
            mirror.end()


def eventually(what: str, condition: Callable[[], Any], limit_s: float = CONVERGES_S) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited {limit_s:g} s for {what}")


def converges(api: KubeApi, mirror: Mirror) -> None:
    """What is held is what the server lists, also by the versions; and a change still comes through."""
    synced(mirror)
    eventually("the server's list", lambda: mirror.held == api.state())
    api.put("last-word")
    eventually("another change", lambda: mirror.held == api.state())
    assert not mirror.wrong


def listings(api: KubeApi) -> int:
    """Of the whole: first pages and streamed lists."""
    return sum(
        "sendInitialEvents" in target
        or (
            "watch=" not in target and "resourceVersion" not in target and "continue=" not in target
        )
        for target in list(api.asked)
    )


def synced(mirror: Mirror, times: int = 1) -> None:
    eventually("synced", lambda: mirror.count("synced") >= times)


# --- listing ---


def test_pages_and_events(api: KubeApi, follow: Follow) -> None:
    for i in range(1200):
        api.put(f"many-{i}", namespace=f"tenant-{i % 7}")
    mirror = follow()
    converges(api, mirror)
    api.delete("pod-3")
    api.put("pod-4", spec={"nodeName": "n1"})
    converges(api, mirror)
    assert sum("limit=500" in target for target in api.asked) == 3
    assert mirror.count("synced") == 1 and mirror.states() == ["OK"]


@pytest.mark.parametrize("fault", FAULTS["list"])
def test_a_page_that_fails_is_asked_for_again(api: KubeApi, follow: Follow, fault: str) -> None:
    for i in range(600):
        api.put(f"many-{i}")
    api.faults["list"] = [fault, "", fault]  # the first page, and, when it is had, the second
    converges(api, follow())
    assert not api.faults["list"]


def test_a_token_that_expired_begins_the_list_anew(api: KubeApi, follow: Follow) -> None:
    for i in range(1200):
        api.put(f"many-{i}")
    old_list, taken = api._list, []

    def compacting(connection: Any, asked: dict[str, str], spoil: bool = True) -> None:
        old_list(connection, asked, spoil)
        if "limit" in asked and "continue" not in asked and spoil:
            taken.append(asked)
            api.delete(f"many-{len(taken)}")  # told as there by the page that was just sent
            api.compact()

    api._list = compacting  # type: ignore[method-assign]
    mirror = follow()
    converges(api, mirror)
    assert len(taken) == 2 and PATH in api.asked  # the third in one answer
    assert mirror.count("synced") == 1


@pytest.mark.parametrize("streaming", ["yes", "ignored", "refused", "etcd"])
def test_streamed_lists(api: KubeApi, follow: Follow, streaming: str) -> None:
    api.streaming, api.bookmark_s = streaming, 30.0
    mirror = follow(stream=True)
    synced(mirror)
    converges(api, mirror)
    api.compact()
    api.break_all()  # the next listing
    api.put("more")
    api.compact()
    converges(api, mirror)
    synced(mirror, times=2)
    streamed = sum("sendInitialEvents" in target for target in api.asked)
    assert streamed >= 2 if streaming == "yes" else streamed == 1  # it is remembered
    assert any("limit=500" in target for target in api.asked) == (streaming != "yes")


# --- the stream ---


def test_chunks_mean_nothing(api: KubeApi, follow: Follow) -> None:
    api.chunk = 1
    mirror = follow()
    synced(mirror)
    api.put("nul", metadata={"annotations": {"tenant": "a\0b", "brace": '}"\\{'}})
    api.put("large", data='x\\"{' * 50_000)
    converges(api, mirror)
    api.chunk = 1000
    api.put("huge", data="y" * 3_000_000)
    converges(api, mirror)
    assert mirror.count("unknown") == 0 and listings(api) == 1


@pytest.mark.parametrize("in_list", [False, True])
def test_what_cannot_be_read_is_held_as_unknown(
    api: KubeApi, follow: Follow, in_list: bool
) -> None:
    unreadable = {"a\0b": 10**30}
    if in_list:
        api.put("odd", spec=unreadable)
    mirror = follow()
    synced(mirror)
    if not in_list:
        api.put("odd", spec=unreadable)
    eventually("unknown", lambda: mirror.unknown == {("default", "odd")})
    api.put("pod-1")
    eventually(
        "the rest", lambda: mirror.held["default", "pod-1"] == api.state()["default", "pod-1"]
    )
    api.put("odd", spec={"now": "readable"})
    converges(api, mirror)
    api.put("odd", spec=unreadable)
    eventually("unknown", lambda: mirror.unknown == {("default", "odd")})
    api.delete("odd")
    converges(api, mirror)
    assert listings(api) == 1 and mirror.states() == ["OK"]


@pytest.mark.parametrize("fault", FAULTS["watch"])
def test_a_watch_that_is_refused(api: KubeApi, follow: Follow, fault: str) -> None:
    api.faults["watch"] = [fault, fault]
    mirror = follow()
    eventually("all faults", lambda: not api.faults["watch"])
    converges(api, mirror)
    assert listings(api) == (3 if fault == "410" else 1)


@pytest.mark.parametrize("fault", FAULTS["event"])
def test_a_stream_that_breaks(api: KubeApi, follow: Follow, fault: str) -> None:
    mirror = follow()
    synced(mirror)
    api.faults["event"] = [fault]
    with api.changed:  # both are there when the first is sent
        api.put("pod-1", fresh=True)
        api.delete("pod-2")
    converges(api, mirror)
    assert listings(api) == (2 if fault == "expired" else 1)


def test_a_check_that_fails(api: KubeApi, follow: Follow) -> None:
    mirror = follow()
    synced(mirror)
    api.faults["check"] = list(FAULTS["check"])
    api.break_all()
    api.put("meanwhile")
    converges(api, mirror)
    assert not api.faults["check"] and listings(api) == 1
    assert mirror.states()[-1] == "OK"


def test_a_list_again_replaces(api: KubeApi, follow: Follow) -> None:
    """What was deleted, and what is another under its old name, while nobody watched."""
    mirror = follow()
    synced(mirror)
    with api.changed:
        api.delete("pod-1")
        api.put("pod-2", fresh=True)
        api.put("new")
        api.compact()
    converges(api, mirror)
    gone = [line[2] for line in mirror.lines if line[0] == "gone"]
    assert sorted(gone) == ["pod-1", "pod-2"] and mirror.count("synced") == 2


def test_disorder_is_noticed(api: KubeApi, follow: Follow) -> None:
    """An object whose end is told before its last change would stay for ever."""
    mirror = follow()
    synced(mirror)
    for i in range(2):
        for _ in range(5):  # a watch that is just ending may take the disorder with it
            api.faults["event"] = ["swap"]
            with api.changed:
                api.put(f"pod-{i}")
                api.delete(f"pod-{i}")
            converges(api, mirror)
            assert not api.faults["event"]
            if listings(api) >= i + 2:
                break
    assert listings(api) in (3, 4)  # not one for each event: at most every 30 s, and this takes 31


def test_a_silent_peer_is_left(api: KubeApi, follow: Follow) -> None:
    mirror = follow(silence_ms=SILENCE_MS)
    synced(mirror)
    api.silent = True
    api.put("unheard")
    time.sleep(SILENCE_MS / 1000 + 1)
    api.silent = False
    converges(api, mirror)
    assert "Unreachable" in mirror.states() and listings(api) == 1


def test_a_store_from_a_backup(api: KubeApi, follow: Follow) -> None:
    mirror = follow()
    synced(mirror)
    backup = api.backup()
    for i in range(6):
        api.put(f"later-{i}")
    api.delete("pod-5")
    converges(api, mirror)
    api.restore(backup)
    converges(api, mirror)
    assert ("default", "pod-5") in mirror.held and ("default", "later-1") not in mirror.held


def test_a_storm(api: KubeApi, follow: Follow) -> None:
    """Twenty seconds of changes and faults of every kind, then peace."""
    seed = int(os.environ.get("HUDDLE_SEED", "7"))
    draw = random.Random(seed)
    print(f"seed {seed}")
    mirror = follow(silence_ms=SILENCE_MS)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        names = [name for _, name in api.state()]
        what = draw.random()
        if what < 0.55 or len(names) < 5:
            api.put(f"pod-{draw.randrange(60)}", fresh=draw.random() < 0.1)
        elif what < 0.9:
            api.delete(draw.choice(names))
        elif what < 0.92:
            api.compact()
        else:
            place = draw.choice(list(FAULTS))
            if len(api.faults[place]) < 2:
                api.faults[place].append(draw.choice(FAULTS[place]))
        time.sleep(draw.choice([0, 0, 0.002, 0.05]))
    for faults in api.faults.values():
        faults.clear()
    converges(api, mirror)
    assert mirror.count("synced") > 1


def test_memory_is_of_keys(api: KubeApi, follow: Follow) -> None:
    """20,000 objects of 4 kB, 80 MB: the driver stays small."""
    for i in range(20_000):
        api.objects["bulk", f"pod-{i}"] = {
            "metadata": {
                "namespace": "bulk",
                "name": f"pod-{i}",
                "uid": f"u-{i}",
                "resourceVersion": "1000",
            },
            "data": "z" * 4000,
        }
    mirror = follow()
    converges(api, mirror)
    if "asan" not in str(BUILD):
        assert mirror.end() < 40_000
