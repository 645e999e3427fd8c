"""build.py keeps what is complete, and only that. Go and Debian's archive are stood in for here."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.kubernetes.build import CONTROL, VERSION

BUILD = pathlib.Path(__file__).with_name("build.py")
# Called like the real one; "builds" the last word of each package, waits for the file `go-on` if
# there is a file `wait`, fails if there is a file `fail`, and writes a line to `builds` each time.
GO = """\
#!/bin/sh
cd "{root}" || exit 1
case $1 in
env) echo go1.99.0 ;;
list) echo a b c ;;
build)
    echo build >>builds
    while [ -e wait ] && [ ! -e go-on ]; do sleep 0.02; done
    [ ! -e fail ] || {{ echo "proxy: no such host" >&2; exit 1; }}
    out=
    while [ $# -gt 0 ]; do
        case $1 in
        -o) out=$2; shift ;;
        */*) name=${{1%/v3}}; [ "$1" = "$out" ] || echo made >"$out${{name##*/}}" ;;
        esac
        shift
    done ;;
esac
"""
APT = "#!/bin/sh\n: >etcd.deb\n"
DPKG = '#!/bin/sh\nmkdir -p "$3/usr/bin" && echo made >"$3/usr/bin/etcd"\n'


class Scene:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.cache = root / f"cache/huddle/kubernetes-{VERSION}"
        self.env = {k: v for k, v in os.environ.items() if k not in ("CI", "KUBEBUILDER_ASSETS")}
        self.env |= {"XDG_CACHE_HOME": str(root / "cache"), "PATH": f"{root}:{os.environ['PATH']}"}
        for name, text in (("go", GO), ("apt-get", APT), ("dpkg-deb", DPKG)):
            (root / name).write_text(text.format(root=root) if name == "go" else text)
            (root / name).chmod(0o755)

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(BUILD), *words],
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **env: str) -> tuple[int, str]:
        process = self.start(*words, **env)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def builds(self) -> int:
        file = self.root / "builds"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def parts(self) -> list[pathlib.Path]:
        return sorted(p for p in self.cache.iterdir() if p.is_dir())

    def wait(self, condition: object) -> None:
        end = time.monotonic() + 30
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def test_all_programs_once(scene: Scene) -> None:
    code, said = scene.run("control")
    assert code == 0, said
    (part,) = scene.parts()
    assert sorted(f.name for f in part.iterdir()) == sorted(CONTROL.programs())
    n = scene.builds()
    assert scene.run("control") == (0, "")
    assert scene.builds() == n
    assert scene.run("--where", "etcd") == (0, f"{part}/etcd\n")


def test_failure_is_told_and_leaves_nothing(scene: Scene) -> None:
    (scene.root / "fail").touch()
    code, said = scene.run("control")
    assert code == 1 and "proxy: no such host" in said
    assert scene.run("--optional", "control")[0] == 0
    assert scene.run("--optional", "control", CI="true")[0] == 1
    assert not scene.parts()
    assert "proxy: no such host" in scene.run("--where", "etcd")[1]
    (scene.root / "fail").unlink()
    assert scene.run("control")[0] == 0


def test_killed_build_leaves_no_part(scene: Scene) -> None:
    (scene.root / "wait").touch()
    process = scene.start("control")
    scene.wait(lambda: scene.builds() == 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [p.name[:5] for p in scene.parts()] == [".new-"]
    (scene.root / "wait").unlink()
    assert scene.run("control")[0] == 0
    assert [p.name.split("-")[0] for p in scene.parts()] == ["control"]


def test_ended_build_ends_go_and_leaves_nothing(scene: Scene) -> None:
    (scene.root / "wait").touch()
    process = scene.start("control")
    scene.wait(lambda: scene.builds() == 1)
    process.terminate()
    process.communicate(timeout=20)  # until go, which writes there too, is gone
    assert process.returncode == 1 and not scene.parts()


def test_second_builder_waits_for_the_first(scene: Scene) -> None:
    (scene.root / "wait").touch()
    first = scene.start("control")
    scene.wait(lambda: scene.builds() == 1)
    second = scene.start("control")
    assert second.stdout
    assert "waiting" in second.stdout.readline()
    (scene.root / "go-on").touch()
    assert first.wait(60) == 0 and second.wait(60) == 0
    assert scene.builds() == len(CONTROL.go)
    first.communicate()
    second.communicate()


def test_users_own_programs_are_not_built(scene: Scene) -> None:
    own = scene.root / "own"
    own.mkdir()
    for program in CONTROL.programs()[:-1]:
        (own / program).touch(mode=0o755)
    assert scene.run("control", KUBEBUILDER_ASSETS=str(own))[0] == 0
    assert scene.builds() == 0
    (part,) = scene.parts()
    assert [f.name for f in part.iterdir()] == [CONTROL.programs()[-1]]
    found = scene.run("--where", "kubectl", KUBEBUILDER_ASSETS=str(own))
    assert found == (0, f"{own}/kubectl\n")
    assert "not built" in scene.run("--where", "kubectl")[1]
