"""Runs sushy-tools with its Python packages; its fake machines are the nodes of a lab. See sushy.py."""

import json
import socket
import ssl
import sys

from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver

OPTIONS = json.loads(sys.argv[1])
VERBS = {"On": "on", "GracefulShutdown": "off", "ForceOff": "force-off"}


def press(verb: str, uuid: str) -> str:
    with socket.socket(socket.AF_UNIX) as lab:
        lab.connect(OPTIONS["switch"])
        lab.sendall(f"{verb} {OPTIONS['systems'][uuid]}\n".encode())
        return lab.makefile().readline().strip()


class LabDriver(fakedriver.FakeDriver):
    """All but the power is as in the emulator."""

    def get_power_state(self, identity: str) -> str:
        return press("status", self.uuid(identity)).capitalize()

    def set_power_state(self, identity: str, state: str) -> None:
        press(VERBS[state], self.uuid(identity))


fakedriver.FakeDriver = LabDriver
machines = [
    {"uuid": uuid, "name": name, "power_state": "Off", "nics": []}
    for uuid, name in OPTIONS["systems"].items()
]
main.app.configure(
    extra_config={
        "SUSHY_EMULATOR_FAKE_DRIVER": True,
        "SUSHY_EMULATOR_FAKE_SYSTEMS": machines,
        "SUSHY_EMULATOR_STATE_DIR": OPTIONS["state"],
        "SUSHY_EMULATOR_AUTH_FILE": OPTIONS["htpasswd"],
    }
)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
main.app.run(host=OPTIONS["address"], port=OPTIONS["port"], ssl_context=context, threaded=True)
