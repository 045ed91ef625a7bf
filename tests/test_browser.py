"""What a visitor sees in a browser, on a phone and on a desk."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.settings import Settings
from tests import fakes
from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium")
REPORTS = ROOT / "reports"
START_S = 240
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="install Chromium: apt-get install chromium"),
]


def start(port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start the app on `port`, as the README says; what it prints goes to `log`."""
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the app."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_ready(port: int) -> bool:
    """Return whether the app answers questions."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/readyz", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running app on the real base."""
    log = tmp_path_factory.mktemp("app") / "log.txt"
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        free = probe.getsockname()[1]
    process = start(free, log)
    deadline = time.monotonic() + START_S
    while not is_ready(free):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            pytest.fail(f"the app did not start: {log.read_text()[-2000:]}")
        time.sleep(0.5)
    yield free
    stop(process)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, chromium: Browser, port: int) -> Iterator[Page]:
    """The opened page on a phone and on a desk; a screenshot stays in reports/."""
    width, height = SIZES[request.param]
    context = chromium.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"http://localhost:{port}/?country=us")
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_visible(timeout=60_000)
    yield page
    REPORTS.mkdir(exist_ok=True)
    page.screenshot(path=REPORTS / f"{request.node.name}.png", full_page=True)
    context.close()


def ask(page: Page, text: str) -> None:
    """Type a question and send it."""
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(text)
    box.press("Enter")


def assert_verbatim(page: Page) -> int:
    """Every element that carries an id shows, letter for letter, a text that the id's file holds."""
    texts = fakes.texts_on_file(Settings().knowledge_dir)
    shown = page.locator("[data-id]").evaluate_all("all => all.map(e => [e.dataset.id, e.textContent])")
    for key, text in shown:
        assert text in texts[key], key
    return len(shown)


def test_a_wrong_premise_is_met_with_its_signed_correction(page: Page) -> None:
    """The correction is drawn as such, with signed text only, sources below it, and fits the width of the screen."""
    ask(page, "Is LSD a serotonin antagonist?")
    expect(page.locator("article.card.correction")).to_be_visible()
    assert page.locator("article.card.correction [data-id^='error:']").count() >= 1
    assert assert_verbatim(page) >= 2
    expect(page.get_by_text("How we know")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_starter_question_is_answered_on_a_click(page: Page) -> None:
    """A visitor who does not know what to ask gets an answer without typing."""
    page.get_by_role("button", name="What does naloxone do?").click()
    expect(page.locator("article.card").first).to_be_visible()
    assert page.locator("article.card.answer, article.card.correction").count() == 1
    assert_verbatim(page)


def test_help_lines_can_be_tapped(page: Page) -> None:
    """Help lines stand on the page before anything is typed, as links that a phone can call, tall enough to hit."""
    link = page.locator("a[href='tel:911']").first
    expect(link).to_be_visible()
    assert page.locator("a[href='tel:988']").count() >= 1
    assert (link.bounding_box() or {})["height"] >= 24  # WCAG 2.2, 2.5.8


def test_a_crisis_shows_help_inside_the_reply(page: Page) -> None:
    """An alarm is drawn as one, with the emergency number in it."""
    ask(page, "i want to kill myself")
    expect(page.locator("article.card.crisis a[href='tel:911']")).to_be_visible()
    assert_verbatim(page)


def test_markup_of_a_visitor_is_shown_as_text(page: Page) -> None:
    """What is typed is never run or drawn as markup."""
    typed = "<img src=x onerror=\"document.title='pwned'\"> **what** is <b>serotonin</b>?"
    ask(page, typed)
    expect(page.locator(".asked")).to_have_text(typed)
    expect(page.locator("article.card").first).to_be_visible()
    assert page.locator(".asked img, .asked b").count() == 0
    assert page.title() != "pwned"


def test_a_second_app_on_a_used_port_says_so_and_stops(port: int, tmp_path: Path) -> None:
    """Two apps cannot share a port: the second one ends with a line that names the port."""
    log = tmp_path / "log.txt"
    second = start(port, log)
    try:
        code = second.wait(timeout=60)
    finally:
        stop(second)
    output = log.read_text()
    assert code != 0
    assert str(port) in output
    assert "Traceback" not in output
