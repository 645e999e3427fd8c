"""huddle-controller as a program: how it starts, refuses to start, answers agents, and comes back."""

import contextlib
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from tests.lab import wire
from tests.lab.controller import GROUP, LIMIT_S, Controller
from tests.lab.enter import in_lab
from tests.lab.lab import BUILD

POOL = {
    "apiVersion": "huddle.energy/v1alpha1",
    "kind": "PowerPool",
    "metadata": {"name": "rack"},
    "spec": {"minAwake": 2},
}


def run(*words):
    return subprocess.run(
        [BUILD / "huddle-controller", *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def run_config(tmp_path, text, *words):
    """The program with a configuration of this text: its exit code and what it said."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    done = run("--config", str(file), *words)
    return done.returncode, done.stderr.replace(str(file), "c.yaml").strip()


def put_pool(controller, name="rack", min_awake=2):
    pool = POOL | {"metadata": {"name": name}, "spec": {"minAwake": min_awake}}
    return controller.ask("POST", f"{GROUP}/powerpools", pool)


def report(controller, **values):
    status, body = controller.ask("POST", "/v1/report", wire.report(**values))
    assert status == 200, body
    return wire.reply(body)


def node_status(controller, name):
    """The node's status, or None while it is not known."""
    status, body = controller.ask("GET", f"{GROUP}/nodes/{name}")
    return json.loads(body)["status"] if status == 200 else None


def until(condition, what):
    """The first true value of condition()."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"never {what}")


# --- the command line ---


def test_version_help_and_usage():
    assert run("--version").stdout.startswith("huddle-controller ")
    assert "front-door-config" in run("--help").stdout
    assert "--adopt" in run("--help").stdout
    assert run("--nonsense").returncode == 2
    assert run("nonsense").returncode == 2
    assert 'what is "nonsense"' in run("nonsense").stderr


def test_check_config(tmp_path):
    assert run_config(tmp_path, "tick: 1s\n", "--check-config") == (0, "")
    code, said = run_config(tmp_path, "tick: 1s\nreportIntervall: 1s\n", "--check-config")
    assert code == 78
    assert "c.yaml:2:1: reportIntervall: unknown field; did you mean" in said
    code, said = run_config(tmp_path, "tick: [\n", "--check-config")
    assert code == 78 and "c.yaml:2:1" in said
    done = run("--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 78 and "none.yaml" in done.stderr


def test_an_open_address_needs_tls_and_tokens(tmp_path):
    code, said = run_config(tmp_path, f"stateDir: {tmp_path}/state\nlisten: 0.0.0.0:0\n")
    assert code == 78
    assert "set tls.certificate and tls.key" in said and "set tokens" in said
    assert not (tmp_path / "state").exists()


def test_a_missing_configuration_says_where_one_is(tmp_path):
    done = run("--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 78
    assert "none.yaml is not there: copy share/doc/huddle/examples/controller.yaml" in done.stderr


def test_front_door_config(tmp_path):
    state = f"stateDir: {tmp_path}/state\n"
    code, said = run_config(tmp_path, state, "front-door-config")
    assert code == 78 and "neither" in said
    file = tmp_path / "c.yaml"
    file.write_text(state + "frontDoor: {socket: /run/haproxy/admin.sock}\n")
    done = run("--config", str(file), "front-door-config")
    assert done.returncode == 0
    assert "bind 127.0.0.1:8080" in done.stdout and "/run/haproxy/admin.sock" in done.stdout


# --- life ---


def test_it_serves_and_stops(tmp_path):
    with Controller(tmp_path) as c:
        assert c.ask("GET", "/livez")[0] == 200
        assert c.ask("GET", "/readyz")[0] == 200
        assert put_pool(c)[0] == 201
        assert c.get("powerpools/rack")["spec"]["minAwake"] == 2
        assert c.stop() == 0
    assert "level=error" not in c.log.read_text()


def test_killed_it_goes_on_where_it_was(tmp_path):
    """What was answered is there again, and the term has grown."""
    c = Controller(tmp_path, clusterName="attic")
    terms = []
    try:
        for i in range(4):
            c.start()
            assert put_pool(c, f"pool{i}", i + 1)[0] == 201
            report(c, node=f"n{i}", boot_id="b", epoch=7, sequence=1)
            until(lambda: c.ask("GET", f"{GROUP}/nodes/n{i}")[0] == 200, "a node")
            terms.append(c.get("clusters/attic")["status"]["term"])
            assert c.stop(signal.SIGKILL) == -signal.SIGKILL
        c.start()
        assert terms == sorted(set(terms))
        assert {
            p["metadata"]["name"]: p["spec"]["minAwake"] for p in c.get("powerpools")["items"]
        } == {f"pool{i}": i + 1 for i in range(4)}
        assert [n["metadata"]["name"] for n in c.get("nodes")["items"]] == ["n0", "n1", "n2", "n3"]
    finally:
        c.__exit__()


def test_killed_at_any_instant_under_load(tmp_path):
    """Pools are put and nodes report without a pause; nothing that was answered is ever missing, and
    neither versions nor terms go back."""
    c = Controller(tmp_path, clusterName="attic")
    chance = random.Random(7)
    answered = {}  # pool -> resourceVersion
    going = threading.Event()
    done = threading.Event()

    def work():
        for i in itertools.count():
            if done.is_set():
                return
            going.wait()
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = put_pool(c, f"p{i:05}")
                if status == 201:
                    answered[f"p{i:05}"] = int(json.loads(body)["metadata"]["resourceVersion"])
                message = wire.report(node=f"n{i % 7}", boot_id="b", epoch=7, sequence=i + 1)
                c.ask("POST", "/v1/report", message)

    worker = threading.Thread(target=work)
    worker.start()
    term = 0
    try:
        for _ in range(8):
            c.start()
            list_ = c.get("powerpools")
            stored = {p["metadata"]["name"] for p in list_["items"]}
            before = dict(answered)
            assert set(before) <= stored
            version = int(list_["metadata"]["resourceVersion"])
            assert version >= max(before.values(), default=0)
            grown = c.get("clusters/attic")["status"]["term"]
            assert grown > term
            term = grown
            going.set()
            time.sleep(chance.uniform(0, 0.4))  # no condition to wait for: any instant will do
            c.stop(signal.SIGKILL)
            going.clear()
        assert len(answered) > 5
    finally:
        done.set()
        going.set()
        worker.join()
        c.__exit__()


def test_a_second_one_is_refused(tmp_path):
    with Controller(tmp_path) as first:
        (tmp_path / "second").mkdir()
        second = Controller(tmp_path / "second", stateDir=str(tmp_path / "state"))
        process = second.launch()
        assert process.wait(timeout=LIMIT_S) == 1
        assert "in use by another process" in second.log.read_text()
        assert first.ask("GET", "/livez")[0] == 200


def test_a_damaged_store_is_left_alone(tmp_path):
    with Controller(tmp_path) as c:
        put_pool(c)
        c.stop()
    journal = tmp_path / "state" / "journal.db"
    journal.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    before = journal.read_bytes()
    process = c.launch()
    assert process.wait(timeout=LIMIT_S) == 78
    assert "damaged" in c.log.read_text()
    assert journal.read_bytes() == before


def test_a_port_that_is_given_back_is_waited_for(tmp_path):
    """A child of one that was killed may hold it for a moment."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        controller = Controller(tmp_path, listen=f"127.0.0.1:{held.getsockname()[1]}")
        controller.process = controller.launch()
        time.sleep(1)
        assert controller.process.poll() is None
    try:
        controller.wait_for_log(r"msg=(ready)")
    finally:
        assert controller.stop() == 0
    assert "cannot listen" not in controller.log.read_text()


def test_the_port_in_use_is_named(tmp_path):
    with Controller(tmp_path) as first:
        (tmp_path / "second").mkdir()
        second = Controller(tmp_path / "second", listen=f"127.0.0.1:{first.port}")
        assert second.launch().wait(timeout=LIMIT_S) == 1
        assert str(first.port) in second.log.read_text()


# --- front door ---


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_the_front_door_outlives_it(tmp_path):
    port, folder = free_port(), tempfile.mkdtemp(prefix="huddle-")  # short: a socket's path
    door = {"run": True, "listen": f"127.0.0.1:{port}", "dir": folder}
    c = Controller(tmp_path, frontDoor=door)
    pid_file = pathlib.Path(folder) / "haproxy.pid"

    def status():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        with contextlib.closing(connection):
            connection.request("GET", "/nobody/v1")
            return connection.getresponse().status

    try:
        c.start()
        until(lambda: c.ask("GET", "/readyz")[0] == 200, "a front door")
        first = pid_file.read_text()
        assert status() == 404
        c.stop(signal.SIGKILL)
        assert status() == 404
        c.start()
        until(lambda: c.ask("GET", "/readyz")[0] == 200, "the front door again")
        assert pid_file.read_text() == first
        assert c.stop() == 0
        assert status() == 404
    finally:
        c.__exit__()
        if pid_file.exists():
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        shutil.rmtree(folder)


def test_a_front_door_that_cannot_be_is_refused(tmp_path):
    with tempfile.TemporaryDirectory(prefix="huddle-") as folder:
        door = f"{{run: true, program: /no/haproxy, dir: {folder}}}"
        text = f"stateDir: {tmp_path}/state\nlisten: 127.0.0.1:0\nfrontDoor: {door}\n"
        code, said = run_config(tmp_path, text)
    assert code == 78 and "/no/haproxy" in said and "ControllerStarted" not in said


def test_somebody_elses_front_door_that_is_not_there(tmp_path):
    """It serves without it, says what to do, and ends without a word of what was mended."""
    with tempfile.TemporaryDirectory(prefix="huddle-") as folder:
        door = {"socket": f"{folder}/none.sock", "dir": f"{folder}/door"}
        with Controller(tmp_path, frontDoor=door) as c:
            assert "none.sock" in c.wait_for_log(r"(none.sock: .* `huddle-controller front-door-c)")
            assert put_pool(c)[0] == 201
            assert c.get("clusters")["items"][0]["status"]["frontDoor"] == {
                "configured": True,
                "reachable": False,
            }
            assert c.stop() == 0
    assert "\nhuddle-controller: " not in c.log.read_text()


# --- agents ---


def test_a_report_makes_a_node_and_is_answered(tmp_path):
    with Controller(tmp_path, clusterName="attic", reportInterval="1s") as c:
        first = report(
            c,
            node="a",
            boot_id="b",
            epoch=2**63 + 5,
            sequence=1,
            energy_measured_uj=3_000_000,
            inventory={"cpus": 4, "cpu_milli": 4000, "memory_bytes": 2**33},
        )
        assert (first["epoch"], first["sequence"]) == (2**63 + 5, 1)
        assert 0 < first["next_interval_ms"] <= 1000
        status = until(lambda: node_status(c, "a"), "a node")
        assert status["capacity"]["cpuMilli"] == 4000
        assert status["energy"]["measuredJ"] == 0  # the first one says where the counter stands
        numbers = iter(range(2, 100000))

        def published():
            answer = report(
                c,
                node="a",
                boot_id="b",
                epoch=2**63 + 5,
                sequence=next(numbers),
                energy_measured_uj=5_000_000,
            )
            return answer if answer["cluster_id"] == b"attic" else None

        answer = until(published, "the desired state")
        assert answer["term"] == 1 and answer["desired_present"] == 1
        assert answer["next_interval_ms"] == 1000 and answer["send_inventory"] == 0
        until(lambda: node_status(c, "a")["energy"]["measuredJ"] == 2, "two joules more")


def test_what_is_no_report_is_refused(tmp_path):
    with Controller(tmp_path, nodesMax=1) as c:
        assert c.ask("POST", "/v1/report", b"\xff\xff\xff")[0] == 400
        assert c.ask("POST", "/v1/report", wire.report(boot_id="b"))[0] == 400
        report(c, node="a", boot_id="b", epoch=1, sequence=1)
        status, body = c.ask(
            "POST", "/v1/report", wire.report(node="b", boot_id="b", epoch=1, sequence=1)
        )
        assert status == 403 and b"nodesMax" in body
        until(lambda: len(c.get("nodes")["items"]) == 1, "one node")


# --- tokens ---


def token_line(name, role, token, more=""):
    return f"{name} {role} sha256:{hashlib.sha256(token.encode()).hexdigest()}{more}\n"


def test_tokens_are_read_again_on_hangup(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text(token_line("a", "agent", "aaa", " node:*") + token_line("v", "viewer", "vvv"))
    message = wire.report(node="a", boot_id="b", epoch=1, sequence=1)
    with Controller(tmp_path, tokens=str(tokens)) as c:

        def nodes(token):
            return c.ask("GET", f"{GROUP}/nodes", token=token)[0]

        assert (nodes(""), nodes("aaa"), nodes("vvv"), nodes("new")) == (401, 403, 200, 401)
        assert c.ask("POST", "/v1/report", message, token="vvv")[0] == 403
        assert c.ask("POST", "/v1/report", message, token="aaa")[0] == 200
        tokens.write_text(token_line("n", "viewer", "new"))
        c.process.send_signal(signal.SIGHUP)
        until(lambda: nodes("new") == 200, "the new token")
        assert nodes("vvv") == 401
        tokens.write_text("nonsense\n")
        c.process.send_signal(signal.SIGHUP)
        c.wait_for_log(
            r"(the configuration is refused; the old one stays).*tokens:1: expected: NAME"
        )
        assert nodes("new") == 200


# --- disk ---


@pytest.mark.parametrize("verb", ["POST", "DELETE"])
def test_an_answered_change_is_durable(tmp_path, verb):
    """Killed right after the answer, again and again."""
    c = Controller(tmp_path)
    try:
        for i in range(3):
            c.start()
            if verb == "POST":
                assert put_pool(c, f"p{i}")[0] == 201
                wanted = [f"p{k}" for k in range(i + 1)]
            else:
                assert put_pool(c, "p")[0] == 201
                assert c.ask("DELETE", f"{GROUP}/powerpools/p")[0] == 200
                wanted = []
            c.stop(signal.SIGKILL)
            c.start()
            assert [p["metadata"]["name"] for p in c.get("powerpools")["items"]] == wanted
            c.stop(signal.SIGKILL)
    finally:
        c.__exit__()


def test_a_failed_disk_ends_it_and_loses_nothing_answered(tmp_path):
    """Writes fail from some size on: it ends with 70, and comes back with all that it had answered."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    c = Controller(tmp_path)
    answered = []
    try:
        c.start(prepare=limit)
        for i in range(10000):
            try:
                status = put_pool(c, f"p{i:05}")[0]
            except (OSError, http.client.HTTPException):
                break
            if status == 503:
                break
            assert status in (201, 429)
            if status == 201:
                answered.append(f"p{i:05}")
        assert c.process.wait(timeout=LIMIT_S) == 70
        c.process = None
        assert answered and "the store failed" in c.log.read_text()
        c.start()
        names = {p["metadata"]["name"] for p in c.get("powerpools")["items"]}
        assert names >= set(answered)
    finally:
        c.__exit__()


@in_lab(180)
def test_a_full_disk_is_told_and_made_good():
    """Calls that change something are 503 while there is no room; afterwards nothing is missing."""
    state, folder = pathlib.Path("/mnt/state"), pathlib.Path("/mnt/controller")
    state.mkdir()
    folder.mkdir()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", state], check=True)
    c = Controller(folder, stateDir=str(state))
    try:
        c.start()
        assert put_pool(c, "before")[0] == 201
        fill = state / "fill"
        with contextlib.suppress(OSError), fill.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        numbers = iter(range(100000))
        refused = until(lambda: first_refused(c, numbers), "a full disk")
        status, body = c.ask("GET", "/readyz")
        assert status == 503 and b"store" in body
        fill.unlink()
        until(lambda: c.ask("GET", "/readyz")[0] == 200, "room again")
        assert put_pool(c, "after")[0] == 201
        assert c.stop(signal.SIGKILL) == -signal.SIGKILL
        c.start()
        names = {p["metadata"]["name"] for p in c.get("powerpools")["items"]}
        assert {"before", refused, "after"} <= names
    finally:
        c.__exit__()


def first_refused(controller, numbers):
    name = f"p{next(numbers):05}"
    status = put_pool(controller, name)[0]
    assert status in (201, 429, 503)
    return name if status == 503 else None


# --- systemd ---


def test_systemd_is_told(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(LIMIT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with Controller(tmp_path) as c:
            until(lambda: told.recv(100) == b"READY=1", "ready")
            until(lambda: told.recv(100) == b"WATCHDOG=1", "alive")
            assert c.stop() == 0
            until(lambda: told.recv(100) == b"STOPPING=1", "stopping")
