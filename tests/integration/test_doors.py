"""Doors: `huddle-controller init`, and what its certificates and tokens open and do not open."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable

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

    before = {path: path.read_bytes() for path in pki.iterdir()}
    again = run("huddle-controller", "init", "--pki", pki, "--config", tmp_path / "c.yaml")
    assert again.returncode == 1 and "is there already: nothing was changed" in again.stderr
    assert "hud_" not in again.stdout
    assert {path: path.read_bytes() for path in pki.iterdir()} == before


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
        assert [(row["name"], row["role"]) for row in rows] == [
            ("admin", "admin"),
            ("ann", "viewer"),
        ]
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
