"""huddle-controller on a cluster whose API server tells of huddle's own objects what no real one would for
long: objects that cannot be read, or are refused, and definitions that come and go."""

from __future__ import annotations

import collections.abc
import json
import pathlib
import time

import pytest

from tests.integration.kube_lists import KubeLists, kubeconfig
from tests.lab.controller import LIMIT_S, Controller

OWN = "/apis/huddle.energy/v1alpha1"
POOLS, MODELS = f"{OWN}/powerpools", f"{OWN}/servedmodels"


@pytest.fixture(name="lists")
def serving() -> collections.abc.Iterator[KubeLists]:
    with KubeLists() as lists:
        yield lists


@pytest.fixture(name="controller")
def following(lists: KubeLists, tmp_path: pathlib.Path) -> collections.abc.Iterator[Controller]:
    """Not started yet."""
    controller = follow(lists, tmp_path)
    yield controller
    if controller.process:
        controller.stop()


def follow(lists: KubeLists, folder: pathlib.Path) -> Controller:
    return Controller(folder, kubernetes={"kubeconfig": kubeconfig(folder, lists.url)})


def metadata(name: str, namespace: str = "") -> str:
    head = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "namespace": namespace}
    return json.dumps({key: value for key, value in head.items() if value})


def pool(name: str, spec: str = "{}") -> str:
    return f'{{"metadata": {metadata(name)}, "spec": {spec}}}'


def until(what: str, condition: collections.abc.Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"never {what}"
        time.sleep(0.05)


def names(controller: Controller, kind: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in controller.get(kind)["items"])


def refused(controller: Controller) -> list[tuple[str, str]]:
    """Whom each ObjectRefused is about, and what it says."""
    events = controller.get("events")["items"]
    told = [e for e in events if e["reason"] == "ObjectRefused"]
    return [(e["involvedObject"]["name"], e["message"]) for e in told]


def test_what_cannot_be_read_is_refused_by_its_name(
    lists: KubeLists, controller: Controller
) -> None:
    lists.put(POOLS, "p", pool("p"))
    spec = '{"process": {"command": ["a"], "environment": {"a\\u0000b": "c"}}}'
    model = f'{{"metadata": {metadata("m", "team")}, "spec": {spec}}}'
    controller.start()
    until("the pool", lambda: names(controller, "powerpools") == ["p"])
    lists.put(MODELS, "m", model)
    until("told", lambda: refused(controller))
    name, why = refused(controller)[0]
    assert name == "m.team" and "cannot be read" in why and "kubectl edit" in why
    assert names(controller, "servedmodels") == []


@pytest.mark.parametrize("spec", ['{"nodeSelector": {"a\\u0000b": "c"}}', '{"minAwake": -1}'])
def test_what_is_refused_after_a_restart_goes_when_it_is_deleted(
    lists: KubeLists, controller: Controller, spec: str
) -> None:
    lists.put(POOLS, "p", pool("p"))
    lists.put(POOLS, "q", pool("q"))
    controller.start()
    until("pools", lambda: names(controller, "powerpools") == ["p", "q"])
    assert controller.stop() == 0
    lists.put(POOLS, "p", pool("p", spec))
    controller.start()
    until("told", lambda: [name for name, _ in refused(controller)] == ["p"])
    assert names(controller, "powerpools") == ["p", "q"]  # what it was before holds
    lists.delete(POOLS, "p")
    until("gone", lambda: names(controller, "powerpools") == ["q"])


def test_a_server_that_does_not_know_a_kind_yet_is_not_believed_at_once(
    lists: KubeLists, controller: Controller
) -> None:
    lists.put(POOLS, "p", pool("p"))
    controller.start()
    until("the pool", lambda: names(controller, "powerpools") == ["p"])
    asked = lists.asked[POOLS]
    lists.hide(POOLS, True)
    until("asked thrice", lambda: lists.asked[POOLS] >= asked + 3)
    assert names(controller, "powerpools") == ["p"]
    lists.hide(POOLS, False)
    up = 'huddle_kubernetes_watch_up{kind="powerpools"} 1'
    until("seen again", lambda: up in controller.ask("GET", "/metrics")[1].decode())
    assert names(controller, "powerpools") == ["p"]


def test_a_definition_that_is_not_there_holds_nothing_up(
    lists: KubeLists, controller: Controller
) -> None:
    lists.hide(MODELS, True)
    lists.put(POOLS, "p", pool("p"))
    controller.start()

    def told() -> list[str]:
        return [e["reason"] for e in controller.get("events")["items"]]

    until("told", lambda: "DefinitionsMissing" in told())
    assert names(controller, "powerpools") == ["p"]


CSI, SLICES = "/apis/storage.k8s.io/v1/csinodes", "/apis/resource.k8s.io/v1/resourceslices"


def test_what_only_a_leader_needs_is_asked_for_by_a_leader(
    lists: KubeLists, controller: Controller
) -> None:
    """And it goes on without: what it may not see it names, what is not served is no matter."""
    lists.forbidden.add(CSI)
    lists.hide(SLICES, True)
    lists.put(POOLS, "p", pool("p", '{"mode": "observe"}'))
    controller.start()
    until("the pool", lambda: names(controller, "powerpools") == ["p"])
    assert not lists.asked[CSI] and not lists.asked[SLICES]
    lists.put(POOLS, "p", pool("p", '{"mode": "recommend"}'))
    until("both", lambda: lists.asked[CSI] and lists.asked[SLICES])
    until("its loss", lambda: "their CSI drivers are back" in controller.log.read_text())
    said = controller.log.read_text()
    assert "deploy/kubernetes/act" in said and "devices for claims" not in said

    def up() -> list[str]:
        lines = controller.ask("GET", "/metrics")[1].decode().splitlines()
        return [w for w in lines if "watch_up" in w and ("csinodes" in w or "slices" in w)]

    until("the metric", lambda: up() == ['huddle_kubernetes_watch_up{kind="csinodes"} 0'])
    lists.forbidden.discard(CSI)
    lists.hide(SLICES, False)
    until("both again", lambda: [line[-1] for line in up()] == ["1", "1"])
    assert controller.get("clusters")["items"][0]["status"]["degraded"] is False


CORE, APPS = "/api/v1", "/apis/apps/v1"
WATCHED = [
    *[
        f"{CORE}/{kind}"
        for kind in ("nodes", "pods", "persistentvolumeclaims", "persistentvolumes")
    ],
    *[f"{APPS}/{kind}" for kind in ("replicasets", "deployments", "statefulsets")],
    *[f"{OWN}/{kind}" for kind in ("nodepowers", "servedmodels", "powerpools", "powerpolicies")],
]
NEEDED = {f"{CORE}/nodes", f"{CORE}/pods", *[path for path in WATCHED if path.startswith(OWN)]}


def node(name: str) -> str:
    ready = '{"type": "Ready", "status": "True"}'
    return f'{{"metadata": {metadata(name)}, "spec": {{}}, "status": {{"conditions": [{ready}]}}}}'


def why_degraded(controller: Controller) -> str:
    return str(controller.get("clusters")["items"][0]["status"]["degradedReason"])


def test_each_right_that_is_missing_is_named_and_the_rest_works(
    lists: KubeLists, tmp_path: pathlib.Path
) -> None:
    """A controller for each right to look that may be missing, all at the same time."""
    everyone = []
    ports = iter(range(len(WATCHED)))
    for path in WATCHED:
        folder = tmp_path / str(next(ports))
        folder.mkdir()
        own = KubeLists()
        own.__enter__()
        own.put(f"{CORE}/nodes", "n1", node("n1"))
        own.put(POOLS, "p", pool("p"))
        own.refuse(path, True)
        everyone.append((path, own, follow(own, folder)))
    try:
        for _, _, controller in everyone:
            controller.start()
        for path, own, controller in everyone:
            kind = path.rsplit("/", 1)[1]
            until(kind, lambda: f"{kind} may not be listed" in why_degraded(controller))
            if path not in NEEDED:
                assert names(controller, "nodes") == ["n1"]
                assert names(controller, "powerpools") == ["p"]
            own.refuse(path, False)
        for path, _, controller in everyone:
            until(f"all with {path}", lambda: why_degraded(controller) == "")
            assert names(controller, "nodes") == ["n1"]
    finally:
        for _, own, controller in everyone:
            if controller.process:
                controller.stop()
            own.__exit__()
