"""A BMC with Redfish, as strange as real ones are: one switch per quirk, all of them off at first.

It listens with TLS on loopback or in a namespace and logs every request. The machines that it switches
are whatever `switch` says: a function that is told (verb, system) and answers "on" or "off".
"""

from __future__ import annotations

import base64
import collections.abc
import dataclasses
import hashlib
import http.server
import json
import pathlib
import secrets
import ssl
import subprocess
import threading
import time

USER, PASSWORD = "huddle", 'correct "horse" battery'
SYSTEMS = "/redfish/v1/Systems"
SESSIONS = "/redfish/v1/SessionService/Sessions"
ETAG = 'W/"5f3a"'


@dataclasses.dataclass
class Quirks:
    """Each as it would be met; none is on by default."""

    no_sessions: bool = False  # there is no SessionService: Basic alone
    sessions_full: bool = False  # no more of them (iDRAC: RAC0218)
    sessions_busy: bool = False  # 503 with Retry-After to a login
    no_basic: bool = False  # Basic is switched off
    no_location: bool = False  # a session is made, and where is not told
    if_match_fails: bool = False  # 412 to an action with If-Match
    if_match_needed: bool = False  # 428 to an action without
    no_etag: bool = False
    values: tuple[str, ...] = (
        "On",
        "ForceOff",
        "GracefulShutdown",
        "PushPowerButton",
        "PowerCycle",
    )
    values_in: str = "system"  # or "action-info", or "nowhere"
    no_reset: bool = False  # no Actions at all
    absolute: bool = False  # references are whole URLs
    foreign_target: bool = False  # the reset's target is on another host
    moved: bool = False  # 302 to an action
    already: int = 0  # an action finds the machine as it is wanted, and is refused with this
    refusal: int = 0  # an action is refused with this, and nothing is done
    acceptance: int = 204
    lost: bool = False  # an action is done, and the connection ends without an answer
    deaf: bool = False  # an action is accepted, and nothing is done
    word: str = ""  # PowerState, whatever it is; "null" for none
    system_status: int = 200
    retry_after: str = ""
    garbage: bool = False  # the system is no JSON
    much: bool = False  # 2 MiB of it
    uuid: str = ""
    slow_s: float = 0.0  # before each answer
    error: str = "The request failed."


def fingerprint(certificate: pathlib.Path) -> str:
    """Of its key, as settings.fingerprint wants it."""
    pem = ["openssl", "x509", "-in", str(certificate), "-noout", "-pubkey"]
    key = subprocess.run(pem, check=True, capture_output=True).stdout
    der = ["openssl", "pkey", "-pubin", "-outform", "der"]
    spki = subprocess.run(der, check=True, capture_output=True, input=key).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Bmc:
    """Serves until close(). `log` holds (method, path, note) of all requests, oldest first."""

    def __init__(
        self,
        folder: pathlib.Path,
        switch: collections.abc.Callable[[str, str], str] | None = None,
        systems: tuple[str, ...] = ("1",),
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.quirks = Quirks()
        self.systems = systems
        self.power = dict.fromkeys(systems, "off")
        self.switch = switch or self._own_switch
        self.sessions: dict[str, str] = {}  # id -> token
        self.log: list[tuple[str, str, str]] = []
        self.lock = threading.Lock()
        self.folder = folder
        key, cert = folder / f"bmc-{address}.key", folder / f"bmc-{address}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + [
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=bmc",
                "-addext",
                f"subjectAltName=IP:{address}",
            ]
            + ["-keyout", str(key), "-out", str(cert)],
            check=True,
            capture_output=True,
        )
        self.certificate = cert
        self.server = http.server.ThreadingHTTPServer((address, port), self._handler())
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.origin = f"https://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def actions(self) -> list[str]:
        """The ResetTypes of all POSTs to an action, oldest first."""
        return [note for method, path, note in self.log if method == "POST" and "/Actions/" in path]

    def _own_switch(self, verb: str, system: str) -> str:
        if verb == "on":
            self.power[system] = "on"
        elif verb in ("off", "force-off"):
            self.power[system] = "off"
        return self.power[system]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        bmc = self

        class Handler(_Handler):
            pass

        Handler.bmc = bmc
        return Handler


VERBS = {"On": "on", "GracefulShutdown": "off", "ForceOff": "force-off"}


class _Handler(http.server.BaseHTTPRequestHandler):
    bmc: Bmc
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one segment an answer, or Nagle waits

    def log_message(self, format: str, *args: object) -> None:
        pass

    def reply(self, status: int, body: object = None, **headers: str) -> None:
        text = (
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        time.sleep(self.bmc.quirks.slow_s)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.bmc.quirks.retry_after and status == 503:
            self.send_header("Retry-After", self.bmc.quirks.retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, status: int, message: str = "") -> None:
        info = {"MessageId": "Base.1.8.GeneralError", "Message": message or self.bmc.quirks.error}
        self.reply(status, {"error": {"code": "x", "@Message.ExtendedInfo": [info]}})

    def ref(self, path: str) -> str:
        return (self.bmc.origin if self.bmc.quirks.absolute else "") + path

    def let_in(self) -> bool:
        token = self.headers.get("X-Auth-Token")
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if token is not None:
            return token in self.bmc.sessions.values()
        return (
            not self.bmc.quirks.no_basic and self.headers.get("Authorization") == f"Basic {basic}"
        )

    def handle_one(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        note = body.get("ResetType", "")
        with self.bmc.lock:
            self.bmc.log.append((method, self.path, note))
            if self.path.rstrip("/") == "/redfish/v1":
                self.root()
            elif self.path == SESSIONS and method == "POST" and not self.bmc.quirks.no_sessions:
                self.login(body)
            elif not self.let_in():
                self.refuse(401, "While accessing the resource, access was denied.")
            else:
                self.inside(method, note)

    def root(self) -> None:
        root: dict[str, object] = {"Systems": {"@odata.id": self.ref(SYSTEMS)}}
        if not self.bmc.quirks.no_sessions:
            root["Links"] = {"Sessions": {"@odata.id": self.ref(SESSIONS)}}
        self.reply(200, root)

    def login(self, body: dict) -> None:
        quirks = self.bmc.quirks
        if quirks.sessions_busy:
            self.refuse(503, "The service is starting.")
        elif body != {"UserName": USER, "Password": PASSWORD}:
            self.refuse(401, f"No such account, or another password than {body.get('Password')}.")
        elif quirks.sessions_full or len(self.bmc.sessions) >= 8:
            self.refuse(400, "RAC0218: The maximum number of user sessions is reached.")
        else:
            name, token = secrets.token_hex(4), secrets.token_hex(16)
            self.bmc.sessions[name] = token
            where = {} if quirks.no_location else {"Location": self.ref(f"{SESSIONS}/{name}")}
            self.reply(201, {}, X_Auth_Token=token, **where)

    def inside(self, method: str, reset: str) -> None:
        quirks = self.bmc.quirks
        words = self.path[len(SYSTEMS) + 1 :].split("/")
        if method == "DELETE" and self.path.startswith(SESSIONS + "/"):
            self.bmc.sessions.pop(self.path.rsplit("/", 1)[1], None)
            self.reply(204)
        elif self.path == SYSTEMS:
            members = [{"@odata.id": self.ref(f"{SYSTEMS}/{name}")} for name in self.bmc.systems]
            self.reply(200, {"Members": members, "Members@odata.count": len(members)})
        elif not self.path.startswith(SYSTEMS + "/") or words[0] not in self.bmc.systems:
            self.refuse(404, "No such resource.")
        elif method == "POST":
            self.act(words[0], reset)
        elif words[1:] == ["ResetActionInfo"]:
            value = {"Name": "ResetType", "AllowableValues": quirks.values}
            self.reply(200, {"Parameters": [value]})
        elif words[1:] == ["Actions", "ComputerSystem.Reset"]:
            self.reply(200, {}, **({} if quirks.no_etag else {"ETag": ETAG}))
        elif quirks.system_status != 200:
            self.refuse(quirks.system_status)
        elif quirks.garbage:
            self.reply(200, b'{"PowerState": "Off"')
        else:
            self.reply(200, self.system(words[0]))

    def system(self, name: str) -> dict:
        quirks = self.bmc.quirks
        word = quirks.word or self.bmc.switch("status", name).capitalize()
        o: dict[str, object] = {"Id": name, "PowerState": None if word == "null" else word}
        if quirks.uuid:
            o["UUID"] = quirks.uuid
        if quirks.much:
            o["Oem"] = "x" * (2 << 20)
        path = f"{SYSTEMS}/{name}/Actions/ComputerSystem.Reset"
        target = "https://192.0.2.1/" if quirks.foreign_target else self.ref(path)
        reset: dict[str, object] = {"target": target}
        if quirks.values_in == "system":
            reset["ResetType@Redfish.AllowableValues"] = quirks.values
        elif quirks.values_in == "action-info":
            reset["@Redfish.ActionInfo"] = self.ref(f"{SYSTEMS}/{name}/ResetActionInfo")
        if not quirks.no_reset:
            o["Actions"] = {"#ComputerSystem.Reset": reset}
        return o

    def act(self, name: str, reset: str) -> None:
        quirks = self.bmc.quirks
        match = self.headers.get("If-Match")
        if quirks.moved:
            self.reply(302, None, Location="https://192.0.2.1/")
        elif quirks.if_match_fails and match is not None:
            self.refuse(412, "The ETag does not match.")
        elif quirks.if_match_needed and match != ETAG:
            self.refuse(428, "If-Match is needed.")
        elif quirks.refusal:
            self.refuse(quirks.refusal)
        elif reset not in VERBS or (quirks.values_in == "nowhere" and reset not in quirks.values):
            self.refuse(400, f"{reset} is not supported.")
        else:
            if not quirks.deaf:
                self.bmc.switch(VERBS[reset], name)
            if quirks.lost:
                self.close_connection = True
            elif quirks.already:
                self.refuse(quirks.already, "PSU501: The server is already in that state.")
            else:
                self.reply(quirks.acceptance)

    def do_GET(self) -> None:
        self.handle_one("GET")

    def do_POST(self) -> None:
        self.handle_one("POST")

    def do_DELETE(self) -> None:
        self.handle_one("DELETE")
