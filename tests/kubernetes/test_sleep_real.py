"""A real node sleeps and is woken: pods leave it, its power goes off and with it the joules, and a pod that
waits brings it back."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import time

from tests.kubernetes.api import Object, drop_definitions, ready
from tests.kubernetes.cluster import deployment
from tests.kubernetes.image import SERVER
from tests.kubernetes.moving import of_app
from tests.kubernetes.node import Nodes
from tests.kubernetes.test_doctor import run
from tests.kubernetes.test_nodes import DRAIN, PORT, PROBE
from tests.kubernetes.test_observe import served_model
from tests.lab.api import Api as Controller
from tests.lab.lab import BUILD, CONTROLLER_ADDRESS, Node
from tests.lab.rack import PORT as CONTROLLER_PORT
from tests.lab.rack import Rack

LONG_S = 240.0
SLEEPER = "n3"
LEASE_TERMS = {"duration": "20s", "renewDeadline": "18s", "retryPeriod": "500ms"}


class Papers(Rack):
    """Certificates and tokens as a rack of the lab has them, and no rack."""

    def __init__(self, folder: pathlib.Path, nodes: dict[str, Node]) -> None:
        self.folder, self.nodes = folder, nodes
        self.token = self._tokens()
        self._certificates()


def write_agent(real: Nodes, folder: pathlib.Path, node: Node, switch: pathlib.Path) -> None:
    """From its next boot on the node has an agent."""
    config = {
        "node": node.name,
        "address": node.address,
        "stateDir": str(node.folder / "agent"),
        "allowSleep": True,
        "foreignPercent": 90,  # containers that the machine's other work slows down
        "interval": "1s",
        "controller": {
            "url": f"https://{CONTROLLER_ADDRESS}:{CONTROLLER_PORT}",
            "ca": str(folder / "ca.pem"),
            "tokenFile": str(folder / f"{node.name}.token"),
        },
        "powerOff": {
            "command": [str(switch), "--socket", str(real.socket_path), "off", node.name],
            "wakeAlarm": "",
        },
    }
    file = node.folder / "agent.yaml"
    file.write_text(json.dumps(config))
    agent = f"{BUILD}/huddle-agent --config {file} >>{node.folder}/agent.log 2>&1"
    script = f'(while :; do {agent} || :; sleep 0.5; done) & exec "$@"'
    node.command = ["sh", "-c", script, "node", *node.command]


def start_controller(
    real: Nodes, folder: pathlib.Path, namespace: str, programs: pathlib.Path
) -> subprocess.Popen[bytes]:
    keys: Object = {
        "stateDir": str(folder / "state"),
        "clusterName": "real",
        "listen": f"{CONTROLLER_ADDRESS}:{CONTROLLER_PORT}",
        "tls": {"certificate": str(folder / "tls.pem"), "key": str(folder / "tls.key")},
        "tokens": str(folder / "tokens"),
        "reportInterval": "1s",
        "tick": "50ms",
        "powerDrivers": {"programs": [str(programs)]},
        "kubernetes": {
            "kubeconfig": str(real.cluster.admin_kubeconfig),
            "namespace": namespace,
            "lease": LEASE_TERMS,
        },
    }
    config = folder / "controller.yaml"
    config.write_text(json.dumps(keys))
    with (folder / "controller.log").open("wb") as log:
        return subprocess.Popen(
            [BUILD / "huddle-controller", "--config", config],
            stdin=subprocess.DEVNULL,
            stderr=log,
        )


def declare(real: Nodes, namespace: str, switch: pathlib.Path) -> None:
    api = real.cluster.api
    policy: Object = {"interval": "2s", "strategy": "demand", "budget": {"moves": 4, "sleeps": 1}}
    policy["timing"] = {"settle": "1s", "cooldown": "10m", "wake": "230s", "bye": "60s"}
    driver = {"type": "exec", "program": str(switch), "settings": {"socket": str(real.socket_path)}}
    pool: Object = {"minAwake": 1, "spare": 0, "policy": "soon", "mode": "act"}
    pool |= {"wakeProven": True, "driver": driver, "boot": {"time": "1s", "energy": "1J"}}
    api.create("powerpolicies", {"metadata": {"name": "soon"}, "spec": policy})
    api.create("powerpools", {"metadata": {"name": "all"}, "spec": pool})
    api.create("servedmodels", served_model("a"), namespace)


def watts(real: Nodes, name: str) -> float:
    return float(real.readings["nodes"][name]["watts"])


def test_a_real_node_sleeps_and_wakes(
    real: Nodes, real_namespace: str, tmp_path: pathlib.Path
) -> None:
    api, node = real.cluster.api, real.nodes[SLEEPER]
    command = node.command
    folder = real.folder / "sleeps"
    programs = folder / "programs"
    programs.mkdir(parents=True)
    switch = pathlib.Path(shutil.copy2(BUILD / "lab-power", programs))
    for place in (folder, programs, switch):
        place.chmod(0o755)
    papers = Papers(folder, real.nodes)
    write_agent(real, folder, node, switch)
    node.power_off()
    real.switch("on", SLEEPER)
    assert run(real.cluster.admin_kubeconfig, "install", "crds").returncode == 0
    api.wait_for("powerpools", lambda: api.list("powerpools") == [])
    # Two pods, one of them on the node that is to sleep.
    container = {"args": [str(PORT)], "readinessProbe": PROBE, "lifecycle": DRAIN}
    container["resources"] = {"requests": {"cpu": "100m"}}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    real.wait_ready()
    extra = {"topologySpreadConstraints": [spread]}
    api.create("deployments", deployment("a", 3, SERVER, extra, container), real_namespace)
    api.wait_for("pods", lambda: sum(map(ready, of_app(api, real_namespace, "a"))) == 3, LONG_S)
    assert SLEEPER in {p["spec"].get("nodeName") for p in of_app(api, real_namespace, "a")}
    declare(real, real_namespace, switch)
    controller = start_controller(real, folder, real_namespace, programs)
    look = Controller(CONTROLLER_ADDRESS, CONTROLLER_PORT, folder / "ca.pem", papers.token)
    try:
        before = watts(real, SLEEPER)
        api.wait_for("the power to go", lambda: node.state == "off", LONG_S)
        boot = api.get("nodes", SLEEPER)["status"]["nodeInfo"]["bootID"]
        power = api.get("nodepowers", SLEEPER)
        assert power["spec"]["desired"] == "asleep"
        assert power["status"]["preSleep"]["bootID"] == boot
        taints = {t["key"] for t in api.get("nodes", SLEEPER)["spec"]["taints"]}
        assert "huddle.energy/asleep" in taints
        pods = of_app(api, real_namespace, "a")
        assert sum(map(ready, pods)) == 3
        assert SLEEPER not in {p["spec"].get("nodeName") for p in pods}
        api.wait_for("its watts to go", lambda: watts(real, SLEEPER) < before / 2)
        api.wait_for(
            "its phase",
            lambda: api.get("nodepowers", SLEEPER)["status"]["phase"] == "asleep",
            LONG_S,
        )
        waiting: Object = {"metadata": {"name": "waiting"}}
        waiting["spec"] = {
            "nodeSelector": {"kubernetes.io/hostname": SLEEPER},
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {"name": "c", "image": SERVER, "imagePullPolicy": "Never", "args": [str(PORT)]}
            ],
        }
        api.create("pods", waiting, real_namespace)
        api.wait_for("it", lambda: ready(api.get("pods", "waiting", real_namespace)), LONG_S)
        now = api.get("nodes", SLEEPER)
        assert now["status"]["nodeInfo"]["bootID"] != boot and ready(now)
        assert not [t for t in now["spec"].get("taints", []) if "huddle" in t["key"]]
        assert "node.kubernetes.io/exclude-disruption" not in now["metadata"]["labels"]
        (told,) = [n for n in look.items("nodes") if n["metadata"]["name"] == SLEEPER]
        assert told["status"]["state"] == "awake"
        print(f"{before:.1f} W awake, {real.readings['nodes'][SLEEPER]['joules']:.0f} J in all")
    finally:
        controller.kill()
        controller.wait()
        shutil.copy2(folder / "controller.log", tmp_path)
        node.command = command
        real.switch("on", SLEEPER)
        spec = {"taints": None}
        labels = {"node.kubernetes.io/exclude-disruption": None}
        api.patch("nodes", SLEEPER, {"metadata": {"labels": labels}, "spec": spec})
        drop_definitions(api)
        end = time.monotonic() + LONG_S
        while node.state != "on" and time.monotonic() < end:
            time.sleep(0.1)
        real.wait_ready(limit_s=LONG_S)
