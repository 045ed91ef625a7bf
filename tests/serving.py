"""The app as visitors meet it: a real process of its own, on the tiny base, with the real encoder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import ROOT

START_S = 240
STOP_S = 30


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A running app: where it listens, where its output goes, and its process."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        """Ask for a path."""
        return httpx.get(self.url + path, timeout=30)

    def ask(self, text: str, **more: object) -> httpx.Response:
        """Send a message through the API."""
        return httpx.post(self.url + "/api/reply", json={"text": text, **more}, timeout=60)

    def is_ready(self) -> bool:
        """Return whether it answers questions."""
        try:
            return self.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def wait(self) -> "Server":
        """Wait until it answers questions."""
        deadline = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the app did not start: {self.log.read_text()[-3000:]}")
            time.sleep(0.2)
        return self

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def launch(folder: Path, port: int | None = None, **settings: object) -> Server:
    """Start an app as the README says, with its settings from the environment; it may not be ready yet."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"log-{port}.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)]
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)
    return Server(port, log, process)


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[Server]:
    """A running app that is ready, stopped afterwards."""
    server = launch(folder, **settings)
    try:
        yield server.wait()
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
