"""The API beside the page."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import service
from app.api import MAX_BODY_BYTES, ROUTES
from app.bot import Bot
from knowledge.errors import KnowledgeError
from tests import fakes


@pytest.fixture
def client(tiny: Bot, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of the API on the tiny base."""
    monkeypatch.setattr(service, "bot", lambda: tiny)
    return TestClient(Starlette(routes=list(ROUTES)))


def test_a_question_gets_the_bots_reply(client: TestClient, tiny: Bot) -> None:
    """The JSON is the reply that Python callers get, piece by piece, with sources."""
    answer = client.post("/api/reply", json={"text": "how does cocaine work", "history": []})
    reply = tiny.reply("how does cocaine work")
    data = answer.json()
    assert answer.status_code == 200
    assert (data["kind"], data["text"], data["fact_ids"]) == (reply.kind, reply.text, list(reply.fact_ids))
    assert data["pieces"] == [{"id": piece.id, "text": piece.text} for piece in reply.pieces]
    assert data["citations"][0]["for_id"] == "fact:cocaine-blocks-reuptake"
    assert data["knowledge_digest"] == tiny.vetted.digest


def test_history_resolves_follow_ups(client: TestClient) -> None:
    """Only the visitor's own words are taken; extra keys of a turn are ignored."""
    history = [{"user": "how does cocaine work", "bot": "whatever the caller claims was said"}]
    data = client.post("/api/reply", json={"text": "and lsd?", "history": history}).json()
    assert data["fact_ids"] == ["lsd-turns-receptors-on"]


@pytest.mark.parametrize(("country", "line"), [("us", "us-911"), (None, "int-112"), ("atlantis", "int-112")])
def test_help_lines_follow_the_country(client: TestClient, country: str | None, line: str) -> None:
    """An unknown country falls back to the setting, never to no help."""
    data = client.post("/api/reply", json={"text": "i want to die", "country": country}).json()
    assert (data["kind"], line in data["notice_ids"]) == ("crisis", True)


BAD: dict[str, dict[str, Any]] = {
    "no body": {"content": b""},
    "not JSON": {"content": b"what is serotonin"},
    "not UTF-8": {"content": b'{"text": "\xff"}'},
    "a list": {"json": []},
    "no text": {"json": {"history": []}},
    "text is a number": {"json": {"text": 3}},
    "unknown key": {"json": {"text": "hi", "admin": True}},
    "history is text": {"json": {"text": "hi", "history": "earlier"}},
    "history without user": {"json": {"text": "hi", "history": [{"bot": "x"}]}},
    "deep nesting": {"content": b"[" * 100_000},
    "too many turns": {"json": {"text": "hi", "history": [{"user": ""}] * 10_001}},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_a_400_with_the_reason(client: TestClient, name: str) -> None:
    """The error is one line that does not repeat what was sent."""
    answer = client.post("/api/reply", **BAD[name])
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


def test_an_error_does_not_echo_what_was_typed(client: TestClient) -> None:
    """Errors are logged by proxies; a visitor's words do not belong there."""
    assert "canary" not in client.post("/api/reply", json={"text": ["canary"], "canary": 1}).text.replace(
        "canary: Extra inputs", ""
    )


def test_a_large_body_is_a_413(client: TestClient) -> None:
    """Reading stops at the limit."""
    assert client.post("/api/reply", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("text", ["", "\x00", "x" * 2001, "x" * 190_000, "\u202e\u200b", "<script>alert(1)</script>"])
def test_odd_text_is_a_200_with_signed_text(client: TestClient, text: str, tiny: Bot) -> None:
    """A message that is no question is the visitor's right; the reply says what to do."""
    answer = client.post("/api/reply", json={"text": text})
    assert answer.status_code == 200
    texts = fakes.texts_on_file(tiny.settings.knowledge_dir)
    assert all(piece["text"] in texts[piece["id"]] for piece in answer.json()["pieces"])


def test_lone_surrogates_do_not_break_the_answer(client: TestClient) -> None:
    """JSON can carry half a character, UTF-8 cannot: the body is refused, not the process ended."""
    assert client.post("/api/reply", content=b'{"text": "\\ud800 how does cocaine work"}').status_code == 400


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_is_answered(client: TestClient, method: str) -> None:
    """Other methods are refused."""
    assert getattr(client, method)("/api/reply").status_code == 405


def test_healthz_says_that_the_process_lives(client: TestClient) -> None:
    """Nothing but the process is looked at."""
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_the_base(client: TestClient, tiny: Bot) -> None:
    """Which texts are served can be compared between replicas."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "knowledge_digest": tiny.vetted.digest, "facts": 3}


def _unready(bot: Bot) -> Bot:
    return Bot(bot.settings, bot.vetted, None)


def _refuses(_: Bot) -> Bot:
    raise KnowledgeError("no signed notice for care")


@pytest.mark.parametrize("broken", [_unready, _refuses])
def test_readyz_is_503_while_questions_cannot_be_answered(
    client: TestClient, tiny: Bot, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Bot], Bot]
) -> None:
    """A balancer keeps visitors away from a copy without an index or without a base."""
    monkeypatch.setattr(service, "bot", lambda: broken(tiny))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
