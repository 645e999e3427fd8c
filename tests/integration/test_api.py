"""The API of the real huddle-controller: objects, watches, refusals, limits, TLS and roles."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import hashlib
import http.client
import json
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import wire
from tests.lab.controller import GROUP, LIMIT_S, Controller
from tests.lab.lab import BUILD

MERGE = "application/merge-patch+json"


@pytest.fixture(name="api")
def controller(tmp_path: pathlib.Path) -> Iterator[Controller]:
    with Controller(tmp_path) as running:
        yield running


def declared(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "huddle.energy/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def pool(name: str = "rack", **spec: Any) -> dict[str, Any]:
    return declared("PowerPool", name, **spec)


def ask(api: Controller, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Status, headers and the body, as JSON where it is. Paths are below the group unless they begin
    with a slash."""
    if not path.startswith("/"):
        path = f"{GROUP}/{path}"
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=LIMIT_S)
    sent = {"Content-Type": "application/json"} if body is not None else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(connection):
        connection.request(
            method, path, body if isinstance(body, (str, type(None))) else json.dumps(body), sent
        )
        answer = connection.getresponse()
        data = answer.read()
        is_json = answer.getheader("Content-Type") == "application/json"
        return (
            answer.status,
            answer.headers,
            json.loads(data) if is_json and data else data.decode(),
        )


def ok(answer: Any, status: int = 200) -> Any:
    assert answer[0] == status, answer
    return answer[2]


def refused(answer: Any, status: int, reason: str, message: str) -> None:
    code, _, body = answer
    assert (code, body["kind"], body["status"]) == (status, "Status", "Failure"), answer
    assert (body["code"], body["reason"]) == (status, reason), answer
    assert message in body["message"], body["message"]


# --- objects ---


def test_create_replace_patch_delete(api: Controller) -> None:
    made = ok(ask(api, "POST", "powerpools", pool(minAwake=2)), 201)
    first = made["metadata"]["resourceVersion"]
    assert made["spec"]["minAwake"] == 2 and made["spec"]["driver"]["type"] == "none"
    assert made["metadata"]["generation"] == 1 and made["metadata"]["uid"]
    refused(ask(api, "POST", "powerpools", pool()), 409, "AlreadyExists", "already exists")

    made["spec"]["minAwake"] = 3
    second = ok(ask(api, "PUT", "powerpools/rack", made))
    assert second["metadata"]["generation"] == 2
    assert int(second["metadata"]["resourceVersion"]) > int(first)
    refused(ask(api, "PUT", "powerpools/rack", made), 409, "Conflict", "changed by somebody else")

    patch = {"spec": {"spare": 2, "minAwake": None}, "metadata": {"labels": {"room": "b1"}}}
    third = ok(ask(api, "PATCH", "powerpools/rack", patch, Content_Type=MERGE))
    assert third["spec"]["spare"] == 2 and third["spec"]["minAwake"] == 1  # its default
    assert third["metadata"]["labels"] == {"room": "b1"}
    assert third["metadata"]["uid"] == made["metadata"]["uid"]
    stale = {"metadata": {"resourceVersion": first}, "spec": {"spare": 9}}
    refused(
        ask(api, "PATCH", "powerpools/rack", stale, Content_Type=MERGE), 409, "Conflict", "changed"
    )

    wrong = {"preconditions": {"uid": "another"}}
    refused(ask(api, "DELETE", "powerpools/rack", wrong), 409, "Conflict", "preconditions")
    ok(ask(api, "DELETE", "powerpools/rack", {"preconditions": {"uid": made["metadata"]["uid"]}}))
    refused(ask(api, "GET", "powerpools/rack"), 404, "NotFound", 'PowerPool "rack" not found')
    refused(ask(api, "DELETE", "powerpools/rack"), 404, "NotFound", "not found")


def test_yaml_is_taken_too(api: Controller) -> None:
    text = "apiVersion: huddle.energy/v1alpha1\nkind: PowerPool\nmetadata: {name: y}\nspec:\n"
    made = ask(api, "POST", "powerpools", text + "  spare: 3\n", Content_Type="application/yaml")
    assert ok(made, 201)["spec"]["spare"] == 3
    bad = ask(api, "POST", "powerpools", text + "  spair: 3\n", Content_Type="application/yaml")
    refused(bad, 422, "Invalid", "body:5:3: spec.spair: unknown field; did you mean")


def test_dry_runs_change_nothing(api: Controller) -> None:
    before = ok(ask(api, "GET", "powerpools"))["metadata"]["resourceVersion"]
    assert (
        ok(ask(api, "POST", "powerpools?dryRun=All", pool(minAwake=2)), 201)["spec"]["minAwake"]
        == 2
    )
    assert ok(ask(api, "GET", "powerpools"))["items"] == []
    ok(ask(api, "POST", "powerpools", pool(minAwake=2)), 201)
    patch = {"spec": {"minAwake": 5}}
    seen = ask(api, "PATCH", "powerpools/rack?dryRun=All", patch, Content_Type=MERGE)
    assert ok(seen)["spec"]["minAwake"] == 5
    ok(ask(api, "DELETE", "powerpools/rack?dryRun=All"))
    assert ok(ask(api, "GET", "powerpools/rack"))["spec"]["minAwake"] == 2
    assert before != ok(ask(api, "GET", "powerpools"))["metadata"]["resourceVersion"]


def test_patches_at_once_lose_nothing(api: Controller) -> None:
    """Each adds a label of its own; the server merges again where somebody was quicker."""
    ok(ask(api, "POST", "powerpools", pool()), 201)

    def add_label(i: int) -> int:
        patch = {"metadata": {"labels": {f"l{i}": "x"}}}
        for _ in range(100):  # five conflicts in a row are told to the client
            status = ask(api, "PATCH", "powerpools/rack", patch, Content_Type=MERGE)[0]
            if status != 409:
                return int(status)
        return 0

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert set(threads.map(add_label, range(40))) == {200}
    labels = ok(ask(api, "GET", "powerpools/rack"))["metadata"]["labels"]
    assert labels == {f"l{i}": "x" for i in range(40)}


def test_a_model_is_gone_once_its_replicas_are(api: Controller) -> None:
    ok(ask(api, "POST", "servedmodels", declared("ServedModel", "m", port=8000)), 201)
    with Watch(api, "servedmodels?watch=true") as watch:
        assert watch.next("ADDED") == "m"
        ok(ask(api, "DELETE", "servedmodels/m"))
        watch.until("DELETED")
    refused(ask(api, "GET", "servedmodels/m"), 404, "NotFound", "")


REFUSALS = [
    ("POST", "powerpools", "{", {}, 400, "BadRequest", "no valid JSON: line 1"),
    ("POST", "powerpools", '{"kind":1,"kind":2}', {}, 400, "BadRequest", "duplicate"),
    ("POST", "powerpools", pool("Upper"), {}, 422, "Invalid", "metadata.name: expected"),
    ("POST", "powerpools", pool(minAwake="x"), {}, 422, "Invalid", "spec.minAwake: expected"),
    ("POST", "powerpools", pool(minAwak=1), {}, 422, "Invalid", 'did you mean "minAwake"'),
    ("POST", "servedmodels", pool(), {}, 400, "BadRequest", "expected ServedModel, not PowerPool"),
    ("PUT", "powerpools/other", pool(), {}, 400, "BadRequest", "not the name in the path"),
    ("PUT", "powerpools/rack", pool(), {}, 404, "NotFound", "not found"),
    ("PATCH", "powerpools/rack", {}, {"Content_Type": MERGE}, 404, "NotFound", "not found"),
    ("PATCH", "powerpools/rack", {}, {}, 415, "UnsupportedMediaType", MERGE),
    ("POST", "powerpools", pool(), {"Content_Type": "text/plain"}, 415, "UnsupportedMediaType", ""),
    ("POST", "powerpools?dryRun=some", pool(), {}, 400, "BadRequest", "dryRun"),
    ("GET", "nodes?labelSelector=a%20b", None, {}, 400, "BadRequest", "labelSelector: a: expected"),
    ("GET", "nodes", None, {"Accept": "text/html"}, 406, "NotAcceptable", "application/json"),
    ("GET", "pods", None, {}, 404, "NotFound", "there is no"),
    ("GET", "/nowhere", None, {}, 404, "NotFound", "there is no /nowhere"),
    ("GET", "nodes/none", None, {}, 404, "NotFound", 'Node "none" not found'),
    ("POST", "nodes/none/wake", {}, {}, 404, "NotFound", 'Node "none" not found'),
    ("POST", "nodes/none/jump", {}, {}, 404, "NotFound", "there is no"),
    ("POST", "clusters/none/pause", {}, {}, 404, "NotFound", 'Cluster "none" not found'),
    ("DELETE", "nodes/none", None, {}, 404, "NotFound", 'Node "none" not found'),
    ("DELETE", "replicas/none", None, {}, 405, "MethodNotAllowed", "GET, HEAD is"),
    ("PUT", "/metrics", "", {}, 405, "MethodNotAllowed", "GET, HEAD is"),
    ("GET", "nodes", None, {"Host": "rebound.example"}, 403, "Forbidden", "Host"),
    ("POST", "powerpools", pool(), {"Origin": "http://evil.example"}, 403, "Forbidden", "Origin"),
    ("POST", "powerpools", " " * (1 << 20) + "{}", {}, 413, "RequestEntityTooLarge", "too long"),
    ("GET", "/report?from=never", None, {}, 400, "BadRequest", "from: expected a time"),
]


@pytest.fixture(name="shared", scope="module")
def shared_controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with Controller(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.mark.parametrize("case", REFUSALS, ids=lambda c: f"{c[4]}-{c[0]}-{c[1][:20]}")
def test_refusals_are_status_objects(shared: Controller, case: Any) -> None:
    method, path, body, headers, status, reason, message = case
    refused(ask(shared, method, path, body, **headers), status, reason, message)


# --- nodes and the cluster ---


def test_verbs_and_the_journal(api: Controller) -> None:
    report = wire.report(node="n1", boot_id="b", epoch=1, sequence=1)
    assert api.ask("POST", "/v1/report", report)[0] == 200
    with Watch(api, "nodes?watch=true") as watch:
        assert watch.next("ADDED") == "n1"
    held = ok(ask(api, "POST", "nodes/n1/hold", {"reason": "new fan"}))
    assert held["spec"]["held"]
    assert not ok(ask(api, "POST", "nodes/n1/release"))["spec"]["held"]
    assert ok(ask(api, "POST", "nodes/n1/cordon", {}))["spec"]["cordoned"]
    refused(ask(api, "POST", "nodes/n1/sleep", {}), 422, "Invalid", "cannot sleep node n1")
    assert ok(ask(api, "POST", "clusters/_/pause", {"reason": "visit"}))["status"]["paused"]
    assert ok(ask(api, "GET", "clusters/_"))["status"]["paused"]
    acts = [row["spec"] for row in ok(ask(api, "GET", "journal"))["items"]]
    holds = [act for act in acts if act["act"] == "hold" and act["by"]]  # T14 is a row, too
    assert [(act["name"], act["by"], act["reason"]) for act in holds] == [
        ("n1", "local", "new fan")
    ]
    only = ok(ask(api, "GET", "journal?fieldSelector=spec.act%3Dpause"))["items"]
    assert [row["spec"]["reason"] for row in only] == ["visit"]


def test_discovery_and_pages(api: Controller) -> None:
    groups = ok(ask(api, "GET", "/apis"))["groups"]
    assert [group["name"] for group in groups] == ["huddle.energy"]
    kinds = {r["name"] for r in ok(ask(api, "GET", GROUP))["resources"] if "/" not in r["name"]}
    for kind in kinds:
        listed = ok(ask(api, "GET", kind))
        assert listed["kind"].endswith("List") and isinstance(listed["items"], list)
    assert ok(ask(api, "GET", "/version"))["gitVersion"].startswith("v")
    assert "usedJ" in json.dumps(ok(ask(api, "GET", "/report?from=1h")))
    page = ok(ask(api, "GET", "/metrics"))
    for name in ("huddle_nodes", "huddle_build_info", "huddle_process_cpu_seconds_total"):
        assert f"\n# TYPE {name} " in page
    assert ask(api, "HEAD", "/livez")[2] == ""


# --- watches ---


class Watch:
    """An open watch; lines are waited for."""

    def __init__(self, api: Controller, path: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=LIMIT_S)
        self.connection.request("GET", f"{GROUP}/{path}")
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.version = "0"

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *unused: object) -> None:
        self.connection.close()

    def line(self) -> dict[str, Any]:
        text = self.answer.readline()
        assert text, "the watch ended"
        line: dict[str, Any] = json.loads(text)
        self.version = line["object"]["metadata"]["resourceVersion"]
        return line

    def next(self, kind: str) -> str:
        """The name in the next line, which is of that type."""
        line = self.line()
        assert line["type"] == kind, line
        return str(line["object"]["metadata"]["name"])

    def until(self, kind: str) -> str:
        while (line := self.line())["type"] != kind:
            pass
        return str(line["object"]["metadata"]["name"])


def test_a_watch_tells_all_and_resumes(api: Controller) -> None:
    ok(ask(api, "POST", "powerpools", pool("a")), 201)
    version = ok(ask(api, "GET", "powerpools"))["metadata"]["resourceVersion"]
    with Watch(api, "powerpools?watch=true") as watch:
        assert watch.next("ADDED") == "a"
        ok(ask(api, "POST", "powerpools", pool("b")), 201)
        assert watch.next("ADDED") == "b"
        ok(ask(api, "PATCH", "powerpools/a", {"spec": {"spare": 4}}, Content_Type=MERGE))
        assert watch.next("MODIFIED") == "a"
        ok(ask(api, "DELETE", "powerpools/b"))
        assert watch.next("DELETED") == "b"
    with Watch(api, f"powerpools?watch=true&resourceVersion={version}") as watch:
        seen = [watch.next("ADDED"), watch.next("MODIFIED"), watch.next("DELETED")]
    assert seen == ["b", "a", "b"]


def test_a_watch_by_label(api: Controller) -> None:
    ok(ask(api, "POST", "powerpools", pool("a")), 201)
    with Watch(api, "powerpools?watch=true&labelSelector=room=b1") as watch:
        for room in ("b1", "b2"):
            labels = {"metadata": {"labels": {"room": room}}}
            ok(ask(api, "PATCH", "powerpools/a", labels, Content_Type=MERGE))
        assert (watch.next("ADDED"), watch.next("DELETED")) == ("a", "a")


def test_a_watch_from_before_a_restart_is_gone(tmp_path: pathlib.Path) -> None:
    api = Controller(tmp_path)
    try:
        api.start()
        version = ok(ask(api, "GET", "powerpools"))["metadata"]["resourceVersion"]
        ok(ask(api, "POST", "powerpools", pool("a")), 201)
        api.stop()
        api.start()
        gone = ask(api, "GET", f"powerpools?watch=true&resourceVersion={version}")
        refused(gone, 410, "Expired", "list again")
        version = ok(ask(api, "GET", "powerpools"))["metadata"]["resourceVersion"]
        with Watch(api, f"powerpools?watch=true&resourceVersion={version}") as watch:
            ok(ask(api, "POST", "powerpools", pool("b")), 201)
            assert watch.next("ADDED") == "b"
        refused(ask(api, "GET", "nodes?watch=true&resourceVersion=99999999"), 410, "Expired", "")
    finally:
        api.__exit__()


def test_stopping_ends_watches_in_time(api: Controller) -> None:
    with Watch(api, "nodes?watch=true") as first, Watch(api, "events?watch=true"):
        stopped: list[int] = []
        thread = threading.Thread(target=lambda: stopped.append(api.stop()))
        thread.start()
        with contextlib.suppress(http.client.HTTPException, OSError):
            while first.answer.readline():
                pass
        thread.join(LIMIT_S)
        assert stopped == [0]


# --- power drivers ---


def test_drivers_and_secrets_come_from_allowed_folders(tmp_path: pathlib.Path) -> None:
    drivers, secrets = tmp_path / "drivers", tmp_path / "secrets"
    for folder in (drivers, secrets):
        folder.mkdir(mode=0o755)
    (drivers / "bmc").write_text("#!/bin/sh\n")
    (drivers / "out").symlink_to("/bin/true")
    (secrets / "key").symlink_to("/etc/passwd")
    allowed = {"programs": [str(drivers)], "secrets": [str(secrets)]}

    def put(program: str, **files: str) -> Any:
        driver = {"type": "exec", "program": program, "secrets": files}
        name = f"p{len(put.__dict__)}"
        put.__dict__[name] = True
        return ask(api, "POST", "powerpools", pool(name, driver=driver))

    bmc = str(drivers / "bmc")
    with Controller(tmp_path, powerDrivers=allowed) as api:
        made = ok(put(bmc, password=str(secrets / "later")), 201)
        for program, why in (
            ("/bin/true", "spec.driver.program: /bin/true is outside of the folders"),
            (str(drivers / "out"), f"out is really {pathlib.Path('/bin/true').resolve()}"),
            (f"{drivers}/../drivers/bmc", 'without ".."'),
        ):
            refused(put(program), 422, "Invalid", why)
        for file in ("/etc/shadow", str(secrets / "key"), bmc):
            refused(put(bmc, password=file), 422, "Invalid", "spec.driver.secrets.password: ")
        # Every way in: replace, patch, and a dry run.
        made["spec"]["driver"]["program"] = "/bin/true"
        name = made["metadata"]["name"]
        refused(ask(api, "PUT", f"powerpools/{name}", made), 422, "Invalid", "outside")
        patch = {"spec": {"driver": {"program": "/bin/true"}}}
        patched = ask(api, "PATCH", f"powerpools/{name}", patch, Content_Type=MERGE)
        refused(patched, 422, "Invalid", "powerDrivers.programs: ")
        dry = ask(api, "PATCH", f"powerpools/{name}?dryRun=All", patch, Content_Type=MERGE)
        refused(dry, 422, "Invalid", "outside")
        assert ok(ask(api, "GET", f"powerpools/{name}"))["spec"]["driver"]["program"] == bmc
        assert len(ok(ask(api, "GET", "powerpools"))["items"]) == 1


# --- limits ---


def test_slow_clients_are_cut_and_others_served(api: Controller) -> None:
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api.port)))
            for _ in range(50)
        ]
        for i, connection in enumerate(slow):
            connection.settimeout(LIMIT_S)
            body = b"POST /v1/report HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"
            connection.sendall(body if i % 2 else b"GET /livez HTTP/1.1\r\nHo")
        ok(ask(api, "GET", "/livez"))
        for connection in slow:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
        ok(ask(api, "GET", "/livez"))


# --- TLS and tokens ---

ROLES = ("metrics", "viewer", "operator", "editor", "admin", "agent")
RIGHTS = [
    ("GET", "/metrics", None, "metrics viewer operator editor admin"),
    ("GET", f"{GROUP}/nodes", None, "viewer operator editor admin"),
    ("POST", f"{GROUP}/clusters/_/pause", {}, "operator editor admin"),
    ("POST", f"{GROUP}/powerpools?dryRun=All", pool(), "editor admin"),
    ("POST", f"{GROUP}/clusters/_/resume", {}, "admin"),
]


def token_line(name: str, role: str, token: str, more: str = "") -> str:
    return f"{name} {role} sha256:{hashlib.sha256(token.encode()).hexdigest()}{more}\n"


def test_an_agents_token_is_for_one_node(tmp_path: pathlib.Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(
        token_line("one", "agent", "t1", " node:n1")
        + token_line("any", "agent", "t2", " node:*")
        + token_line("eve", "viewer", "t3")
    )

    def report(node: str, token: str) -> tuple[int, bytes]:
        message = wire.report(node=node, boot_id="b", epoch=1, sequence=1)
        return api.ask("POST", "/v1/report", message, token=token)

    def items(kind: str) -> list[dict[str, Any]]:
        return json.loads(api.ask("GET", f"{GROUP}/{kind}", token="t3")[1])["items"]

    with Controller(tmp_path, tokens=str(tokens)) as api:
        assert report("n1", "t1")[0] == 200
        status, body = report("n2", "t1")
        assert (
            status == 403 and b"token one belongs to node n1 and cannot report for node n2" in body
        )
        assert report("n3", "t2")[0] == 200
        api.wait_for_log(r"msg=(ForeignReport) node=n1 .*token one was used to report for node n2")
        assert [
            e["involvedObject"]["name"] for e in items("events") if e["reason"] == "ForeignReport"
        ] == ["n1"]
        assert sorted(n["metadata"]["name"] for n in items("nodes")) == ["n1", "n3"]


def test_an_agents_token_without_a_node_is_refused(tmp_path: pathlib.Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# by hand\n" + token_line("one", "agent", "t1"))
    api = Controller(tmp_path, tokens=str(tokens))
    assert api.launch().wait(LIMIT_S) == 1
    assert f"{tokens}:2: a token of role agent says which node" in api.log.read_text()


def in_days(days: float) -> str:
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_token_expires(tmp_path: pathlib.Path) -> None:
    tokens, soon, later = tmp_path / "tokens", in_days(6.5), in_days(8)
    tokens.write_text(
        token_line("old", "admin", "t0", " expires:2026-01-01T00:00:00Z")
        + token_line("ann", "viewer", "t1", f" expires:{soon}")
        + token_line("bob", "viewer", "t2", f" expires:{later}")
        + token_line("eve", "viewer", "t3")
        + token_line("shy", "viewer", "t4", f" expires:{in_days(3 / 86400)}")
    )

    with Controller(tmp_path, tokens=str(tokens)) as api:

        def get(token: str) -> Any:
            return ask(api, "GET", "/version", Authorization=f"Bearer {token}")

        while get("t4")[0] == 200:  # the same connection's next request would do as well
            time.sleep(0.1)
        refused(get("t4"), 401, "Unauthorized", "token shy expired at ")
        for _ in range(20):  # who knows the token is no guesser: never 429
            refused(get("t0"), 401, "Unauthorized", "token old expired at 2026-01-01T00:00:00Z")
        assert ok(get("t1"))["token"] == {"name": "ann", "expires": soon}
        assert ok(get("t2"))["token"]["expires"] == later and "token" not in ok(get("t3"))
        text = api.log.read_text()
        assert f'msg="a token expires soon" token=ann expires={soon}' in text
        assert 'msg="a token has expired" token=old' in text
        assert "token=bob" not in text and "token=eve" not in text

        def version(token: str) -> subprocess.CompletedProcess[str]:
            ctl = [BUILD / "huddlectl", "version", "--server", f"http://127.0.0.1:{api.port}"]
            return subprocess.run([*ctl, "--token", token], capture_output=True, text=True)

        assert f"warning: token ann expires in 6 days ({soon})" in version("t1").stderr
        assert version("t2").stderr == "" and version("t3").stderr == ""
        assert "token old expired at" in version("t0").stderr


def tls_ask(api: Controller, trust: ssl.SSLContext, role: str, *request: Any) -> int:
    method, path, body = request
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, timeout=LIMIT_S, context=trust)
    headers = {"Authorization": f"Bearer the-{role}", "Content-Type": "application/json"}
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse().status


def certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key; the old ones are replaced."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=huddle"
        f" -addext subjectAltName=IP:127.0.0.1 -addext keyUsage=critical,digitalSignature,keyCertSign"
        f" -keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    return cert, key


def reread(api: Controller, outcome: str) -> str:
    """Sends SIGHUP; what is logged then, up to a line with these words."""
    assert api.process
    before = len(api.log.read_text())
    api.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + LIMIT_S
    while outcome not in (said := api.log.read_text()[before:]):
        assert time.monotonic() < end, said
        time.sleep(0.02)
    return said


READ, REFUSED = "configuration read, with its tokens", "the configuration is refused"


def test_certificates_are_read_again(tmp_path: pathlib.Path) -> None:
    cert, key = certificate(tmp_path)
    tokens = tmp_path / "tokens"
    tokens.write_text(token_line("a", "admin", "the-admin"))
    first = ssl.create_default_context(cafile=str(cert))
    files = {"tokens": str(tokens), "tls": {"certificate": str(cert), "key": str(key)}}

    def works(trust: ssl.SSLContext) -> bool:
        try:
            return tls_ask(api, trust, "admin", "GET", "/version", None) == 200
        except ssl.SSLCertVerificationError:
            return False

    with Controller(tmp_path, **files) as api:
        held = http.client.HTTPSConnection("127.0.0.1", api.port, timeout=LIMIT_S, context=first)
        with contextlib.closing(held):
            held.request("GET", "/livez")
            assert held.getresponse().read() == b"ok\n"
            old_key = key.read_bytes()
            certificate(tmp_path)
            second = ssl.create_default_context(cafile=str(cert))
            assert works(first) and not works(second)  # not before it is told

            new_key = key.read_bytes()
            key.write_bytes(old_key)
            tokens.write_text("nonsense\n")
            assert ":1: expected: NAME ROLE" in reread(api, REFUSED)
            tokens.write_text(token_line("b", "admin", "the-other"))
            assert f"certificate {cert} with key {key}: " in reread(api, REFUSED)
            assert works(first) and not works(second)  # and the tokens are the old ones, too

            key.write_bytes(new_key)
            tokens.write_text(token_line("a", "admin", "the-admin"))
            reread(api, READ)
            assert works(second) and not works(first)
            held.request("GET", "/livez")  # who is connected stays
            assert held.getresponse().read() == b"ok\n"


def test_configuration_is_read_again(tmp_path: pathlib.Path) -> None:
    with Controller(tmp_path) as api:
        keys = json.loads(api.config.read_text())
        driver = {"type": "exec", "program": "/bin/true"}
        refused(ask(api, "POST", "powerpools", pool(driver=driver)), 422, "Invalid", "outside")

        good = keys | {"powerDrivers": {"programs": ["/usr/bin", "/bin"]}, "log": {"level": "warn"}}
        api.config.write_text(json.dumps(good | {"tick": "60ms", "seed": 4, "tokens": "/none"}))
        reread(api, READ)
        text = api.log.read_text()
        for key in ("tick", "seed", "tokens"):
            assert (
                f'msg="a changed key needs a restart; until then the old value holds" key={key}\n'
                in text
            )
        for key in ("powerDrivers.programs", "log.level"):
            api.wait_for_log(f'msg="a changed key is in force" (key={key})\n')
        ok(ask(api, "POST", "powerpools", pool(driver=driver)), 201)

        # A mistake changes nothing, and has its place.
        for wrong, place in (
            ({"log": {"level": "loud"}}, r"controller\.yaml:1:\d+: log\.level: "),
            ({"ports": {"low": 9, "high": 8}}, r"controller\.yaml:1:\d+: ports: low is above high"),
            (
                {"tokens": "/t", "listen": "0.0.0.0:1"},
                r"controller\.yaml:1:\d+: listen: 0\.0\.0\.0",
            ),
        ):
            api.config.write_text(json.dumps(keys | {"powerDrivers": {"programs": []}} | wrong))
            assert re.search(place, reread(api, REFUSED))
        ok(ask(api, "POST", "powerpools", pool("second", driver=driver)), 201)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_tls_and_each_role(tmp_path: pathlib.Path) -> None:
    cert, key = certificate(tmp_path)
    tokens = tmp_path / "tokens"
    tokens.write_text(
        "".join(token_line(r, r, f"the-{r}", " node:*" if r == "agent" else "") for r in ROLES)
    )
    trust = ssl.create_default_context(cafile=str(cert))
    with Controller(
        tmp_path, tokens=str(tokens), tls={"certificate": str(cert), "key": str(key)}
    ) as api:
        for method, path, body, may in RIGHTS:
            for role in ROLES:
                status = tls_ask(api, trust, role, method, path, body)
                assert (status < 300) == (role in may.split()), (role, method, path, status)
                assert status < 300 or status == 403
        assert tls_ask(api, trust, "nobody", "GET", "/metrics", None) == 401
        with pytest.raises(ssl.SSLCertVerificationError):
            tls_ask(api, ssl.create_default_context(), "admin", "GET", "/livez", None)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            tls_ask(api, old, "admin", "GET", "/livez", None)
