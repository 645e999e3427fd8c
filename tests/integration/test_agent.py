"""huddle-agent as a program: one look, a recording, its configuration, and a node with a controller:
replicas that outlive the agent, that say why they failed, and that end without a lost request."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import prometheus_server
import pytest

from tests.lab.controller import GROUP, LIMIT_S, Controller
from tests.lab.lab import BUILD, REPOSITORY

AGENT = BUILD / "huddle-agent"
WEIGHTS = REPOSITORY / "build/weights"


def run(*words, **options):
    return subprocess.run(
        [AGENT, *words], capture_output=True, text=True, timeout=LIMIT_S, check=False, **options
    )


def wait(what, condition, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {limit_s} s for {what}")


# --- without a controller ---


def test_once_json():
    done = run("--once", "-o", "json", "--seconds", "0.2")
    assert done.returncode == 0, done.stderr
    look = json.loads(done.stdout)
    assert {"zones", "node", "cpu", "memory", "gpus", "problems"} <= look.keys()
    assert look["cpu"]["online"] >= 1 and 0 <= look["cpu"]["busy"] <= 1
    assert len(look["cpu"]["each"]) == look["cpu"]["online"]
    assert look["cpu"]["busiest"] in [one["cpu"] for one in look["cpu"]["each"]]
    assert look["memory"]["used_bytes"] > 0
    assert set(look["node"]) == {"energy_uj", "power_w", "provenance", "counted"}


def test_once_table():
    done = run("--once", "--seconds", "0.1")
    assert done.returncode == 0 and done.stdout.startswith("ZONE "), done
    assert re.search(r"^busiest  cpu\d+ [\d.]+ %", done.stdout, re.MULTILINE)


def test_record(tmp_path):
    file = tmp_path / "n1.csv"
    with subprocess.Popen([AGENT, "--record", str(file), "--seconds", "0.1"]) as agent:
        wait("lines", lambda: file.exists() and file.read_text().count("\n") >= 4)
        rights = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
        agent.send_signal(signal.SIGINT)
        assert agent.wait(timeout=LIMIT_S) == 0
    assert re.search(r"^CapPrm:\t0+$", rights, re.M)  # looking needs none
    head, *lines = file.read_text().splitlines()
    assert head.startswith("time_ms,cpus,busy_s,")
    assert all(line.count(",") == head.count(",") for line in lines)
    times = [int(line.split(",")[0]) for line in lines]
    assert times == sorted(times) and len(set(times)) == len(times)


def test_record_to_a_full_disk():
    done = run("--record", "/dev/full", "--seconds", "0.1")
    assert done.returncode == 1 and "No space left" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--nonsense"],
        ["word"],
        ["-o", "json"],
        ["--once", "-o", "xml"],
        ["--once", "--seconds", "0"],
        ["--once", "--record", "-"],
        ["--once", "--config", "x"],
        ["--seconds", "1"],
        ["--check-config", "--once"],
    ],
)
def test_usage(words):
    done = run(*words)
    assert done.returncode == 2 and "huddle-agent --help" in done.stderr and not done.stdout


def test_help_and_version():
    for words, begin in (["--help"], "usage: "), (["--version"], "huddle-agent "):
        done = run(*words)
        assert done.returncode == 0 and done.stdout.startswith(begin)


def test_configuration_is_refused_with_its_place(tmp_path):
    file = tmp_path / "agent.yaml"
    file.write_text("node: n1\ncontroller:\n  urll: http://127.0.0.1:1\n")
    for words in (["--check-config"], []):
        done = run("--config", str(file), *words)
        assert done.returncode == 78
        assert f"{file}:3:" in done.stderr and "url" in done.stderr
    file.write_text("node: n1\ncontroller: {url: 'http://127.0.0.1:1'}\n")
    assert run("--config", str(file), "--check-config").returncode == 0
    done = run("--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 78
    assert "none.yaml is not there: copy share/doc/huddle/examples/agent.yaml" in done.stderr


def test_runtimes_are_checked_with_the_configuration(tmp_path):
    runtimes = tmp_path / "runtimes.d"
    runtimes.mkdir(mode=0o755)
    file = tmp_path / "agent.yaml"
    file.write_text(f"controller: {{url: 'http://127.0.0.1:1'}}\nruntimesDir: {runtimes}\n")
    done = run("--config", str(file), "--check-config")
    assert done.returncode == 0 and f"0 runtimes in {runtimes}\n" in done.stdout
    one = runtimes / "one.yaml"
    one.write_text("name: one\nexec: /bin/one\n")
    one.chmod(0o644)
    done = run("--config", str(file), "--check-config")
    assert done.returncode == 0 and f"1 runtime in {runtimes}: one\n" in done.stdout
    one.write_text("name: one\nexce: /bin/one\n")
    done = run("--config", str(file), "--check-config")
    assert done.returncode == 78 and not done.stdout
    assert f"{one}:2:1: exce: unknown field; did you mean" in done.stderr


# --- a node ---


class Node:
    """An agent on loopback. Keywords are keys of agent.yaml."""

    def __init__(self, folder: pathlib.Path, controller: Controller, **config) -> None:
        self.folder = folder
        self.log = folder / "agent.log"
        self.runtimes = folder / "runtimes.d"
        self.runtimes.mkdir()
        self.state = folder / "agent"
        self.controller = controller
        self.process: subprocess.Popen[bytes] | None = None
        self.config = folder / "agent.yaml"
        self.configure(**config)
        self.runtime("classifier", BUILD / "classifier-serve", weights=True)

    def configure(self, **config) -> None:
        keys = {"node": "n1", "address": "127.0.0.1", "stateDir": str(self.state)}
        keys |= {"runtimesDir": str(self.runtimes), "interval": "200ms", "nvmlLibrary": ""}
        keys |= {"controller": {"url": f"http://127.0.0.1:{self.controller.port}"}}
        keys |= {"powerOff": {"wakeAlarm": ""}, "noSleepFile": str(self.folder / "no-sleep")}
        self.config.write_text(json.dumps(keys | config))

    def runtime(self, name: str, program: pathlib.Path, weights: bool = False) -> None:
        words = {"name": name, "exec": str(program), "port": {"flag": "--port"}}
        if weights:
            words["arguments"] = {
                "weights": {"type": "path", "under": str(WEIGHTS), "flag": "--weights"},
                "passes": {"type": "integer", "least": 1, "most": 100000, "flag": "--passes"},
                "warmUp": {"type": "integer", "least": 0, "most": 100000, "flag": "--warm-up"},
            }
        file = self.runtimes / f"{name}.yaml"
        file.write_text(json.dumps(words))
        file.chmod(0o644)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [AGENT, "--config", self.config], stdin=subprocess.DEVNULL, stderr=log
            )

    def stop(self, how=signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(how)
        code = self.process.wait(timeout=LIMIT_S)
        self.process = None
        return code

    def logged(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self) -> None:
        if self.process:
            self.stop(signal.SIGKILL)
        for record in self.state.glob("replicas/*/record"):
            kill_record(record)


def pid_in(record: pathlib.Path) -> int:
    """A record begins "huddle-replica VERSION PID"; 0 while there is none."""
    with contextlib.suppress(FileNotFoundError):
        return int(record.read_bytes().split()[2])
    return 0


def kill_record(record: pathlib.Path) -> None:
    """Ends what a failed test left behind."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = pid_in(record)
        if pid and "classifier-serve" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)


def free_ports():
    """A range for the controller, below those of clients; nobody listens on its first port."""
    for low in range(20000 + os.getpid() % 200 * 60, 32000, 60):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("0.0.0.0", low))
            return {"low": low, "high": low + 50}
    raise AssertionError("no free port")


@pytest.fixture
def folder():
    """Every user may look into it: replicas run as another one when the agent is root."""
    with tempfile.TemporaryDirectory(prefix="huddle-agent-", dir="/tmp") as name:
        path = pathlib.Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def node(folder):
    if not (WEIGHTS / "small.bin").exists():
        pytest.skip("the classifier's weights are not built: make integration-programs")
    with Controller(folder, reportInterval="200ms", ports=free_ports()) as controller:
        n = Node(folder, controller)
        try:
            n.start()
            wait("the agent", lambda: n.logged("agent runs"))
            yield n
        finally:
            n.end()


def put(node, kind, name, spec, method="POST"):
    body = {"apiVersion": GROUP[6:], "kind": kind, "metadata": {"name": name}, "spec": spec}
    path = f"{GROUP}/{kind.lower()}s" + ("" if method == "POST" else f"/{name}")
    status, answer = node.controller.ask(method, path, body)
    assert status in (200, 201), answer


def put_model(node, **changes):
    spec = {
        "runtime": "classifier",
        "arguments": {"weights": "small.bin", "passes": "5", "warmUp": "1"},
        "replicas": {"min": 1, "max": 2},
        "capacity": {"requestsPerSecond": 10},
        "resources": {"cpu": "10m", "memory": "64Mi"},
        "demand": {"source": "metrics", "path": "/metrics"},
        "readiness": {"type": "http", "period": "100ms", "startup": "20s"},
        "drain": {"timeout": "20s", "grace": "5s"},
    }
    put(node, "PowerPool", "all", {"minAwake": 1})
    put(node, "ServedModel", "small", spec | changes)


def replicas(node):
    status, body = node.controller.ask("GET", f"{GROUP}/replicas")
    assert status == 200
    return json.loads(body)["items"]


def ready_replica(node):
    def look():
        return next((r for r in replicas(node) if r["status"]["ready"]), None)

    return wait("a ready replica", look)


def pid_of(node, replica):
    return pid_in(node.state / "replicas" / replica["metadata"]["name"] / "record")


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def predict(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        body = json.dumps([0.0] * 100)
        connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_replicas_outlive_the_agent(node, how):
    put_model(node)
    replica = ready_replica(node)
    pid = pid_of(node, replica)
    code = node.stop(how)
    assert code == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    assert alive(pid)
    node.start()
    wait("adoption", lambda: node.logged("replica adopted"))
    again = wait(
        "a report of the new agent",
        lambda: [r for r in replicas(node) if r["status"]["ready"]],
    )
    assert [r["metadata"]["name"] for r in again] == [replica["metadata"]["name"]]
    assert pid_of(node, again[0]) == pid and alive(pid)
    assert again[0]["status"]["restarts"] == 0
    assert node.controller.ask("DELETE", f"{GROUP}/servedmodels/small")[0] == 200
    wait("its end", lambda: not alive(pid) and not replicas(node))


def test_replica_that_died_while_no_agent_ran(node):
    put_model(node)
    replica = ready_replica(node)
    pid = pid_of(node, replica)
    node.stop(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    wait("its end", lambda: not alive(pid))
    node.start()
    wait("word of it", lambda: node.logged("is not here any more"))
    wait("another process", lambda: pid_of(node, replica) not in (0, pid))
    ready_replica(node)


def test_crash_is_started_again(node):
    put_model(node)
    replica = ready_replica(node)
    pid = pid_of(node, replica)
    os.kill(pid, signal.SIGKILL)
    wait("a restart", lambda: any(r["status"]["restarts"] == 1 for r in replicas(node)))
    wait("another process", lambda: pid_of(node, replica) not in (0, pid))
    ready_replica(node)


def test_failed_start_tells_its_last_words(node):
    script = node.folder / "broken.sh"
    script.write_text("#!/bin/sh\necho the licence has expired >&2\nexit 3\n")
    script.chmod(0o755)
    node.runtime("broken", script)
    node.process.send_signal(signal.SIGHUP)
    wait("the reload", lambda: node.logged("configuration read"))
    put_model(node, runtime="broken", arguments={})

    def told():
        return any("the licence has expired" in json.dumps(r["status"]) for r in replicas(node))

    wait("the reason", told)


def test_bad_configuration_on_reload_changes_nothing(node):
    put_model(node)
    ready_replica(node)
    good = node.config.read_text()
    node.config.write_text(good.replace('"interval"', '"intervall"'))
    node.process.send_signal(signal.SIGHUP)
    wait("the refusal", lambda: node.logged("the old one stays"))
    assert re.search(r"agent\.yaml:1:\d+: intervall: unknown field", node.log.read_text())
    node.config.write_text(good.replace('"http:', '"ftp:'))
    node.process.send_signal(signal.SIGHUP)
    wait("the other refusal", lambda: node.logged("controller.url: expected a URL"))
    assert re.search(r"agent\.yaml:1:\d+: controller\.url: expected", node.log.read_text())


def test_reload_takes_over_what_can_change(node):
    put_model(node)
    ready_replica(node)
    node.configure(node="n2", cpuLimit="share", labels={"rack": "b"}, log={"level": "warn"})
    node.process.send_signal(signal.SIGHUP)
    for key in ("node", "cpuLimit"):
        wait(key, lambda key=key: node.logged(f'until then the old value holds" key={key}\n'))
    wait("the labels", lambda: node.logged('msg="a changed key is in force" key=labels'))
    assert not node.logged('in force" key=controller')  # only what changed

    def label():
        status, body = node.controller.ask("GET", f"{GROUP}/nodes/n1")
        return status == 200 and json.loads(body)["metadata"].get("labels") == {"rack": "b"}

    wait("the new label", label)
    assert ready_replica(node)


class Dealer:
    """As a Service before two controllers: some of the first connections reach one that follows."""

    NOT_HERE = (
        b"HTTP/1.1 421 Misdirected Request\r\nConnection: close\r\nRetry-After: 1\r\n"
        b"Content-Length: 24\r\n\r\nanother controller leads"
    )

    def __init__(self, port: int, follower: set[int]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.leader, self.follower = self.socket.getsockname()[1], port, follower
        self.connections = 0
        threading.Thread(target=self._deal, daemon=True).start()

    def _deal(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.socket.accept()
                self.connections += 1
                if self.connections in self.follower:
                    threading.Thread(target=self._refuse, args=(one,), daemon=True).start()
                    continue
                other = socket.create_connection(("127.0.0.1", self.leader))
                for pair in ((one, other), (other, one)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _refuse(self, one: socket.socket) -> None:
        with one:
            one.recv(65536)
            one.sendall(self.NOT_HERE)

    @staticmethod
    def _pass(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def test_the_leader_is_found_and_kept(node):
    node.stop()
    dealer = Dealer(node.controller.port, {1, 2})
    before = node.controller.get("nodes/n1")["metadata"]["resourceVersion"]
    node.configure(controller={"url": f"http://127.0.0.1:{dealer.port}"})
    began = time.monotonic()
    node.start()
    wait("the leader", lambda: dealer.connections == 3)
    assert time.monotonic() - began >= 1  # two pauses of half a second and more
    wait("its answer", lambda: node.logged("the controller answers again"))
    assert node.logged("looking for the controller that leads")
    assert not node.logged("the controller does not answer")
    time.sleep(1)  # five reports
    assert dealer.connections == 3
    assert node.controller.get("nodes/n1")["metadata"]["resourceVersion"] != before
    dealer.socket.close()


def test_energy_and_requests_reach_the_controller(node):
    node.stop()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        listen = "127.0.0.1:%d" % s.getsockname()[1]
    node.configure(metricsListen=listen, powerModel="guest")
    node.start()
    put_model(node)
    replica = ready_replica(node)
    port = replica["spec"]["port"]
    for _ in range(20):
        assert predict(port) == 200

    def counted():
        status = replicas(node)[0]["status"]
        return status["requests"] >= 20 and status["energyIdleJ"] > 0

    wait("requests and joules", counted)
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=LIMIT_S) as answer:
        page = answer.read().decode()
    uid = re.escape(replica["metadata"]["name"])
    for sample in (
        r'huddle_node_counted_energy_joules_total\{provenance="estimated"\} 0*[\d.]*[1-9]',
        rf'huddle_replica_energy_joules_total\{{replica="{uid}",model="\w+",share="idle"\}} ',
        r'huddle_cpu_seconds_total\{cpu="\d+",mode="busy"\} [\d.]+$',
        r'huddle_cpu_guest_seconds_total\{cpu="\d+"\} [\d.]+$',
    ):
        assert re.search("^" + sample, page, re.MULTILINE), sample


def test_prometheus_reads_every_page(node, tmp_path):
    """The agent's, the controller's and the classifier's."""
    prometheus_server.need()
    node.stop()
    agent = f"127.0.0.1:{prometheus_server.free_port()}"
    node.configure(metricsListen=agent, powerModel="guest")
    node.start()
    put_model(node)
    port = ready_replica(node)["spec"]["port"]
    for _ in range(20):
        assert predict(port) == 200
    wait("requests", lambda: replicas(node)[0]["status"]["requests"] >= 20)
    pages = {
        "agent": agent,
        "controller": f"127.0.0.1:{node.controller.port}",
        "classifier": f"127.0.0.1:{port}",
    }
    for address in pages.values():
        prometheus_server.check_page(f"http://{address}/metrics")
    with prometheus_server.Prometheus(
        tmp_path / "server", tmp_path / "data", config=prometheus_server.scraping(pages)
    ) as prometheus:
        wait("three pages", lambda: prometheus.ask("up == 1").keys() == pages.keys())
        assert not prometheus.complaints()
        assert prometheus.ask('huddle_nodes{state="awake"}') == {"controller": 1}
        assert prometheus.ask("huddle_replica_requests_total")["agent"] >= 20
        assert prometheus.ask("huddle_model_requests_total")["controller"] >= 20
        # Every joule once, whoever is asked: zones, which contain each other, have another name.
        once = prometheus.ask("sum by (job) (huddle_node_energy_joules_total)")
        assert once.keys() == {"controller"}
        counted = prometheus.ask("sum by (job) (huddle_node_counted_energy_joules_total)")
        assert 0 < once["controller"] <= counted["agent"] * 1.5
        assert prometheus.ask("sum by (job) (huddle_zone_energy_joules_total)").keys() == {"agent"}


def test_second_agent_on_the_same_folder_is_refused(node):
    done = run("--config", str(node.config))
    assert done.returncode == 1 and "another agent" in done.stderr


def test_controller_away(node):
    put_model(node)
    replica = ready_replica(node)
    pid = pid_of(node, replica)
    node.controller.stop(signal.SIGKILL)
    wait("the silence noticed", lambda: node.logged("the controller does not answer"))
    assert alive(pid) and predict(replica["spec"]["port"]) == 200


def test_broken_state_is_set_aside(node):
    put_model(node)
    pid = pid_of(node, ready_replica(node))
    assert pid
    node.stop()
    (node.state / "state.json").write_text("{")
    node.start()
    wait("word of it", lambda: node.logged("the saved state is set aside"))
    ready_replica(node)
    assert alive(pid) and (node.state / "state.json.bad").exists()
