"""Requests that may wait, on a rack of real programs: held at HAProxy while the grid is dirty, answered when it is green."""

import concurrent.futures
import http.client
import json
import time

from tests.lab.enter import in_lab
from tests.lab.rack import CONTROLLER_ADDRESS, DOOR_PORT
from tests.lab.serving import CLASSIFIER, RACK, apply, near, rack_of

BATCH = (
    CLASSIFIER.replace("NAME", "batch")
    + """\
  replicas: {{min: 0, max: 2}}
  disruption: {{minAvailable: 0}}
  deferrable: {{deadline: {deadline_s}s}}
  startupTime: 3s
  readiness: {{type: http, path: /healthz, period: 200ms, timeout: 1s, failures: 4}}
"""
)
DEADLINE_S = 200  # a boot that is not proven may take two minutes
GREEN_AFTER_S = 30


def long_queue(rack):
    rack.queue_timeout = "5m"


def ask():
    """The status of an answer, and when it came."""
    connection = http.client.HTTPConnection(CONTROLLER_ADDRESS, DOOR_PORT, timeout=300)
    connection.request("GET", "/healthz", headers={"Host": "batch"})
    status = connection.getresponse().status
    connection.close()
    return status, time.time()


def status(rack):
    return rack.api.status("servedmodels")["batch"]


def reported(rack):
    report = json.loads(rack.ctl("report", "-o", "json").stdout)
    assert report["carbon"]["usedKg"] > 0 and report["carbon"]["weighed"]["fileJ"] > 0
    return next(m for m in report["models"] if m["name"] == "batch")


def intensity(rack):
    return (rack.api.status("powerpolicies")["rack"]["carbon"] or {}).get("perKwh")


@in_lab(240)
def test_requests_wait_for_the_green_hour():
    with rack_of(2, replicas=0, min_awake=1, prepare=long_queue) as rack:
        grid = rack._write("grid/de.csv", "2026-01-01T00:00Z,1\n")
        rack_with_grid = RACK.replace(
            "strategy: demand",
            f"strategy: demand\n  carbon: {{{{source: file, path: {grid}}}}}",
        )
        apply(rack, rack_with_grid.format(min_awake=1))
        refused = rack.ctl(
            "apply",
            "-f",
            str(rack._write("m.yaml", BATCH.format(weights="small.bin", deadline_s=301))),
            check=False,
        )
        assert refused.returncode == 1 and "raise frontDoor.queueTimeout" in refused.stderr
        apply(rack, BATCH.format(weights="small.bin", deadline_s=DEADLINE_S))
        rack.wait("an empty queue", lambda: status(rack)["waiting"] == 0)
        rack.wait("a node", lambda: "awake" in rack.node_states().values(), 60)
        begin = time.time()
        green = round(begin) + GREEN_AFTER_S
        grid.with_suffix(".new").write_text(
            f"time,g\n{green - 600},500\n{green},50\n{green + 600},50\n"
        )
        grid.with_suffix(".new").rename(grid)
        rack.wait("the grid", lambda: intensity(rack) == 500)
        with concurrent.futures.ThreadPoolExecutor(3) as clients:
            asked = time.time()
            answers = [clients.submit(ask) for _ in range(3)]
            rack.wait("three that wait", lambda: status(rack)["waiting"] == 3)
            rack.wait("a plan that holds them", lambda: status(rack)["heldUntil"])
            assert "it may wait" in rack.ctl("explain", "model", "batch").stdout
            assert status(rack)["total"] == 0 and time.time() < green
            for answer in answers:
                code, at = answer.result()
                assert code == 200 and green <= at <= asked + DEADLINE_S, at - green
        rack.wait("nobody waiting", lambda: status(rack)["waiting"] == 0)
        rack.wait("three in the report", lambda: reported(rack)["deferred"] == 3)
        model = reported(rack)
        # What came at 500 g/kWh was served at 50; looks at the queue and at the counters take a second, and one of
        # them may have begun before it was green.
        per_request_j = model["usedJ"] / model["requests"]
        assert model["requests"] == 3, model
        near(model["avoidedKg"], 3 * per_request_j * 450 / 3.6e9, 0.3)
