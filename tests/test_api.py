"""The API beside the page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import CapacityLimiterStatistics
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import api, metrics, reception, service
from app.api import MAX_BODY_BYTES, ROUTES
from app.bot import Bot
from app.rates import Limiter
from app.settings import Settings
from knowledge.errors import KnowledgeError
from knowledge.schema import Fact, HelpLine, KnownError, Notice
from knowledge.signing import holds
from tests import fakes


@pytest.fixture
def client(tiny: Bot, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of the API on the tiny base."""
    monkeypatch.setattr(service, "bot", lambda: tiny)
    monkeypatch.setattr(reception, "limiter", lambda limiter=Limiter(Settings(address_rate=0)): limiter)
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


def test_put_off_messages_carry_help_and_alarms_are_not_put_off(
    client: TestClient, tiny: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit: 429, when to come back, the signed notice and help lines; an alarm is answered in full."""
    monkeypatch.setattr(reception, "limiter", lambda limiter=Limiter(Settings(address_rate=2)): limiter)
    assert [client.post("/api/reply", json={"text": "hi"}).status_code for _ in range(3)] == [200, 200, 429]
    late = client.post("/api/reply", json={"text": "how does cocaine work", "country": "us"})
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert late.json()["kind"] == "invalid"
    assert late.json()["notice_ids"] == ["slow-down", "us-911", "us-988"]
    texts = fakes.texts_on_file(tiny.settings.knowledge_dir)
    assert all(piece["text"] in texts[piece["id"]] for piece in late.json()["pieces"])
    alarm = client.post("/api/reply", json={"text": "i want to die", "country": "us"})
    assert (alarm.status_code, alarm.json()["kind"]) == (200, "crisis")
    assert client.get("/api/facts").status_code == 429
    assert client.get("/healthz").status_code == 200


def test_a_crowd_is_told_to_come_back_and_still_given_help(
    client: TestClient, tiny: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When too many questions wait already: 503 with the signed notice "busy" and help lines."""
    monkeypatch.setattr(api, "_AT_ONCE", Crowded())
    crowded = client.post("/api/reply", json={"text": "how does cocaine work"})
    assert (crowded.status_code, crowded.json()["notice_ids"][0]) == (503, "busy")
    assert len(crowded.json()["notice_ids"]) == 3
    assert client.post("/api/reply", json={"text": "i want to die"}).json()["kind"] == "crisis"


class Crowded:
    """A limiter before which a thousand wait."""

    def statistics(self) -> CapacityLimiterStatistics:
        """Tell of the crowd."""
        return CapacityLimiterStatistics(8, 8, (), 1000)


def test_facts_are_listed_and_shown_with_their_sources(client: TestClient, tiny: Bot) -> None:
    """The list leads to each fact; its text is the signed one."""
    listed = client.get("/api/facts").json()
    assert listed["knowledge_digest"] == tiny.vetted.digest
    assert {line["id"] for line in listed["facts"]} == set(tiny.vetted.facts)
    for line in listed["facts"]:
        shown = client.get(f"/api/facts/{line['id']}").json()
        signed = tiny.vetted.facts[line["id"]]
        assert (shown["question"], shown["answer"], shown["detail"]) == (signed.question, signed.answer, signed.detail)
        assert shown["citations"][0]["source_id"] == "atlas-2020"
        assert shown["reviews"][0]["digest"] == signed.review.digest


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fsources", "%00", "lsd-blocks-serotonin", "x" * 5000])
def test_an_unknown_fact_is_a_404_that_repeats_nothing(client: TestClient, name: str) -> None:
    """Ids are looked up in the signed base and never become a path."""
    answer = client.get(f"/api/facts/{name}")
    assert answer.status_code == 404
    assert name not in answer.text


def test_the_whole_base_can_be_verified_from_outside(client: TestClient, home: Path, tiny: Bot) -> None:
    """Every served text is on file; digests of entries and of the base can be computed again from the answer alone."""
    served = client.get("/api/knowledge")
    body = served.json()
    models = {"fact": Fact, "error": KnownError, "notice": Notice, "help": HelpLine}
    for entry in body["entries"]:
        value = models[entry["id"].partition(":")[0]].model_validate(entry["content"])
        assert holds(value, value.review), entry["id"]
    assert {entry["id"] for entry in body["entries"]} == set(fakes.texts_on_file(tiny.settings.knowledge_dir))
    assert body["knowledge_digest"] == tiny.vetted.digest
    again = client.get("/api/knowledge", headers={"If-None-Match": served.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_base_that_changed_in_memory_is_not_given_out(
    client: TestClient, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that nobody signed is refused by every address, with no word of it."""
    bot = fakes.bot_of(home, tmp_path / "index")
    monkeypatch.setattr(service, "bot", lambda: bot)
    object.__setattr__(bot.vetted.facts[fakes.COCAINE["id"]], "answer", "Cocaine is harmless and everyone knows it.")
    for path in ("/api/knowledge", f"/api/facts/{fakes.COCAINE['id']}"):
        answer = client.get(path)
        assert (answer.status_code, "harmless" in answer.text) == (503, False)


def test_an_unforeseen_fault_is_a_503_without_a_word_of_the_visitor(
    client: TestClient, tiny: Bot, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What an exception says may quote the message; only its class is told, and only to the log."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError("canary42")

    monkeypatch.setattr(reception, "answer", broken)
    answer = client.post("/api/reply", json={"text": "canary42"})
    assert (answer.status_code, "canary42" in answer.text) == (503, False)
    assert "canary42" not in "".join(capfd.readouterr())


def test_metrics_count_replies_gates_and_stages_and_name_the_base(client: TestClient, tiny: Bot) -> None:
    """A question more is a reply more; the labels are ids, never words."""

    def value(name: str, **labels: str) -> float:
        return metrics.REGISTRY.get_sample_value(name, labels) or 0.0

    metrics.opened(tiny.vetted, ready=True, swap=False)
    watched = [
        ("vetted_replies_total", {"kind": "crisis"}),
        ("vetted_replies_total", {"kind": "out_of_scope"}),
        ("vetted_abstentions_total", {"notice": "out-of-scope"}),
        ("vetted_gate_hits_total", {"gate": "crisis", "label": "suicide"}),
        ("vetted_stage_seconds_count", {"stage": "encode"}),
        ("vetted_reply_seconds_count", {}),
    ]
    before = [value(name, **labels) for name, labels in watched]
    for text in ("i want to die", "zzyzx flurb"):
        client.post("/api/reply", json={"text": text})
    after = [value(name, **labels) for name, labels in watched]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1, 1, 1, 2]
    shown = client.get("/metrics")
    assert f'vetted_base_info{{digest="{tiny.vetted.digest}"}} 1.0' in shown.text
    assert 'vetted_base_texts{sort="fact"} 3.0' in shown.text
    assert "zzyzx" not in shown.text


def test_the_description_names_every_address_and_only_these(client: TestClient) -> None:
    """The OpenAPI document is made from what is really served."""
    document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {endpoint.path for endpoint in api.ENDPOINTS}
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert document["components"]["schemas"]["ReplyRequest"]["additionalProperties"] is False


def test_a_wrong_address_below_api_is_a_json_404(client: TestClient) -> None:
    """The page's own server never answers below /api with HTML."""
    answer = client.get("/api/nothing")
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


def test_healthz_says_that_the_process_lives(client: TestClient) -> None:
    """Nothing but the process is looked at."""
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_the_base(client: TestClient, tiny: Bot) -> None:
    """Which texts are served can be compared between replicas."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "knowledge_digest": tiny.vetted.digest, "facts": 3, "reason": None}


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
