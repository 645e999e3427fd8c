"""The lab itself: power, meter, boot id and clean-up, without huddle."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.lab.enter import REPOSITORY, in_lab

SPIN = ["sh", "-c", "while :; do :; done"]
SLEEP = ["sleep", "60"]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def energy_uj(node, zone="intel-rapl/intel-rapl:0"):
    return int((node.tree.root / zone / "energy_uj").read_text())


@in_lab(60)
def test_meter_follows_the_work():
    from tests.lab.lab import Lab

    with Lab(2, cpu_milli=100, boot_s=0.2) as lab:
        lab.nodes["n1"].command, lab.nodes["n2"].command = SPIN, SLEEP
        for name in lab.nodes:
            lab.switch("on", name)
        time.sleep(3.5)
        readings = lab.readings["nodes"]
        assert readings["n1"]["watts"] > 400  # the curve ends at 457 W
        assert readings["n2"]["watts"] < 100  # and begins at 52 W
        before, joules = energy_uj(lab.nodes["n1"]), lab.readings["nodes"]["n1"]["joules"]
        time.sleep(1.5)
        span = 9_000_000_000
        counted = (energy_uj(lab.nodes["n1"]) - before) % span / 1e6
        told = lab.readings["nodes"]["n1"]["joules"] - joules
        assert abs(counted - 0.85 * told) < 0.25 * told
        assert lab.readings["always_on_j"] > lab.readings["bound_j"] > 0


@in_lab(60)
def test_power_off_ends_everything_and_on_is_a_new_boot():
    from tests.lab.lab import BUILD, Lab

    with Lab(1, cpu_milli=100, boot_s=0.2) as lab:
        node = lab.nodes["n1"]
        node.command = ["sh", "-c", "cat /proc/sys/kernel/random/boot_id; sleep 60"]
        log = node.folder / "agent.log"
        lab.switch("on", "n1")
        wait(lambda: log.exists() and log.read_text())
        wait(lambda: node.pids("sleep"))  # it follows the boot id, but not at once
        processes = [pathlib.Path(f"/proc/{pid}") for pid in node.pids("sleep")]
        assert lab.switch("status", "n1") == "on"
        driver = subprocess.run(
            [BUILD / "lab-power", "off", "n1"],
            input=f'{{"settings":{{"socket":"{lab.socket_path}"}}}}',
            text=True,
            capture_output=True,
        )
        assert driver.returncode == 0 and '"power":"off"' in driver.stdout
        wait(lambda: lab.switch("status", "n1") == "off")
        wait(lambda: not any(process.exists() for process in processes))
        assert not pathlib.Path("/sys/class/net/v1").exists()
        # Only now has the meter heard of it: until then it goes on counting.
        wait(lambda: lab.readings["nodes"]["n1"]["watts"] == 12)
        at_rest, joules = energy_uj(node), lab.readings["nodes"]["n1"]["joules"]
        wait(lambda: lab.readings["nodes"]["n1"]["joules"] > joules)
        assert energy_uj(node) == at_rest
        lab.switch("on", "n1")
        wait(lambda: len(log.read_text().split()) == 2)
        first, second = log.read_text().split()
        assert first != second


@in_lab(60)
def test_switch_refuses_what_it_does_not_know():
    from tests.lab.lab import Lab

    with Lab(1) as lab:
        assert "no node" in lab.switch("on", "n9")
        assert "expected" in lab.switch("toggle", "n1")


def wait(condition, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def leftovers(mark):
    """Processes and cgroups that carry the mark."""
    found = [str(path) for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/{mark}*")]
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"={mark}" in (entry / "environ").read_text():
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_nothing_is_left_when_the_lab_is_killed():
    script = (
        "import time\n"
        "from tests.lab.lab import Lab\n"
        "lab = Lab(2, boot_s=0.1)\n"
        "for node in lab.nodes.values(): node.command = ['sleep', '60']; node.power_on(0.1)\n"
        "print('up', flush=True); time.sleep(60)\n"
    )
    lab = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.enter", sys.executable, "-c", script],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert lab.stdout
    if lab.stdout.readline() != "up\n":
        lab.kill()
        pytest.skip("no namespaces here")
    mark = f"huddle-lab-{lab.pid}"
    assert leftovers(mark)
    lab.send_signal(signal.SIGKILL)
    lab.wait()
    lab.stdout.close()
    wait(lambda: not leftovers(mark))


@pytest.mark.parametrize(
    "case",
    [
        "test_lab.py::test_power_off_ends_everything_and_on_is_a_new_boot",
        "test_lab.py::test_nothing_is_left_when_the_lab_is_killed",
        "test_faults.py::test_replicas_serve_while_the_controller_is_away",
    ],
)
def test_without_root(case):
    """The same as another user, in a user namespace; as that user the tests themselves are this one."""
    if os.geteuid() != 0:
        pytest.skip("not root: every test of the lab is this one")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    words += [
        "/usr/bin/python3",
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-p",
        "no:cacheprovider",
        "--no-header",
    ]
    done = subprocess.run(
        [*words, f"tests/integration/{case}"],
        cwd=REPOSITORY,
        env={**os.environ, "HOME": "/nonexistent", "PATH": PATH, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    if done.returncode == 0 and " passed" not in done.stdout:
        pytest.skip(done.stdout)
    if "No module named pytest" in done.stderr or "[Errno 13]" in done.stderr:
        pytest.skip(f"another user cannot run tests here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
