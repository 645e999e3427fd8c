"""Doors: `huddle-controller init`, and what its certificates and tokens open and do not open."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.controller import GROUP, LIMIT_S, Controller
from tests.lab.lab import BUILD


def run(program: str, *words: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUILD / program, *map(str, words)], capture_output=True, text=True, timeout=LIMIT_S
    )


def init(folder: pathlib.Path, *words: str) -> tuple[pathlib.Path, str]:
    """The folder that it made, and the administrator's token."""
    made = run(
        "huddle-controller", "init", "--pki", folder / "pki", "--config", folder / "c.yaml", *words
    )
    assert made.returncode == 0, made.stderr
    token = re.search(r"hud_admin_[0-9a-f]{64}", made.stdout)
    assert token, made.stdout
    return folder / "pki", token.group(0)


def fetch(port: int, pki: pathlib.Path, path: str, token: str = "", host: str = "localhost") -> int:
    """The status of a request over TLS, verified by the folder's authority alone."""
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    request = urllib.request.Request(f"https://{host}:{port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def reload(api: Controller) -> None:
    assert api.process
    api.process.send_signal(signal.SIGHUP)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_init_makes_what_a_controller_needs(tmp_path: pathlib.Path) -> None:
    pki, token = init(tmp_path, "--name", "ctl.example", "--listen", "127.0.0.1:7999")
    files = {path.name: path.stat().st_mode & 0o777 for path in pki.iterdir()}
    assert files.pop("join") == 0o700
    assert files == dict.fromkeys(["ca.pem", "ca.key", "server.pem", "server.key", "tokens"], 0o600)
    assert pki.stat().st_mode & 0o777 == 0o700
    assert token not in (pki / "tokens").read_text()
    assert (
        run("huddle-controller", "--check-config", "--config", tmp_path / "c.yaml").returncode == 0
    )
    names = subprocess.run(
        ["openssl", "x509", "-in", pki / "server.pem", "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in ("DNS:ctl.example", "DNS:localhost", "127.0.0.1", f"DNS:{socket.gethostname()}"):
        assert name in names

    before = {path: path.read_bytes() for path in pki.iterdir() if path.is_file()}
    again = run("huddle-controller", "init", "--pki", pki, "--config", tmp_path / "c.yaml")
    assert again.returncode == 1 and "is there already: nothing was changed" in again.stderr
    assert "hud_" not in again.stdout
    assert {path: path.read_bytes() for path in before} == before


def test_init_leaves_a_configuration_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "c.yaml").write_text("seed: 7\n")
    made = run(
        "huddle-controller", "init", "--pki", tmp_path / "pki", "--config", tmp_path / "c.yaml"
    )
    assert made.returncode == 0 and f'pki: "{tmp_path}/pki"' in made.stdout
    assert "Not written: set these keys" in made.stdout
    assert (tmp_path / "c.yaml").read_text() == "seed: 7\n"


def test_init_clears_away_what_an_interrupted_one_left(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pki.new").mkdir()
    (tmp_path / "pki.new" / "ca.key").write_text("half")
    init(tmp_path)
    assert not (tmp_path / "pki.new").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_folders_owner(tmp_path: pathlib.Path) -> None:
    pki, _ = init(tmp_path)
    os.chown(pki, 65534, 65534)
    (pki / "tokens").unlink()
    for name in ("one", "two"):
        words = ("token", "create", name, "--role", "viewer", "--append", pki / "tokens")
        assert run("huddlectl", *words).returncode == 0
    assert run("huddlectl", "token", "delete", "one", "--tokens", pki / "tokens").returncode == 0
    assert (pki / "tokens").stat().st_uid == 65534


@pytest.mark.parametrize(
    "words, why",
    [
        (("--name", "a b"), "--name: expected a host name"),
        (("--listen", "ctl:7443"), "--listen: expected an address"),
        (("--pki", "pki"), "--pki: expected an absolute path"),
        (("more",), 'what is "more"'),
    ],
)
def test_mistakes_are_told(tmp_path: pathlib.Path, words: tuple[str, ...], why: str) -> None:
    refused = run("huddle-controller", "init", "--config", tmp_path / "c.yaml", *words)
    assert refused.returncode == 2 and why in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_controller_with_them(tmp_path: pathlib.Path) -> None:
    """The certificate is verified by its name, the token counts, others are made and taken away."""
    pki, token = init(tmp_path)
    tokens = pki / "tokens"
    with Controller(tmp_path, pki=str(pki)) as api:
        assert fetch(api.port, pki, f"{GROUP}/nodes", token) == 200
        assert fetch(api.port, pki, f"{GROUP}/nodes", token, "127.0.0.1") == 200
        assert fetch(api.port, pki, f"{GROUP}/nodes") == 401
        (tmp_path / "other").mkdir()
        other, _ = init(tmp_path / "other")
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(api.port, other, "/livez")

        made = run("huddlectl", "token", "create", "ann", "--role", "viewer", "--append", tokens)
        ann = made.stdout.strip()
        reload(api)
        until(lambda: fetch(api.port, pki, f"{GROUP}/nodes", ann) == 200)
        server = ("--server", f"https://localhost:{api.port}", "--ca", str(pki / "ca.pem"))
        assert run("huddlectl", "get", "nodes", *server, "--token", ann).returncode == 0
        listed = run("huddlectl", "token", "list", "--tokens", tokens, "-o", "json")
        rows = json.loads(listed.stdout)
        assert [row["role"] for row in rows] == ["admin", "viewer", "join"]
        assert [row["name"] for row in rows][:2] == ["admin", "ann"] and rows[2]["uses"] == 10
        assert "expires" in rows[0] and "expires" not in rows[1]
        assert "admin" in run("huddlectl", "token", "list", "--tokens", tokens).stdout

        gone = run("huddlectl", "token", "delete", "admin", "--tokens", tokens)
        assert gone.returncode == 0, gone.stderr
        assert tokens.read_text().startswith("ann viewer ") and token not in tokens.read_text()
        reload(api)
        until(lambda: fetch(api.port, pki, f"{GROUP}/nodes", token) == 401)
        assert fetch(api.port, pki, f"{GROUP}/nodes", ann) == 200
    none = run("huddlectl", "token", "delete", "admin", "--tokens", tokens)
    assert none.returncode == 1 and "has no token called admin" in none.stderr


# --- nodes join ---


class Node:
    """An agent with a folder of its own, that joins with a command of huddlectl's or init's."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.name = name
        self.config = self.folder / "agent.yaml"
        self.certificate = self.folder / "identity" / "certificate.pem"
        self.process: subprocess.Popen[bytes] | None = None

    def join(self, command: str, **changed: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(command)
        assert words[:2] == ["huddle-agent", "join"]
        for option, value in changed.items():
            words[words.index(f"--{option}") + 1] = value
        words += ["--node", self.name, "--identity", str(self.folder / "identity")]
        return run("huddle-agent", *words[1:], "--config", self.config)

    def start(self) -> None:
        (self.folder / "runtimes").mkdir(exist_ok=True)
        more = {"stateDir": self.folder / "state", "runtimesDir": self.folder / "runtimes"}
        text = self.config.read_text()
        if "stateDir" not in text:
            self.config.write_text(
                text + "".join(f"{key}: {value}\n" for key, value in more.items())
            )
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [BUILD / "huddle-agent", "--config", self.config], stderr=log
            )

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=LIMIT_S)
            self.process = None


@pytest.fixture(name="nodes")
def nodes_fixture(tmp_path: pathlib.Path) -> Iterator[Callable[[str], Node]]:
    made: list[Node] = []

    def make(name: str) -> Node:
        made.append(Node(tmp_path, name))
        return made[-1]

    yield make
    for node in made:
        node.stop()


def with_doors(tmp_path: pathlib.Path) -> tuple[Controller, pathlib.Path, str]:
    pki, token = init(tmp_path)
    config = Controller(tmp_path, pki=str(pki), agents={"listen": "127.0.0.1:0"})
    return config, pki, token


def command(api: Controller, pki: pathlib.Path, *words: str) -> str:
    made = run(
        "huddlectl",
        "token",
        "join",
        "--pki",
        pki,
        "--server",
        f"https://localhost:{api.port}",
        *words,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def objects(api: Controller, pki: pathlib.Path, token: str, kind: str) -> list[dict[str, Any]]:
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    request = urllib.request.Request(f"https://localhost:{api.port}{GROUP}/{kind}")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=LIMIT_S, context=context) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
        return items


def test_a_node_joins_reports_and_is_revoked(
    tmp_path: pathlib.Path, nodes: Callable[[str], Node]
) -> None:
    controller, pki, token = with_doors(tmp_path)
    node = nodes("n1")
    with controller as api:
        joined = node.join(command(api, pki))
        assert joined.returncode == 0, joined.stderr
        assert (node.folder / "identity" / "key.pem").stat().st_mode & 0o777 == 0o600
        node.start()
        until(lambda: [n["metadata"]["name"] for n in objects(api, pki, token, "nodes")] == ["n1"])
        rows = [row["spec"] for row in objects(api, pki, token, "journal")]
        enrolled = [row for row in rows if row["act"] == "enrol"]
        assert len(enrolled) == 1 and enrolled[0]["name"] == "n1"
        assert re.fullmatch(r"join:[a-z2-7]{6}", enrolled[0]["by"])

        revoked = run("huddlectl", "node", "revoke", "n1", "--pki", pki)
        assert revoked.returncode == 0 and "is revoked" in revoked.stdout
        until(lambda: "the certificate was revoked" in node.log())
        node.stop()
        assert node.join(command(api, pki)).returncode == 0  # as a new node of that name
        silent_ms = objects(api, pki, token, "nodes")[0]["status"]["reportAgeMs"]
        node.start()
        until(lambda: objects(api, pki, token, "nodes")[0]["status"]["reportAgeMs"] < silent_ms)


def test_joining_tells_nothing_to_somebody_else(
    tmp_path: pathlib.Path, nodes: Callable[[str], Node]
) -> None:
    """The right address, and not the authority of the command: no token is shown."""
    controller, pki, _ = with_doors(tmp_path)
    with controller as api:
        words = command(api, pki)
        foreign = nodes("n1").join(words, ca="sha256:" + 64 * "0")
        assert foreign.returncode == 1 and "is not the controller of this command" in foreign.stderr
        assert "nothing was told to it" in foreign.stderr
        wrong = nodes("n2").join(words, token="aaaaaa." + 26 * "a")
        assert wrong.returncode == 1 and "unknown, used up or expired" in wrong.stderr
        assert nodes("n3").join(words).returncode == 0
        again = nodes("n4").join(words)
        assert again.returncode == 1 and "unknown, used up or expired" in again.stderr
        taken = nodes("n5")
        taken.name = "n3"
        refused = taken.join(command(api, pki))
        assert refused.returncode == 1 and "a node n3 has joined already" in refused.stderr
        assert taken.join(command(api, pki, "--replace")).returncode == 0
        listed = run("huddlectl", "token", "list", "--tokens", pki / "tokens", "-o", "json")
        for row in json.loads(listed.stdout):
            if row["role"] == "join":
                gone = run("huddlectl", "token", "delete", row["name"], "--tokens", pki / "tokens")
                assert gone.returncode == 0
        assert list((pki / "join").iterdir()) == []


def test_an_agent_renews_its_certificate(
    tmp_path: pathlib.Path, nodes: Callable[[str], Node]
) -> None:
    """One of 90 days that is 80 days old, signed with the authority's own key."""
    controller, pki, _ = with_doors(tmp_path)
    node = nodes("n1")
    with controller as api:
        assert node.join(command(api, pki)).returncode == 0
        uid = (pki / "nodes" / "n1").read_text().strip()
        old = make_old(node, pki, uid)
        node.start()
        until(lambda: "the certificate was renewed" in node.log())
        assert node.certificate.read_text() != old
        end = subprocess.run(
            ["openssl", "x509", "-in", node.certificate, "-noout", "-checkend", str(89 * 86400)]
        )
        assert end.returncode == 0
        subject = subprocess.run(
            ["openssl", "x509", "-in", node.certificate, "-noout", "-text"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert f"URI:huddle:node:{uid}" in subject


def make_old(node: Node, pki: pathlib.Path, uid: str) -> str:
    """The node's certificate as it was 80 days ago."""
    folder, now = node.folder, datetime.datetime.now(datetime.timezone.utc)
    days = datetime.timedelta(days=1)
    (folder / "index").write_text("")
    (folder / "ca.cnf").write_text(
        f"""[ca]
default_ca = a
[a]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = p
x509_extensions = x
[p]
commonName = supplied
[x]
extendedKeyUsage = clientAuth
subjectAltName = URI:huddle:node:{uid}
"""
    )
    subprocess.run(
        ["openssl", "req", "-new", "-key", folder / "identity" / "key.pem"]
        + ["-subj", f"/CN={node.name}", "-out", folder / "csr"],
        check=True,
    )
    subprocess.run(
        ["openssl", "ca", "-batch", "-notext", "-config", folder / "ca.cnf", "-in", folder / "csr"]
        + ["-cert", pki / "ca.pem", "-keyfile", pki / "ca.key", "-out", node.certificate]
        + ["-startdate", f"{now - 80 * days:%Y%m%d%H%M%SZ}"]
        + ["-enddate", f"{now + 10 * days:%Y%m%d%H%M%SZ}"],
        check=True,
        capture_output=True,
    )
    return node.certificate.read_text()
