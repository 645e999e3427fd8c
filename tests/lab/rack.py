"""A lab with huddle on it: one controller with its front door, and an agent on every node."""

from __future__ import annotations

import hashlib
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import time

from tests.lab.api import Api, ApiError
from tests.lab.lab import BUILD, CONTROLLER_ADDRESS, REPOSITORY, Lab, Node, run

PORT = 7443
DOOR_PORT = 8080
STATE_MIB = 48  # the controller's disk
WEIGHTS = REPOSITORY / "build/weights"

RUNTIME = """\
name: classifier
exec: {program}
arguments:
  weights: {{type: path, under: {weights}, flag: --weights}}
  passes: {{type: integer, least: 1, most: 100000, flag: --passes}}
  warmUp: {{type: integer, least: 0, most: 100000, flag: --warm-up}}
port: {{flag: --port}}
"""


class Rack(Lab):
    """Starts huddle on a lab. `report_interval_ms` is also the pace of all that waits for reports."""

    def __init__(self, n_nodes: int, report_interval_ms: int = 400, **lab: float) -> None:
        super().__init__(n_nodes, **lab)  # type: ignore[arg-type]
        self.report_interval_ms = report_interval_ms
        self.queue_timeout = "60s"  # of the front door; before controller_start()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for program in ("huddle-agent", "huddle-controller", "huddlectl", "lab-power"):
            shutil.copy2(BUILD / program, self.bin / program)
            (self.bin / program).chmod(0o755)  # others may not write a driver, whatever the umask
        shutil.copy2(BUILD / "classifier-serve", self.bin / "classifier-serve")
        shutil.copytree(WEIGHTS, self.folder / "weights")
        self.state = self.folder / "controller"
        self.state.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", f"size={STATE_MIB}m,mode=0700", "tmpfs", str(self.state))
        self.token = self._tokens()
        self._certificates()
        self.controller: subprocess.Popen[bytes] | None = None
        for node in self.nodes.values():
            self._agent(node)
        self.api = Api(CONTROLLER_ADDRESS, PORT, self.folder / "ca.pem", self.token)

    def _write(self, name: str, text: str, mode: int = 0o600) -> pathlib.Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def _tokens(self) -> str:
        """A token for each agent and one for people, which is returned; the controller has hashes."""
        lines, token = "", ""
        for name in (*self.nodes, "admin"):
            role, bound = ("agent", f" node:{name}") if name in self.nodes else ("admin", "")
            token = secrets.token_hex(16)
            self._write(name + ".token", token + "\n")
            digest = hashlib.sha256(token.encode()).hexdigest()
            lines += f"{name} {role} sha256:{digest}{bound}\n"
        self._write("tokens", lines)
        return token

    def _certificates(self) -> None:
        """A CA of a day, and the controller's certificate from it."""
        common = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        common += ["-nodes", "-days", "2"]
        ca, key = str(self.folder / "ca.pem"), str(self.folder / "ca.key")
        for words in (
            ["-subj", "/CN=huddle lab CA", "-addext", "keyUsage=critical,keyCertSign"]
            + ["-keyout", key, "-out", ca],
            ["-subj", "/CN=huddle-controller", "-addext", f"subjectAltName=IP:{CONTROLLER_ADDRESS}"]
            + ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", ca, "-CAkey", key]
            + ["-keyout", str(self.folder / "tls.key"), "-out", str(self.folder / "tls.pem")],
        ):
            subprocess.run([*common, *words], check=True, capture_output=True)

    # --- agents ---

    def _agent(self, node: Node) -> None:
        runtimes = node.folder / "runtimes.d"
        runtimes.mkdir()
        (runtimes / "classifier.yaml").write_text(
            RUNTIME.format(program=self.bin / "classifier-serve", weights=self.folder / "weights")
        )
        config = node.folder / "agent.yaml"
        config.write_text(
            f"""\
node: {node.name}
address: {node.address}
stateDir: {node.folder}/state
runtimesDir: {runtimes}
allowSleep: true
cpuLimit: share
cpuCapacity: {self.cpu_milli}m
labels: {{rack: demo}}
controller:
  url: https://{CONTROLLER_ADDRESS}:{PORT}
  ca: {self.folder}/ca.pem
  tokenFile: {self.folder}/{node.name}.token
powerOff:
  command: [{self.bin}/lab-power, --socket, {self.socket_path}, "off", {node.name}]
  wakeAlarm: ""
"""
        )
        node.command = [str(self.bin / "huddle-agent"), "--config", str(config)]

    def power_all_on(self) -> None:
        for name in self.nodes:
            self.switch("on", name)

    # --- the controller ---

    def controller_start(self) -> None:
        config = self._write(
            "controller.yaml",
            f"""\
stateDir: {self.state}
listen: {CONTROLLER_ADDRESS}:{PORT}
tls: {{certificate: {self.folder}/tls.pem, key: {self.folder}/tls.key}}
tokens: {self.folder}/tokens
reportInterval: {self.report_interval_ms}ms
powerDrivers: {{programs: [{self.bin}], secrets: [{self.folder}/secrets], hosts: [{CONTROLLER_ADDRESS}]}}
gridFiles: [{self.folder}/grid]
frontDoor:
  run: true
  listen: "{CONTROLLER_ADDRESS}:{DOOR_PORT}"
  queueTimeout: {self.queue_timeout}
""",
        )
        self.controller = subprocess.Popen(
            [str(self.bin / "huddle-controller"), "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "controller.log").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def controller_end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.controller:
            self.controller.send_signal(how)
            try:
                self.controller.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.controller.kill()
                self.controller.wait()
        self.controller = None
        self.api.close()

    def __exit__(self, *unused: object) -> None:
        self.controller_end()
        super().__exit__(*unused)

    def ctl_env(self) -> dict[str, str]:
        """The environment in which huddlectl finds this rack's controller."""
        return dict(
            os.environ,
            HUDDLE_SERVER=f"https://{CONTROLLER_ADDRESS}:{PORT}",
            HUDDLE_TOKEN=self.token,
            HUDDLE_CA=str(self.folder / "ca.pem"),
        )

    def ctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """huddlectl against this rack's controller."""
        return subprocess.run(
            [str(self.bin / "huddlectl"), *words],
            env=self.ctl_env(),
            check=check,
            text=True,
            capture_output=True,
        )

    # --- waiting ---

    def wait(self, what: str, condition, timeout_s: float = 30.0) -> None:
        """Waits until condition() is true; an unreachable controller counts as not yet."""
        end = time.monotonic() + timeout_s
        problem: object = "still not so"
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (OSError, ApiError, KeyError) as error:
                problem = error
            time.sleep(0.1)
        raise TimeoutError(f"waited {timeout_s:g} s for {what}: {problem}")

    def node_states(self) -> dict[str, str]:
        return {name: status["state"] for name, status in self.api.status("nodes").items()}

    def ready(self) -> dict[str, int]:
        return {name: s["ready"] for name, s in self.api.status("servedmodels").items()}

    def save_logs(self, to: pathlib.Path) -> None:
        """Copies the logs out of the namespaces, for whoever wants to know what happened."""
        to.mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("**/*.log"):
            shutil.copy(log, to / "-".join(log.relative_to(self.folder).parts))
