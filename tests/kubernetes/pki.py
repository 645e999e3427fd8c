"""Certificates of a day for one cluster, by openssl(1)."""

from __future__ import annotations

import pathlib
import subprocess


class Pki:
    """A CA in FOLDER/ca.pem and what it issues: pairs NAME.pem, NAME.key."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._request(["-subj", "/CN=cluster CA", "-addext", "keyUsage=critical,keyCertSign"], "ca")

    def _request(self, words: list[str], name: str) -> None:
        common = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        files = [
            "-keyout",
            str(self.folder / f"{name}.key"),
            "-out",
            str(self.folder / f"{name}.pem"),
        ]
        subprocess.run(
            [*common, "-nodes", "-days", "2", *words, *files], check=True, capture_output=True
        )

    def _issue(self, name: str, words: list[str]) -> pathlib.Path:
        ca = ["-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key")]
        self._request([*words, "-addext", "basicConstraints=critical,CA:FALSE", *ca], name)
        return self.folder / f"{name}.pem"

    def server(self, name: str, addresses: list[str], names: list[str]) -> pathlib.Path:
        san = ",".join([f"IP:{a}" for a in addresses] + [f"DNS:{n}" for n in names])
        return self._issue(
            name,
            ["-subj", f"/CN={name}", "-addext", f"subjectAltName={san}"]
            + ["-addext", "extendedKeyUsage=serverAuth"],
        )

    def client(self, name: str, user: str, group: str = "") -> pathlib.Path:
        """A certificate that says who its holder is: CN is the user, O the group."""
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        return self._issue(name, ["-subj", subject, "-addext", "extendedKeyUsage=clientAuth"])

    def key_pair(self, name: str) -> pathlib.Path:
        """A bare RSA key in NAME.key and its public half in NAME.pub; returns the key."""
        key, public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        for words in (
            ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key)],
            ["pkey", "-in", str(key), "-pubout", "-out", str(public)],
        ):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        return key
