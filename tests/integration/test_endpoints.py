"""The endpoints file of a running controller, as another balancer reads it: at any time whole, right
after a change, and never worse than before while the controller is away or has only just come back."""

import json
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from tests.integration.test_agent import (
    GROUP,
    Node,
    folder,  # noqa: F401
    free_ports,
    predict,
    put,
    put_model,
    ready_replica,
    wait,
)
from tests.lab.controller import Controller
from tests.lab.lab import REPOSITORY


QUICK = {
    "apiVersion": GROUP[6:],
    "kind": "PowerPolicy",
    "metadata": {"name": "quick"},
    "spec": {"strategy": "demand", "interval": "1s"},
}


def servers(text):
    """uid -> (port, state) of the model "small"."""
    found = json.loads(text)["models"].get("small", {"servers": []})["servers"]
    return {s["uid"]: (int(s["address"].rpartition(":")[2]), s["state"]) for s in found}


class Balancer:
    """Reads the file over and over, from a thread, and remembers what it saw."""

    def __init__(self, file: pathlib.Path) -> None:
        self.file = file
        self.texts = [file.read_text()]
        self.problems: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self) -> None:
        while not self.over.wait(0.002):
            try:
                text = self.file.read_text()
                states = [state for _, state in servers(text).values()]
            except (OSError, ValueError, KeyError) as e:
                self.problems.append(repr(e))
                continue
            if "ready" not in states:
                self.problems.append(f"nobody to send a request to: {text}")
            if text != self.texts[-1]:
                self.texts.append(text)

    def end(self) -> None:
        self.over.set()
        self.thread.join()


@pytest.fixture
def node(folder):  # noqa: F811
    if not (REPOSITORY / "build/weights/small.bin").exists():
        pytest.skip("the classifier's weights are not built: make integration-programs")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        listen = "127.0.0.1:%d" % s.getsockname()[1]  # the same after a restart
    door = {"endpointsFile": str(folder / "out" / "endpoints.json")}
    (folder / "out").mkdir()
    with Controller(
        folder, listen=listen, reportInterval="200ms", ports=free_ports(), frontDoor=door
    ) as controller:
        n = Node(folder, controller)
        try:
            n.start()
            wait("the agent", lambda: n.logged("agent runs"))
            controller.ask("POST", f"{GROUP}/powerpolicies", QUICK)
            yield n
        finally:
            n.end()


def serve(node):
    """The file, once it names the one replica that serves, and the replica's name."""
    file = node.folder / "out/endpoints.json"
    put_model(node)
    put(node, "PowerPool", "all", {"minAwake": 1, "policy": "quick"}, method="PUT")
    replica = ready_replica(node)["metadata"]["name"]
    wait("the endpoint", lambda: file.exists() and "ready" in str(servers(file.read_text())))
    assert list(servers(file.read_text())) == [replica]
    return file, replica


def change_model(node, changes):
    whole = node.controller.get("servedmodels/small")["spec"] | changes
    put(node, "ServedModel", "small", whole, method="PUT")


def test_endpoints_follow_the_replicas_through_a_roll_out_and_a_restart(node):
    file, first = serve(node)
    balancer = Balancer(file)
    try:
        # A roll-out: the new one is there before the old one goes.
        with file.open() as old:
            was = old.read()
            change_model(node, {"arguments": {"weights": "small.bin", "passes": "6"}})
            wait("the roll-out", lambda: first not in servers(file.read_text()))
            # The file was replaced, not written over: who had it open reads what it was.
            old.seek(0)
            assert old.read() == was
        (second, (port, state)) = next(iter(servers(file.read_text()).items()))
        assert state == "ready" and predict(port) == 200
        steps = [servers(text) for text in balancer.texts]
        assert any(first in s and s.get(second, (0, ""))[1] == "ready" for s in steps), steps

        # Another replica, and the controller ends in between.
        node.controller.stop(signal.SIGKILL)
        before = file.read_text()
        node.controller.start()
        wait("the agent's report", lambda: ready_replica(node))
        change_model(node, {"replicas": {"min": 2, "max": 2}})
        wait(
            "both",
            lambda: [state for _, state in servers(file.read_text()).values()] == ["ready"] * 2,
        )
        assert second in servers(before) and second in servers(file.read_text())
        assert all(predict(port) == 200 for port, _ in servers(file.read_text()).values())
    finally:
        balancer.end()
    assert not balancer.problems, balancer.problems[:5]
    assert os.listdir(node.folder / "out") == ["endpoints.json"]  # nothing half-written is left


def test_what_is_written_while_the_controller_is_away_does_not_stay(node):
    """Another hand, or a disk that was restored: the next controller writes what is true."""
    file, _ = serve(node)
    true = file.read_text()
    node.controller.stop(signal.SIGKILL)
    file.write_text('{"models": {"small": {"servers": []}}}\n')
    time.sleep(0.3)  # nobody repairs it: there is no controller
    assert not servers(file.read_text())
    node.controller.start()
    wait("the truth", lambda: file.read_text() == true)
