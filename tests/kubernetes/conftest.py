"""What the tests here share: one control plane with hollow nodes, a namespace for each test.

A part that is not built skips its tests with the reason; with CI=true it fails them.
"""

from __future__ import annotations

import collections.abc
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from tests.kubernetes import build
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.hollow import HollowNodes, names
from tests.kubernetes.node import Nodes, why_not
from tests.lab import enter

N_HOLLOW = 12
PEOPLE = {  # users without any right at first
    "huddle": ["huddle"],
    "observer": ["observers"],
    "steerer": ["steerers"],
    "tenant": ["tenants"],
}
numbers = itertools.count(1)


def not_here(why: str) -> None:
    """Ends a test that this machine cannot run."""
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def need(part: str) -> None:
    if build.missing(build.PARTS[part]):
        not_here(build.why_not(build.PARTS[part]))


def keep_logs(folder: pathlib.Path, name: str) -> None:
    """HUDDLE_LOGS=FOLDER: copies a cluster's logs before they go."""
    wanted = os.environ.get("HUDDLE_LOGS")
    if wanted:
        for log in filter(pathlib.Path.is_file, folder.rglob("*.log")):
            target = pathlib.Path(wanted) / name / log.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, target)


@pytest.fixture(scope="session")
def folder() -> collections.abc.Iterator[pathlib.Path]:
    """Of all clusters: in memory inside the namespaces of tests/lab/enter.py."""
    place = enter.WORK if enter.inside() else None
    if enter.inside():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="huddle-", dir=place) as name:
        yield pathlib.Path(name)


@pytest.fixture(scope="session")
def hollow(folder: pathlib.Path) -> collections.abc.Iterator[HollowNodes]:
    """A control plane with twelve hollow nodes, all Ready."""
    need("control")
    with ControlPlane(folder / "hollow", names(N_HOLLOW), PEOPLE) as cluster:
        try:
            cluster.start()
            with HollowNodes(cluster, N_HOLLOW).start() as nodes:
                nodes.wait_ready()
                yield nodes
        finally:
            keep_logs(cluster.folder, "hollow")


@pytest.fixture(scope="session")
def cluster(hollow: HollowNodes) -> ControlPlane:
    """The control plane of the hollow nodes."""
    return hollow.cluster


@pytest.fixture
def namespace(cluster: ControlPlane) -> collections.abc.Iterator[str]:
    """A fresh namespace there; afterwards its pods are gone."""
    yield from fresh_namespace(cluster)


@pytest.fixture(scope="session")
def real() -> collections.abc.Iterator[Nodes]:
    """Three real nodes n1, n2, n3, all Ready, with a control plane of their own."""
    if why_not():
        not_here(why_not())
    for part in ("control", "node"):
        need(part)
    nodes = Nodes(3, PEOPLE)
    with nodes:
        try:
            nodes.start()
            yield nodes
        finally:
            keep_logs(nodes.folder, "real")


@pytest.fixture
def real_namespace(real: Nodes) -> collections.abc.Iterator[str]:
    """A fresh namespace there; afterwards its pods are gone."""
    yield from fresh_namespace(real.cluster, grace_s=1)


def fresh_namespace(cluster: ControlPlane, grace_s: int = 0) -> collections.abc.Iterator[str]:
    api, name = cluster.api, f"t{next(numbers)}"
    api.create("namespaces", {"metadata": {"name": name}})
    api.wait_for("its account", lambda: api.find("serviceaccounts", "default", name))
    yield name
    api.delete("namespaces", name)
    api.request("DELETE", api.path("pods", name), {"gracePeriodSeconds": grace_s})
    api.wait_for(f"no pods in {name}", lambda: not api.list("pods", name), 90)
