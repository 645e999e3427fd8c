"""Real nodes: machines of the lab (tests/lab) that run containerd, kubelet and kube-proxy, so that pods
run, are reached through Services, draw power by the CPU time they use, and go when a node is powered off.

A node's disk is its folder; its pods' subnet is 10.244.NUMBER.0/24 and their cgroups lie below the
node's own. Must run inside the namespaces of tests/lab/enter.py, as root, on a machine with cgroup v1
or hybrid cgroups.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil

from tests.kubernetes import image
from tests.kubernetes.api import ready
from tests.kubernetes.build import NODE, SHIM, where
from tests.kubernetes.cluster import SERVICE_RANGE, ControlPlane, words_of
from tests.kubernetes.process import Process
from tests.lab import enter
from tests.lab.lab import BUILD, CONTROLLER_ADDRESS, REPOSITORY, Lab, Node, run

CLUSTER_RANGE = "10.244.0.0/16"
PROXY_USER = "system:kube-proxy"  # who has the rights of a kube-proxy by name
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CPU_MILLI = 2000  # of each node: the machine's two processors are theirs to share
BOOT_S = 1.0


def why_not() -> str:
    """Why this machine cannot have real nodes, or "" when it can."""
    if not enter.inside():
        return (
            "real nodes live in namespaces: use make test-kubernetes or python3 -m tests.lab.enter"
        )
    if "HUDDLE_LAB_PIPE" not in os.environ:
        return "real nodes need root: containers cannot be started from a user namespace here"
    if not (CGROUPS / "cpu/cgroup.procs").exists():
        return "real nodes need cgroup v1 controllers: this machine has cgroup v2 alone"
    if not shutil.which("nft"):
        return "real nodes need nft(8): install nftables"
    return ""


def subnet(node: Node) -> str:
    return f"10.244.{node.number}.0/24"


class Nodes(Lab):
    """`n` nodes n1, n2... of a control plane on the lab's bridge, and a kube-proxy for whoever asks from
    here: the tests' own network is a client's. The attribute `cluster` is the control plane."""

    def __init__(self, n: int, people: dict[str, list[str]]) -> None:
        super().__init__(n, cpu_milli=CPU_MILLI, boot_s=BOOT_S)
        self.cluster = ControlPlane(
            self.folder / "control",
            list(self.nodes),
            {**people, PROXY_USER: []},
            address=CONTROLLER_ADDRESS,
        )
        self.images = self.folder / "images"
        image.write_all(self.images, BUILD, REPOSITORY / "build/weights")
        for own in image.own():
            (self.images / own.name).symlink_to(own)
        self.programs = self._programs()
        for node in self.nodes.values():
            self._make_node(node)
        self.proxy: Process | None = None

    def _programs(self) -> pathlib.Path:
        """A folder with all programs of a node: containerd finds shim and runc by PATH."""
        folder = self.folder / "programs"
        folder.mkdir()
        for program in NODE.programs():
            (folder / program).symlink_to(where(program))
        assert (folder / SHIM).exists()
        return folder

    def start(self) -> None:
        """Returns when all nodes are Ready."""
        self.cluster.start()
        for name in self.nodes:
            self.switch("on", name)
        self._client()
        self.wait_ready()

    def wait_ready(self, names: list[str] | None = None, limit_s: float = 90.0) -> None:
        wanted = set(self.nodes if names is None else names)

        def usable() -> bool:
            nodes = self.cluster.api.list("nodes")
            good = [n for n in nodes if ready(n) and not n["spec"].get("taints")]
            return wanted <= {n["metadata"]["name"] for n in good}

        self.cluster.api.wait_for(f"nodes {sorted(wanted)} Ready", usable, limit_s)

    def pids(self, program: str = "", name: str = "") -> list[int]:
        """The processes called `program` on node `name`, those in its pods too; "": any, anywhere."""
        found = []
        for group in (CGROUPS / "cpu" / self.name / name).rglob("cgroup.procs"):
            for pid in group.read_text().split():
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                    if program[:15] in ("", comm):
                        found.append(int(pid))
        return found

    def _client(self) -> None:
        """Makes the tests' own network one that reaches pods and Services."""
        for node in self.nodes.values():
            run("ip", "route", "add", subnet(node), "via", node.address)
        run(
            "ip", "route", "add", SERVICE_RANGE, "dev", "br0"
        )  # any: kube-proxy changes where it goes
        self._write_proxy(self.folder, "n1", CONTROLLER_ADDRESS)
        words = words_of("kube-proxy", {"config": self.folder / "kube-proxy.json"})
        words.append("--hostname-override=n1")
        self.proxy = Process("kube-proxy", words, self.folder)

    # --- configurations ---

    def _make_node(self, node: Node) -> None:
        cgroup = f"/{self.name}/{node.name}"
        for hierarchy in CGROUPS.iterdir():
            if (hierarchy / "cgroup.procs").exists():
                (hierarchy / cgroup[1:]).mkdir(parents=True, exist_ok=True)
        cpuset = CGROUPS / "cpuset"
        for folder in (cpuset / self.name, cpuset / cgroup[1:]):
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((folder.parent / file).read_text())
        self._write_containerd(node)
        self._write_kubelet(node, cgroup)
        self._write_proxy(node.folder, node.name, node.address)
        peers = [f"{peer.address}={subnet(peer)}" for peer in self.nodes.values()]
        script = str(REPOSITORY / "tests/kubernetes/node_up.sh")
        paths = [str(p) for p in (node.folder, self.programs, self.images)]
        node.command = [script, *paths, subnet(node), SERVICE_RANGE, *peers]

    def _write_containerd(self, node: Node) -> None:
        folder = node.folder
        (folder / "net.d").mkdir()
        (folder / "net.d/bridge.conflist").write_text(
            json.dumps(
                {
                    "cniVersion": "0.4.0",
                    "name": "pods",
                    "plugins": [
                        {
                            "type": "bridge",
                            "bridge": "cni0",
                            "isGateway": True,
                            "hairpinMode": True,
                            "ipam": {
                                "type": "host-local",
                                "dataDir": str(folder / "state/cni"),
                                "ranges": [[{"subnet": subnet(node)}]],
                                "routes": [{"dst": "0.0.0.0/0"}],
                            },
                        }
                    ],
                }
            )
        )
        (folder / "containerd.toml").write_text(
            f"""\
version = 3
root = "{folder}/containerd"
state = "{folder}/state/containerd"
[grpc]
  address = "{folder}/containerd.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "native"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{image.PAUSE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true  # else every sandbox fails without CAP_SYS_RESOURCE
  enable_cdi = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{self.programs}"]
  conf_dir = "{folder}/net.d"
[plugins.'io.containerd.internal.v1.opt']
  path = "{folder}/opt"
[plugins.'io.containerd.nri.v1.nri']
  disable = true
"""
        )

    def _write_kubelet(self, node: Node, cgroup: str) -> None:
        folder = node.folder
        shutil.copyfile(
            self.cluster.kubeconfig(f"system:node:{node.name}"), folder / "kubelet.kubeconfig"
        )
        (folder / "kubelet.json").write_text(
            json.dumps(
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1",
                    "kind": "KubeletConfiguration",
                    "authentication": {
                        "anonymous": {"enabled": False},
                        "webhook": {"enabled": True},
                        "x509": {"clientCAFile": str(self.cluster.pki.ca)},
                    },
                    "authorization": {"mode": "Webhook"},
                    "cgroupDriver": "cgroupfs",
                    "cgroupRoot": cgroup,
                    "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
                    "enforceNodeAllocatable": [],
                    "evictionHard": {},
                    "failCgroupV1": False,
                    "failSwapOn": False,
                    "localStorageCapacityIsolation": False,
                    "podLogsDir": str(folder / "pods"),
                    "resolvConf": "",
                    "volumePluginDir": str(folder / "volume-plugins"),
                }
            )
        )

    def _write_proxy(self, folder: pathlib.Path, name: str, address: str) -> None:
        (folder / "kube-proxy.json").write_text(
            json.dumps(
                {
                    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                    "kind": "KubeProxyConfiguration",
                    "bindAddress": address,
                    "clientConnection": {
                        "kubeconfig": str(self.cluster.kubeconfig(PROXY_USER)),
                    },
                    "clusterCIDR": CLUSTER_RANGE,
                    # These are the whole machine's, which a namespace may not change.
                    "conntrack": {
                        "maxPerCore": 0,
                        "tcpEstablishedTimeout": "0s",
                        "tcpCloseWaitTimeout": "0s",
                    },
                    "hostnameOverride": name,
                    "mode": "nftables",
                }
            )
        )

    def __exit__(self, *unused: object) -> None:
        if self.proxy:
            self.proxy.kill()
        super().__exit__(*unused)
        self.cluster.stop()
