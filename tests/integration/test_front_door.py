"""The front door on a real HAProxy: servers come and go under load, processes die, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from tests.integration.front_door import (
    DRIVER,
    Door,
    Load,
    Replica,
    eventually,
    free_port,
    haproxies,
)

HAPROXY = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
if not HAPROXY:
    pytest.skip("haproxy is not installed", allow_module_level=True)

Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Iterator[Make]:
    """Makes doors and replicas that are gone after the test, however it ends."""
    folder = tmp_path / "d"
    made: list[Door | Replica] = []

    def build(kind: type, *arguments: Any, **options: Any) -> Any:
        thing = kind(folder, **options) if kind is Door else kind(*arguments, **options)
        made.append(thing)
        return thing

    yield build
    for thing in reversed(made):
        if isinstance(thing, Door):
            thing.leave()
        elif thing.thread.is_alive():
            thing.stop()
    assert haproxies(folder) == []


@pytest.fixture
def door(make: Make) -> Door:
    made: Door = make(Door)
    made.start()
    return made


def serve(door: Door, make: Make, *names: str, model: str = "chat", **more: Any) -> list[Replica]:
    replicas: list[Replica] = [make(Replica, name) for name in names]
    door.want(model, *replicas, **more)
    door.settle()
    for name in names:
        door.wait_state(name, "ready")
    return replicas


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"run": True}, {"socket": "/run/haproxy/admin.sock"}])
def test_configuration_is_accepted(make: Make, door: Door, options: dict[str, object]) -> None:
    """Also the one for people who run HAProxy themselves, on the files that a controller made."""
    eventually("its files", lambda: (door.folder / "probes.map").exists())
    done = subprocess.run(
        [DRIVER, json.dumps({"config": True, "dir": str(door.folder), **options})],
        capture_output=True,
        text=True,
        check=True,
    )
    text = door.folder / "printed.cfg"
    text.write_text(done.stdout, encoding="utf-8")
    checked = subprocess.run(
        [str(HAPROXY), "-c", "-f", str(text)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


@pytest.mark.parametrize(
    "options, said",
    [
        ({"dir": "relative"}, "absolute path"),
        ({"dir": "/tmp/a b"}, "absolute path"),
        ({"listen": "8080"}, "address:port"),
        ({"listen": "0.0.0.0:80 user root"}, "address:port"),
        ({"program": "no-such-haproxy"}, "install HAProxy"),
        ({"dir": "/proc/no"}, "/proc/no"),
        ({"dir": "/tmp/" + "x" * 90}, "too long"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: pathlib.Path, options: dict[str, object], said: str
) -> None:
    all_options = {"run": True, "dir": str(tmp_path / "d"), **options}
    done = subprocess.run(
        [DRIVER, json.dumps(all_options)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr


def test_a_taken_port_is_said_and_tried_again(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        door = make(Door, port=taken.getsockname()[1])
        door.start()
        eventually("a note", lambda: any("did not start" in note for note in door.notes))
        assert door.facts["reachable"] is False
    eventually("a start", lambda: door.facts["reachable"])


# --- routing and waiting ------------------------------------------------------------------------


def test_routes(door: Door, make: Make) -> None:
    serve(door, make, "chat-1")
    for path, headers, seen in (
        ("/v1/x?y=1", {"Host": "chat"}, "/v1/x?y=1"),
        ("/v1/x?y=1", {"Host": "CHAT:8080"}, "/v1/x?y=1"),
        ("/v1/x?y=1", {"Host": "chat.models.example.org"}, "/v1/x?y=1"),
        ("/v1/x?y=1", {"X-Huddle-Model": "chat"}, "/v1/x?y=1"),
        ("/chat/v1/x?y=1", {}, "/v1/x?y=1"),
        ("/chat/", {}, "/"),
        ("/chat", {}, "/"),
        ("/chat/x", {"Host": "chat"}, "/chat/x"),
    ):
        assert door.get(path, **headers) == (200, f"chat-1 {seen}"), (path, headers)
    for path, headers in (("/other/x", {}), ("/", {"Host": "other"})):
        status, body = door.get(path, **headers)
        assert status == 404
        assert json.loads(body) == {"error": "no such model"}


def test_a_request_waits_for_the_first_server(door: Door, make: Make) -> None:
    """Also demand for a model that has none: it is counted, and it shows as queue."""
    door.want("chat")
    door.settle()
    eventually("the model", lambda: "chat" in door.facts["models"])
    answers: list[tuple[int, str]] = []
    client = threading.Thread(target=lambda: answers.append(door.get("/x", Host="chat")))
    client.start()
    eventually("its wait", lambda: door.facts["models"]["chat"]["queue"] == 1)
    assert door.facts["models"]["chat"]["requests"] == 1
    assert not answers
    serve(door, make, "chat-1")
    client.join()
    assert answers == [(200, "chat-1 /x")]


def test_a_wait_ends(make: Make) -> None:
    door = make(Door, queue_ms=300)
    door.start()
    door.want("chat")
    door.settle()
    eventually("the model", lambda: "chat" in door.facts["models"])
    answer, body = door.ask("POST", "/chat/x")
    assert answer.status == 503
    assert answer.getheader("Retry-After") == "5"
    assert json.loads(body) == {"error": "no replica is ready"}
    eventually("its count", lambda: door.facts["models"]["chat"]["errors"] == 1)


def test_a_client_that_gives_up_waiting_is_no_error(door: Door) -> None:
    door.want("chat")
    door.settle()
    eventually("the model", lambda: "chat" in door.facts["models"])
    with socket.create_connection(("127.0.0.1", door.port)) as client:
        client.sendall(b"GET /chat/x HTTP/1.1\r\nHost: chat\r\n\r\n")
        eventually("a wait", lambda: door.facts["models"]["chat"]["queue"] == 1)
    eventually("the end", lambda: door.facts["models"]["chat"]["queue"] == 0)
    door.wait_looks()
    assert door.facts["models"]["chat"]["requests"] == 1
    assert door.facts["models"]["chat"]["errors"] == 0


# --- servers ------------------------------------------------------------------------------------


def test_servers_come_and_go_under_load(door: Door, make: Make) -> None:
    """Each replica is stopped for real as soon as the facts say that it is empty."""
    (old,) = serve(door, make, "chat-0")
    with Load(door.port, "chat") as load:
        load.more()
        for i in range(1, 4):
            new = make(Replica, f"chat-{i}")
            door.want("chat", old, new)
            door.wait_state(new.name, "ready")
            door.want("chat", (old, "drain"), new)
            door.wait_state(old.name, "drain")
            eventually("an empty server", lambda: door.in_flight(old.name) == 0)
            door.wait_looks()
            assert door.in_flight(old.name) == 0
            old.stop()
            door.want("chat", new)
            door.wait_state(old.name, "absent")
            load.more()
            old = new
    assert load.failed() == []
    facts = door.facts["models"]["chat"]
    assert facts["errors"] == 0
    eventually("all counts", lambda: door.facts["models"]["chat"]["requests"] == load.answers)
    assert facts["latency_ms"] is not None


def test_a_long_answer_outlives_its_drain(door: Door, make: Make) -> None:
    one, two = serve(door, make, "chat-1", "chat-2")
    two.healthy = False
    door.wait_state("chat-2", "down")
    answers: list[tuple[int, str]] = []
    client = threading.Thread(target=lambda: answers.append(door.get("/held", Host="chat")))
    client.start()
    eventually("the request", lambda: door.in_flight("chat-1") == 1)
    two.healthy = True
    door.wait_state("chat-2", "ready")
    door.want("chat", (one, "drain"), two)
    door.wait_state("chat-1", "drain")
    assert door.get("/x", Host="chat") == (200, "chat-2 /x")
    assert door.in_flight("chat-1") == 1
    door.want("chat", two)  # taken out too early: it still serves what it has
    door.wait_looks(3)
    assert (door.state("chat-1"), door.in_flight("chat-1")) == ("drain", 1)
    one.held.release()
    client.join()
    assert answers == [(200, "chat-1")]
    door.wait_state("chat-1", "absent")


def test_a_drained_server_comes_back(door: Door, make: Make) -> None:
    one, two = serve(door, make, "chat-1", "chat-2")
    door.want("chat", (one, "drain"), two)
    door.wait_state("chat-1", "drain")
    door.want("chat", one, (two, "drain"))
    door.wait_state("chat-1", "ready")
    door.wait_state("chat-2", "drain")
    assert door.get("/chat/x") == (200, "chat-1 /x")


def test_a_dead_server_is_found_out_and_found_again(door: Door, make: Make) -> None:
    one, _two = serve(door, make, "chat-1", "chat-2")
    port = one.server_address[1]
    one.stop()
    with Load(door.port, "chat") as load:
        load.more(20)
        door.wait_state("chat-1", "down")
        load.more(20)
        make(Replica, "chat-1", port)
        door.wait_state("chat-1", "ready")
        load.more(20)
    assert load.failed() == []  # refused connections were tried elsewhere


def test_readiness_decides(door: Door, make: Make) -> None:
    (one,) = serve(door, make, "chat-1")
    one.healthy = False
    door.wait_state("chat-1", "down")
    one.healthy = True
    door.wait_state("chat-1", "ready")
    assert one.checks > 0


def test_a_server_is_not_ready_before_its_first_check(door: Door, make: Make) -> None:
    sick = make(Replica, "chat-1")
    sick.healthy = False
    states = set()
    door.want("chat", sick)
    door.settle()
    door.wait_state("chat-1", "down")
    for _ in range(3):
        door.wait_looks(1)
        states.add(door.state("chat-1"))
    assert states == {"down"}


def test_limit_queues_at_the_door(door: Door, make: Make) -> None:
    (one,) = serve(door, make, "chat-1", limit=1)
    clients = [
        threading.Thread(target=door.get, args=("/held",), kwargs={"Host": "chat"})
        for _ in range(3)
    ]
    for client in clients:
        client.start()
    eventually("a queue", lambda: door.facts["models"]["chat"]["queue"] == 2)
    assert one.served == 1
    door.want("chat", one, limit=0)
    door.wait_looks(2)  # the limit is gone: those in the queue go on as the first one ends
    for _ in clients:
        one.held.release()
    for client in clients:
        client.join()
    eventually("an empty queue", lambda: door.facts["models"]["chat"]["queue"] == 0)
    assert one.served == 3


def test_a_new_address_and_a_new_check(door: Door, make: Make) -> None:
    """The check's kind changes the slot behind the model's back: nobody notices."""
    one, two = serve(door, make, "chat-1", "chat-2")
    with Load(door.port, "chat") as load:
        load.more()
        door.want("chat", one, two, probe=None)
        eventually("the slot", lambda: "tcp-0" in (door.folder / "models.map").read_text("utf-8"))
        load.more()
        for replica in (one, two):
            door.wait_state(replica.name, "ready")
        other = make(Replica, "chat-1")
        door.want("chat", other, two, probe=None)
        eventually("requests at the new address", lambda: other.served > 0)
        load.more()
    assert load.failed() == []
    assert door.facts["models"]["chat"]["errors"] == 0


def test_models_come_and_go(door: Door, make: Make) -> None:
    serve(door, make, "chat-1")
    serve(door, make, "embed-1", model="embed")
    assert door.get("/embed/x") == (200, "embed-1 /x")
    door.tell(gone="embed")
    eventually("the end of its route", lambda: door.get("/embed/x")[0] == 404)
    door.wait_state("embed-1", "absent")
    serve(door, make, "rank-1", model="rank")
    assert door.get("/rank/x") == (200, "rank-1 /x")
    assert door.get("/chat/x") == (200, "chat-1 /x")
    assert door.facts["models"]["rank"]["requests"] <= 1  # what embed counted is not its


def test_too_many_models(make: Make) -> None:
    door = make(Door, slots=1)
    door.start()
    serve(door, make, "chat-1")
    other = make(Replica, "embed-1")
    door.want("embed", other)
    eventually("a note", lambda: any("embed has no slot" in note for note in door.notes))
    assert door.get("/chat/x")[0] == 200
    door.tell(gone="chat")
    door.wait_state("embed-1", "ready")  # the slot is its now
    assert door.get("/embed/x") == (200, "embed-1 /x")


@pytest.mark.parametrize(
    "line, said",
    [
        ({"want": "a;b"}, "not a name for a route"),
        ({"want": "a", "servers": [["x;shutdown", "127.0.0.1:1", "ready"]]}, "not a name for a"),
        ({"want": "a", "servers": [["x", "127.0.0.1:1;x", "ready"]]}, "not an IP address"),
        ({"want": "a", "servers": [["x", "localhost:80", "ready"]]}, "not an IP address"),
        ({"want": "a", "probe": "/a;b"}, "readiness path"),
        ({"want": "a", "probe": "/a b"}, "readiness path"),
        ({"want": "a", "probe": "no-slash"}, "readiness path"),
    ],
)
def test_what_cannot_be_said_is_refused(
    door: Door, make: Make, line: dict[str, Any], said: str
) -> None:
    serve(door, make, "chat-1")
    door.tell(**line)
    eventually("a note", lambda: any(said in note for note in door.notes))
    door.wait_looks()
    assert door.state("x") == "absent"
    assert door.get("/chat/x")[0] == 200


# --- counters -----------------------------------------------------------------------------------


def test_counts(door: Door, make: Make) -> None:
    (one,) = serve(door, make, "chat-1")
    begin = door.facts
    for path in ("/x", "/x", "/error", "/cut"):
        try:
            door.get(path, Host="chat")
        except OSError:
            pass
        except Exception as cut:  # an answer that ends early
            assert path == "/cut", cut
    with pytest.raises(TimeoutError):
        door.get("/held", limit_s=0.2, Host="chat")  # the client's doing
    one.held.release()
    eventually("five requests", lambda: door.facts["models"]["chat"]["requests"] == 5)
    eventually("an empty server", lambda: door.in_flight("chat-1") == 0)
    assert door.facts["models"]["chat"]["errors"] == 2
    assert door.facts["epoch"] == begin["epoch"]
    assert door.facts["models"]["chat"]["latency_ms"] < 1000
    eventually("no old latency", lambda: door.facts["models"]["chat"]["latency_ms"] is None)


# --- processes ----------------------------------------------------------------------------------


def test_haproxy_killed(door: Door, make: Make) -> None:
    one, two = serve(door, make, "chat-1", "chat-2")
    door.want("chat", one, (two, "drain"))
    door.wait_state("chat-2", "drain")
    epoch, pid = door.facts["epoch"], door.pid()
    begin = time.monotonic()
    subprocess.run(["kill", "-9", str(pid)], check=True)
    eventually("another process", lambda: door.pid() != pid)
    answer = eventually("an answer", lambda: _try(door))
    assert time.monotonic() - begin < 2
    assert answer == (200, "chat-1 /x")
    door.wait_state("chat-2", "drain")
    door.wait_state("chat-1", "ready")
    assert door.facts["epoch"] != epoch
    assert door.facts["reachable"]


def _try(door: Door) -> tuple[int, str] | None:
    try:
        return door.get("/chat/x")
    except OSError:
        return None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_the_controller_gone(door: Door, make: Make, how: signal.Signals | None) -> None:
    one, two = serve(door, make, "chat-1", "chat-2")
    serve(door, make, "embed-1", model="embed")
    with Load(door.port, "chat") as load:
        load.more()
        pid = door.pid()
        door.end(how)
        load.more()
        later = make(Door, port=door.port)
        later.start()
        eventually("adoption", lambda: later.facts["reachable"])
        later.wait_looks(3)  # nothing is known yet, so nothing is touched
        assert later.state("chat-1") == later.state("chat-2") == "ready"
        later.want("chat", one, (two, "drain"))
        later.settle()
        later.wait_state("chat-2", "drain")
        load.more()
        eventually("the end of a model that nobody named", lambda: door.get("/embed/x")[0] == 404)
        later.wait_state("embed-1", "absent")
    assert load.failed() == []
    assert later.pid() == pid
    assert not any("started" in note for note in later.notes)


def test_another_configuration_takes_over(door: Door, make: Make) -> None:
    """A new process gets the sockets; the old one ends with its last request, and until then nobody
    claims to know what is in flight."""
    one, two = serve(door, make, "chat-1", "chat-2")
    two.healthy = False
    door.wait_state("chat-2", "down")
    answers: list[tuple[int, str]] = []
    client = threading.Thread(target=lambda: answers.append(door.get("/held", Host="chat")))
    client.start()
    eventually("the request", lambda: door.in_flight("chat-1") == 1)
    two.healthy = True
    door.wait_state("chat-2", "ready")
    pid = door.pid()
    with Load(door.port, "chat") as load:
        load.more()
        assert door.end() == 0
        later = make(Door, port=door.port, queue_ms=50000)
        later.start()
        later.want("chat", (one, "drain"), two)
        later.settle()
        eventually("another process", lambda: later.pid() != pid)
        later.wait_state("chat-1", "drain")
        load.more()
    assert load.failed() == []
    eventually("the old process and the new", lambda: len(haproxies(door.folder)) == 2)
    later.wait_looks()
    assert later.state("chat-1") == "drain" and later.in_flight("chat-1") is None
    one.held.release()
    client.join()
    assert answers == [(200, "chat-1")]
    eventually("the end of the old process", lambda: haproxies(door.folder) == [later.pid()])
    eventually("knowledge", lambda: later.in_flight("chat-1") == 0)


def test_a_configuration_that_does_not_start_changes_nothing(door: Door, make: Make) -> None:
    serve(door, make, "chat-1")
    assert door.end() == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        later = make(Door, port=taken.getsockname()[1])
        later.start()
        eventually("a note", lambda: any("did not start" in note for note in later.notes))
        assert door.get("/chat/x") == (200, "chat-1 /x")
        assert later.facts["reachable"]
        assert later.state("chat-1") == "ready"


def start_theirs(door: Door, admin: pathlib.Path) -> list[str]:
    """Somebody's HAProxy with our configuration text, at that admin socket: the command that did it."""
    eventually("the files that it names", lambda: list(door.folder.glob("*.lua")))
    done = subprocess.run(
        [DRIVER, json.dumps({"config": True, **door.options})],
        capture_output=True,
        text=True,
        check=True,
    )
    # Our test is not always root, and Debian's user may not be there.
    lines = [
        line.replace(" group haproxy", "").replace(door.options["socket"], str(admin))
        for line in done.stdout.splitlines()
        if line.split() not in (["user", "haproxy"], ["group", "haproxy"])
    ]
    config = door.folder / "haproxy.cfg"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [str(HAPROXY), "-D", "-f", str(config), "-p", str(door.folder / "haproxy.pid")]
    subprocess.run(command, check=True, capture_output=True)
    return command


def test_somebody_elses_haproxy(make: Make, tmp_path: pathlib.Path) -> None:
    """Their process, our configuration text; they reload it, and it ends as it was."""
    port, admin = free_port(), tmp_path / "admin.sock"
    door = make(Door, port=port, run=False, socket=str(admin))
    door.start()
    eventually("word that it is away", lambda: door.facts["reachable"] is False)
    command = start_theirs(door, admin)
    serve(door, make, "chat-1")
    epoch = door.facts["epoch"]
    assert not any("another configuration" in note for note in door.notes)
    with Load(port, "chat") as load:
        load.more()
        old = ["-x", str(admin), "-sf", str(door.pid())]
        subprocess.run([*command, *old], check=True, capture_output=True)
        eventually("a new epoch", lambda: door.facts["epoch"] != epoch)
        door.wait_state("chat-1", "ready")
        load.more()
    assert load.failed() == []
    eventually("the end of the old process", lambda: haproxies(door.folder) == [door.pid()])


def test_a_call_that_another_process_took_is_made_again(make: Make, tmp_path: pathlib.Path) -> None:
    """While one takes over from another both answer at the socket. Who is to finish waits for whoever
    follows its requests, so that a follower must not stay there."""
    real, followers = tmp_path / "real.sock", []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
        listener.listen()

        def talk() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                line = peer.recv(65536)
                if b"show events" in line:
                    followers.append(peer)
                    peer.sendall(b"Pid: 1\n" if len(followers) == 1 else b"")
                    continue
                with contextlib.suppress(OSError), peer, socket.socket(socket.AF_UNIX) as behind:
                    behind.connect(str(real))
                    behind.sendall(line)
                    while answer := behind.recv(65536):
                        peer.sendall(answer)

        door = make(Door, port=free_port(), run=False, socket=str(tmp_path / "admin.sock"))
        door.start()
        start_theirs(door, real)
        threading.Thread(target=talk, daemon=True).start()
        eventually("the call again", lambda: len(followers) == 2)
        assert followers[0].recv(1) == b""  # and not there any more
        door.wait_looks()
        assert len(followers) == 2
        listener.shutdown(socket.SHUT_RDWR)


# --- hostile and absent -------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [b"", b"garbage\n", b"Pid: 1\n\n", b"\0" * 100, None])
def test_strange_answers(make: Make, tmp_path: pathlib.Path, answer: bytes | None) -> None:
    """None: a peer that listens and never says anything."""
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def talk() -> None:
            kept = []
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                if answer is None:
                    kept.append(peer)
                    continue
                with peer:
                    peer.sendall(answer)

        threading.Thread(target=talk, daemon=True).start()
        door = make(Door, run=False, socket=str(path))
        door.start()
        door.tell(want="chat", servers=[["chat-1", "127.0.0.1:1", "ready"]])
        eventually("word", lambda: door.facts["reachable"] is False)
        door.wait_looks()
        assert door.facts["reachable"] is False
        assert door.notes
        assert len(door.notes) < 5  # said once, not every second
        listener.shutdown(socket.SHUT_RDWR)


def test_endpoints_file(make: Make, tmp_path: pathlib.Path) -> None:
    """With our front door, and for others alone."""
    with_door = make(Door, endpoints=str(tmp_path / "with.json"))
    alone = make(Door, run=False, endpoints=str(tmp_path / "alone.json"))
    one, two = make(Replica, "chat-1"), make(Replica, "chat-2")

    def states(file: pathlib.Path) -> dict[str, tuple[str, str]]:
        if not file.exists():
            return {}
        servers = json.loads(file.read_text(encoding="utf-8"))["models"]["chat"]["servers"]
        return {s["uid"]: (s["address"], s["state"]) for s in servers}

    for door, file in ((with_door, tmp_path / "with.json"), (alone, tmp_path / "alone.json")):
        door.start()
        door.want("chat", one, (two, "drain"))
        time.sleep(0.05)
        assert not file.exists()  # not all models have been named
        door.settle()
        wanted = {"chat-1": (one.address, "ready"), "chat-2": (two.address, "drain")}
        eventually("the file", lambda f=file, w=wanted: states(f) == w)
        door.want("chat", two)
        eventually("a change", lambda f=file: states(f) == {"chat-2": (two.address, "ready")})
    two.stop()
    eventually("down", lambda: states(tmp_path / "with.json") == {"chat-2": (two.address, "down")})
    assert alone.facts["reachable"] is None  # there is none: nothing is told of it
