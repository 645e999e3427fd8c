"""Requests through the front door of a rack, from the open-loop load generator (load.c)."""

from __future__ import annotations

import collections.abc
import http.client
import json
import pathlib
import signal
import subprocess
import threading

from tests.lab.lab import BUILD, CONTROLLER_ADDRESS
from tests.lab.rack import DOOR_PORT, WEIGHTS, Rack

PASSES = {"small": 500, "medium": 110, "large": 50}  # as in deploy/examples/demo/models.yaml


class Traffic:
    """The arrivals of `table`, sent until it ends or `stop()`. `progress` is its newest line."""

    def __init__(
        self, rack: Rack, table: pathlib.Path, models: collections.abc.Iterable[str], seed: int = 1
    ) -> None:
        self.out = rack.folder / "load.json"
        self.progress: dict = {}
        words = [str(BUILD / "lab-load"), "--table", str(table), "--seed", str(seed)]
        words += ["--out", str(self.out)]
        for name in models:
            words += ["--model", name, "--address", f"{CONTROLLER_ADDRESS}:{DOOR_PORT}"]
            words += ["--path", "/v1/predict", "--host", name]
            words += ["--weights", str(WEIGHTS / f"{name}.bin"), "--passes", str(PASSES[name])]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=(rack.folder / "load.log").open("w"), text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.progress = json.loads(line)

    def running(self) -> bool:
        return self.process.poll() is None

    def result(self) -> dict:
        """The report of a load that has ended."""
        return json.loads(self.out.read_text())

    def stop(self) -> dict:
        """Ends it now; what is in flight is still answered and counted."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        return self.result()


def steady(rack: Rack, rate: float, model: str = "small", seconds: float = 600) -> Traffic:
    """`rate` requests a second to one model."""
    table = rack.folder / "steady.csv"
    table.write_text(f"t_s,{model}\n0,{rate}\n{seconds},{rate}\n")
    return Traffic(rack, table, [model])


def answers(model: str) -> bool:
    """Whether a request to `model` comes through the front door."""
    door = http.client.HTTPConnection(CONTROLLER_ADDRESS, DOOR_PORT, timeout=5)
    try:
        door.request("GET", "/healthz", headers={"Host": model})
        return door.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        door.close()
