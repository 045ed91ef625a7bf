"""The ready-made files for running it: each is checked by the tool that will read it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
import yaml

from app.settings import Settings
from tests.conftest import ROOT
from tests.serving import free_port

DEPLOY = ROOT / "app" / "deploy"
YAML = sorted(DEPLOY.rglob("*.yaml"))
BIN = Path(sys.executable).parent
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
SYSTEMD = shutil.which("systemd-analyze")


def run(*command: str | Path) -> str:
    """Run a checker and return what it complains about."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def test_yaml_files_are_clean() -> None:
    """No duplicate key, no wrong indent."""
    rules = (
        "{extends: default, rules: {line-length: {max: 140}, document-start: disable, braces: {max-spaces-inside: 0}}}"
    )
    assert run(BIN / "yamllint", "-s", "-d", rules, *YAML) == ""


@pytest.mark.parametrize("file", sorted((DEPLOY / "kubernetes").glob("*.yaml")), ids=lambda file: file.stem)
def test_manifests_follow_the_schema_of_kubernetes(file: Path) -> None:
    """No unknown or misplaced field."""
    assert run(BIN / "kubernetes-validate", "--strict", file) == ""


def test_the_dockerfile_is_clean() -> None:
    """Hadolint finds nothing; the process is not root; only what the lock names is installed."""
    assert run(BIN / "hadolint", DEPLOY / "Dockerfile") == ""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001"
    assert all("--locked" in line for line in text.splitlines() if "uv sync" in line)


@pytest.mark.skipif(NGINX is None, reason="install nginx: apt-get install nginx-light")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    """`nginx -t`, with the name of the app's machine replaced by one that resolves here."""
    config = (DEPLOY / "nginx.conf").read_text()
    file = tmp_path / "nginx.conf"
    file.write_text(config.replace("server app:8501", "server 127.0.0.1:8501").replace("/tmp/", f"{tmp_path}/"))
    assert run(str(NGINX), "-t", "-q", "-c", file) == ""


class Copy(BaseHTTPRequestHandler):
    """Stands in for a copy of the app: answers everything, and tells what it was told."""

    def do_POST(self) -> None:
        """Answer with the address that the proxy passed on."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = f"{self.server.server_port} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def copies() -> Iterator[list[ThreadingHTTPServer]]:
    """Two running stand-ins."""
    running = [ThreadingHTTPServer(("127.0.0.1", 0), Copy) for _ in range(2)]
    for copy in running:
        Thread(target=copy.serve_forever, daemon=True).start()
    yield running
    for copy in running:
        copy.shutdown()
        copy.server_close()


@pytest.mark.skipif(NGINX is None, reason="install nginx: apt-get install nginx-light")
def test_nginx_passes_questions_on_and_shows_help_when_no_copy_answers(
    tmp_path: Path, copies: list[ThreadingHTTPServer]
) -> None:
    """A visitor stays on one copy, moves on when it dies, reads the help lines when all did, and forges no address."""
    port = free_port()
    config = (DEPLOY / "nginx.conf").read_text()
    changes = {
        "server app:8501 max_fails=1 fail_timeout=5s;": "".join(
            f"server 127.0.0.1:{copy.server_port} max_fails=1 fail_timeout=1s;" for copy in copies
        ),
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "/tmp/": f"{tmp_path}/",
        "/dev/stdout": f"{tmp_path}/access.log",
        "/srv/help": str(tmp_path),
    }
    for old, new in changes.items():
        assert old in config, old
        config = config.replace(old, new)
    (tmp_path / "nginx.conf").write_text(config)
    (tmp_path / "help.html").write_text("the help lines")
    tmp_path.chmod(0o755)
    process = subprocess.Popen([str(NGINX), "-c", tmp_path / "nginx.conf", "-g", "daemon off; user root;"])

    def ask(visitor: int) -> httpx.Response:
        headers = {"Cookie": f"copy=v{visitor}", "X-Forwarded-For": "6.6.6.6"}
        return httpx.post(f"http://127.0.0.1:{port}/api/reply?canary42", json={}, headers=headers)

    try:
        while True:
            with suppress(httpx.ConnectError):
                ask(0)
                break
        first = [ask(n).text for n in range(20)]
        assert {text.split()[1] for text in first} == {"127.0.0.1"}
        assert len(set(first)) == 2
        assert [ask(n).text for n in range(20)] == first
        copies[0].shutdown()
        copies[0].server_close()
        moved = [ask(n) for n in range(20)]
        assert {(reply.status_code, reply.text.split()[0]) for reply in moved} == {(200, str(copies[1].server_port))}
        copies[1].shutdown()
        copies[1].server_close()
        last = ask(0)
        assert (last.status_code, last.text, last.headers["retry-after"]) == (503, "the help lines", "30")
        log = (tmp_path / "access.log").read_text()
        assert "canary42" not in log
        assert "6.6.6.6" not in log
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(SYSTEMD is None, reason="install systemd: apt-get install systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify`, with a program that exists here."""
    unit = tmp_path / "vetted-answers.service"
    text = (DEPLOY / "vetted-answers.service").read_text()
    unit.write_text(text.replace("/opt/vetted-answers/.venv/bin/streamlit", "/bin/true"))
    assert run(str(SYSTEMD), "verify", "--man=no", unit) == ""


def test_only_settings_that_exist_are_set() -> None:
    """A misspelt setting would be ignored in silence."""
    known = {name.upper() for name in Settings.model_fields}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    used = set(compose["services"]["app"]["environment"])
    deployment = yaml.safe_load((DEPLOY / "kubernetes" / "deployment.yaml").read_text())
    used |= {item["name"] for item in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    unit = (DEPLOY / "vetted-answers.service").read_text()
    used |= set(re.findall(r"([A-Z_]+)=/var", unit))
    assert len(used) >= 4
    assert used <= known


def test_no_log_of_the_proxy_holds_an_address_or_a_word() -> None:
    """The proxy logs neither who asked nor what: no address, no path, no query, no header."""
    text = (DEPLOY / "nginx.conf").read_text()
    formats = re.findall(r"log_format \w+ '([^']*)'", text)
    assert formats == ["$time_iso8601 $request_method $status $request_time $upstream_addr"]
    assert "error_log stderr crit;" in text
