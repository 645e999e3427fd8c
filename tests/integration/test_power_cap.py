"""The watt cap through the real libpowercap, on trees in a private mount namespace."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HUDDLE_BUILD", REPOSITORY / "build/release"))
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Ur", "--mount"]
if os.geteuid() != 0 and subprocess.run([*UNSHARE, "true"], check=False).returncode != 0:
    pytest.skip("no user namespaces on this machine", allow_module_level=True)

LIMIT = "intel-rapl/intel-rapl:{}/constraint_0_power_limit_uw"


def package(number: int, limit_uw: int, max_uw: int, enabled: int = 1) -> list[str]:
    zone = f"intel-rapl/intel-rapl:{number}"
    return [
        f"zone {zone} package-{number} 1000",
        f"set {zone}/enabled {enabled}",
        f"set {zone}/constraint_0_name long_term",
        f"set {zone}/constraint_0_power_limit_uw {limit_uw}",
        f"set {zone}/constraint_0_max_power_uw {max_uw}",
        f"set {zone}/constraint_1_name short_term",
        f"set {zone}/constraint_1_power_limit_uw {limit_uw + 50000000}",
        f"set {zone}/constraint_1_max_power_uw {max_uw}",
    ]


def attempt(tmp_path: pathlib.Path, tree: list[str], *todo: str) -> list[str]:
    """What each step printed."""
    file = tmp_path / "some.tree"
    file.write_text("\n".join(["[tree]", *tree, ""]), encoding="utf-8")
    done = subprocess.run(
        [
            *UNSHARE,
            "python3",
            str(REPOSITORY / "tests/lab/powercap_tree.py"),
            str(file),
            str(BUILD / "lab/power_cap_try"),
            *todo,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


TWO = package(0, 200000000, 250000000) + package(1, 200000000, 250000000)


def test_set_and_give_back(tmp_path: pathlib.Path) -> None:
    seen = attempt(
        tmp_path,
        TWO,
        "read",
        "set=300000000",
        "show=" + LIMIT.format(0),
        "show=" + LIMIT.format(1),
        "show=intel-rapl/intel-rapl:0/constraint_1_power_limit_uw",
        "restore",
        "show=" + LIMIT.format(0),
        "show=" + LIMIT.format(1),
    )
    assert seen == [
        "intel-rapl:0=200000000 intel-rapl:1=200000000 done",
        "300000000 done",
        "150000000",
        "150000000",
        "250000000",
        "done",
        "200000000",
        "200000000",
    ]


def test_never_below_the_local_floor(tmp_path: pathlib.Path) -> None:
    seen = attempt(tmp_path, TWO, "read", "set=1", "show=" + LIMIT.format(1))
    assert seen[1:] == ["200000000 done", "100000000"]  # 40 % of 250 W each


def test_never_above_what_it_had(tmp_path: pathlib.Path) -> None:
    seen = attempt(tmp_path, TWO, "read", "set=900000000000", "show=" + LIMIT.format(1))
    assert seen[1:] == ["400000000 done", "200000000"]


def test_no_cap_is_the_originals(tmp_path: pathlib.Path) -> None:
    seen = attempt(tmp_path, TWO, "read", "set=300000000", "set=0", "show=" + LIMIT.format(0))
    assert seen[1:] == ["300000000 done", "0 done", "200000000"]


def test_a_restarted_agent_gives_back_what_it_stored(tmp_path: pathlib.Path) -> None:
    seen = attempt(
        tmp_path, TWO, "read", "set=300000000", "reopen", "restore", "show=" + LIMIT.format(0)
    )
    assert seen[1:] == ["300000000 done", "done", "done", "200000000"]


def test_without_stored_originals_nothing_is_set(tmp_path: pathlib.Path) -> None:
    seen = attempt(tmp_path, TWO, "set=300000000", "show=" + LIMIT.format(0))
    assert seen == ["intel-rapl:0: its original limit is not stored", "200000000"]


def test_a_zone_that_was_off_is_off_again(tmp_path: pathlib.Path) -> None:
    enabled = "show=intel-rapl/intel-rapl:0/enabled"
    tree = package(0, 200000000, 250000000, enabled=0)
    seen = attempt(tmp_path, tree, "read", "set=150000000", enabled, "restore", enabled)
    assert seen == ["intel-rapl:0=200000000(off) done", "150000000 done", "1", "done", "0"]


@pytest.mark.parametrize(
    "file, why",
    [
        # Takes any number, keeps nine bits of it, and shows them in hexadecimal.
        ("/proc/self/coredump_filter", "wrote 150000000 uW, read back "),
        # Refuses what is above 1000.
        ("/proc/self/oom_score_adj", "writing (is it locked by the firmware?): Invalid argument"),
    ],
)
def test_what_is_not_taken_is_an_error_and_all_is_given_back(
    tmp_path: pathlib.Path, file: str, why: str
) -> None:
    seen = attempt(
        tmp_path,
        TWO,
        "read",
        f"link={LIMIT.format(1)}={file}",
        "reopen",
        "set=300000000",
        "show=" + LIMIT.format(0),
    )
    assert "intel-rapl:1: power limit: " + why in seen[3]
    assert "nor could the original be given back" in seen[3]  # of that one
    assert seen[4] == "200000000"  # the other is as it was


def test_text_that_is_no_number_is_no_limit(tmp_path: pathlib.Path) -> None:
    seen = attempt(
        tmp_path,
        TWO,
        "read",
        "put=" + LIMIT.format(0) + "=garbage",
        "set=300000000",
        "show=" + LIMIT.format(1),
    )
    assert "intel-rapl:0: power limit: Invalid argument" in seen[2]
    assert seen[3] == "200000000"


@pytest.mark.parametrize(
    "change, why",
    [
        ("deny intel-rapl/intel-rapl:1/constraint_0_power_limit_uw", "Permission denied"),
        ("deny intel-rapl/intel-rapl:1/enabled", "Permission denied"),
        ("remove intel-rapl/intel-rapl:1/constraint_0_name", "no constraint long_term"),
        ("fifo intel-rapl/intel-rapl:1/constraint_0_power_limit_uw", "Invalid argument"),
    ],
)
def test_all_packages_or_none(tmp_path: pathlib.Path, change: str, why: str) -> None:
    seen = attempt(tmp_path, [*TWO, change], "read", "set=300000000", "show=" + LIMIT.format(0))
    assert seen[0].startswith("this node cannot cap its power") and why in seen[0]
    assert seen[1] == seen[0] and seen[2] == "200000000"


def test_a_machine_without_packages(tmp_path: pathlib.Path) -> None:
    assert "cannot cap" in attempt(tmp_path, ["set intel-rapl/enabled 1"], "read")[0]
    assert "cannot cap" in attempt(tmp_path, ["set other/file 1"], "read")[0]


def test_only_packages_of_the_register_interface(tmp_path: pathlib.Path) -> None:
    tree = [
        line.replace("intel-rapl/intel-rapl:0", "intel-rapl-mmio/intel-rapl-mmio:0") for line in TWO
    ]
    tree += [
        "zone intel-rapl/intel-rapl:2 psys 5",
        "set intel-rapl/intel-rapl:2/constraint_0_name long_term",
        "set intel-rapl/intel-rapl:2/constraint_0_power_limit_uw 500000000",
    ]
    assert attempt(tmp_path, tree, "read") == ["intel-rapl:1=200000000 done"]
