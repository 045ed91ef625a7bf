"""The real process: one port, safe headers, an honest description, no harm from abuse, no word kept."""

import json
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.headers import content_security_policy
from tests import fakes
from tests.conftest import ROOT
from tests.serving import Server, serving

pytestmark = pytest.mark.server


def folders(base: Path) -> dict[str, Any]:
    """Return settings that keep everything a process writes under `base`."""
    (base / "tmp").mkdir(parents=True, exist_ok=True)
    names = {"KNOWLEDGE_DIR": "knowledge", "INDEX_DIR": "index", "DATA_DIR": "data", "TMPDIR": "tmp", "HOME": "."}
    return {name: base / folder for name, folder in names.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server that most tests share."""
    folder = tmp_path_factory.mktemp("server")
    fakes.write_base(folder / "knowledge")
    return folder


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    """A running app with no limit on addresses, so that tests do not wait for each other."""
    with serving(place, **folders(place), ADDRESS_RATE=0, BODY_TIMEOUT=2, TRUSTED_PROXIES="127.0.0.3") as running:
        yield running


def test_page_api_and_probes_are_one_process(server: Server) -> None:
    """One port serves the page, the API, the probes and the counters."""
    assert '<div id="root">' in server.get("/").text
    assert server.ask("how does cocaine work").json()["fact_ids"] == ["cocaine-blocks-reuptake"]
    assert server.get("/healthz").json() == {"status": "ok"}
    assert server.get("/readyz").json()["facts"] == 3
    assert "vetted_base_info" in server.get("/metrics").text
    assert server.get("/api/reply").status_code == 405
    assert server.get("/api/none").headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/help", "/api/facts", "/healthz", "/nothing", "/static/js/none.js"])
def test_every_answer_carries_the_security_headers(server: Server, path: str) -> None:
    """No framing, no sniffing, no referrer, no code but our own."""
    headers = server.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe-eval" not in policy
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert "camera=()" in headers["permissions-policy"]


def test_the_policy_names_each_inline_script_of_the_page() -> None:
    """A script that somebody adds to the page does not run."""
    one, two = (content_security_policy(f"<script>{code}</script>") for code in ("a()", "b()"))
    assert one != two
    assert len(re.findall(r"'sha256-[\w+/]{43}='", one)) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/_stcore/upload_file/a/b"),
        ("POST", "/_stcore/agent/interact"),
        ("GET", "/_stcore/agent/openapi.json"),
        ("GET", "/_stcore/metrics"),
    ],
)
def test_parts_of_streamlit_that_are_not_used_are_closed(server: Server, method: str, path: str) -> None:
    """No upload, no remote control, no second set of counters."""
    assert httpx.request(method, server.url + path).status_code == 404


def test_help_lines_need_no_script(server: Server, place: Path) -> None:
    """/help shows every signed line, letter for letter, as a link."""
    shown = dict(re.findall(r'data-id="(help:[\w-]+)" href="[^"]+">([^<]+)</a>', server.get("/help").text))
    texts = fakes.texts_on_file(place / "knowledge")
    assert shown == {key: text for key, (text, *_) in texts.items() if key.startswith("help:")}


def test_the_api_is_as_it_describes_itself(server: Server) -> None:
    """Schemathesis makes requests of every kind from the document and compares each answer with it."""
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", "tests/schemathesis.toml"]
    options = ["--max-examples", "20", "--phases", "examples,coverage,fuzzing", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [*command, "run", server.url + "/api/openapi.json", "--checks", "all", *options],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, re.sub(r"0{99,}", "0…", done.stdout)[-4000:]


def test_nothing_typed_stays_anywhere(server: Server, place: Path) -> None:
    """P7 on the real process: a marker sent in every way is in no file, log, database or counter afterwards."""
    marker = f"canary{uuid.uuid4().hex}"
    start = time.time()
    for text in (marker, f"does {marker} raise dopamine", f"i want to die {marker}", f"should i stop {marker}"):
        server.ask(text, history=[{"user": f"{text} before"}], country=marker)
    for body in (marker, json.dumps({"text": [marker]}), json.dumps({marker: 1}), json.dumps({"text": marker})[:-2]):
        httpx.post(server.url + "/api/reply", content=body)
    for path in (f"/api/facts/{marker}", f"/{marker}?q={marker}", f"/api/{marker}", f"/_stcore/{marker}"):
        httpx.get(server.url + path, headers={"X-Forwarded-For": marker, "User-Agent": marker, "Cookie": marker})
    raw(server, f"{marker} {marker} nonsense\r\n\r\n".encode())
    assert marker not in server.get("/metrics").text
    written = [file for file in place.rglob("*") if file.is_file()]
    assert server.log in written
    tracked = subprocess.run(["git", "ls-files", "-mo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    written += [file for name in tracked.split() if (file := ROOT / name).is_file() and file.stat().st_mtime >= start]
    for file in written:
        assert marker.encode() not in file.read_bytes(), file


def raw(server: Server, request: bytes, peer: str = "127.0.0.1") -> str:
    """Send bytes as they are and return what comes back before the connection is closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20, source_address=(peer, 0)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read().decode(errors="replace")


def test_a_body_that_never_ends_is_given_up(server: Server) -> None:
    """A sender of one byte at a time is told 408 after the set time; a body too large is told 413 at the limit."""
    head = b"POST /api/reply HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
        slow.sendall(head)
        assert b" 408 " in slow.makefile("rb").readline()
    large = httpx.post(server.url + "/api/reply", content=(b"x" * 10_000 for _ in range(1000)))
    assert large.status_code == 413


def test_hundreds_of_half_open_connections_stop_nobody(server: Server) -> None:
    """Senders that never finish their headers hold a connection each, and visitors are answered meanwhile."""
    idle = []
    try:
        for _ in range(300):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            connection.sendall(b"POST /api/reply HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            idle.append(connection)
        assert server.ask("how does cocaine work").json()["kind"] == "answer"
        assert server.ask("i want to die").json()["kind"] == "crisis"
    finally:
        for connection in idle:
            connection.close()


def test_a_history_of_ten_thousand_turns_is_answered(server: Server) -> None:
    """Only the last turns count, so a long one costs no more than its parsing; one more than that is refused."""
    history = [{"user": "lsd"}] * 9_999 + [{"user": "how does lsd work"}]
    reply = server.ask("and cocaine?", history=history)
    assert (reply.status_code, reply.json()["fact_ids"]) == (200, ["cocaine-blocks-reuptake"])
    assert server.ask("and cocaine?", history=[*history, {"user": "x"}]).status_code == 400
