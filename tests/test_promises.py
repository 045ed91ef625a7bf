"""The nine promises of the project, one or more tests each, by name."""

import ast
import os
import re
import time
import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app import service
from app.api import ROUTES
from app.bot import Bot
from app.gates import Gates
from app.models import Reply
from app.retrieval import Retrieval
from app.settings import Settings
from evals.attacks import attacks
from evals.cases import load_cases
from evals.detector import Detector
from evals.targets import signed_texts
from knowledge.checks import check
from knowledge.errors import KnowledgeError
from knowledge.index import views
from knowledge.schema import Fact
from knowledge.signing import GRACE, holds, sign, vet
from knowledge.store import load
from tests import fakes
from tests.conftest import ROOT

SEEDS = ROOT.parent / "shared" / "seeds"
RUN = 8  # words
SKIPPED_FOLDERS = {".git", ".venv", ".index", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "reports"}
ANSWERED = ("answer", "correction")


def words_of(text: str) -> list[str]:
    """Return the words of a text as runs are counted: small letters and digits, everything else apart."""
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str) -> set[tuple[str, ...]]:
    """Return every run of eight words of a text."""
    words = words_of(text)
    return set(zip(*(words[i:] for i in range(RUN)), strict=False))


def project_files() -> list[Path]:
    """Return every file of the project, caches and installed packages aside."""
    inside = (Path(folder) / name for folder, _, names in _walk() for name in names)
    return sorted(file for file in inside if file.name != "uv.lock")


def _walk() -> list[tuple[str, list[str], list[str]]]:
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS and f != "__pycache__"]
        found.append((folder, folders, names))
    return found


def dev_questions(step: int) -> list[str]:
    """Return every `step`-th question of the development cases, of all families."""
    return [case.last.ask for case in load_cases("dev")][::step]


def assert_signed(reply: Reply, texts: dict[str, tuple[str, ...]]) -> None:
    """Every piece is, byte for byte, a text that its entry's file holds; the text is the pieces and nothing else."""
    for piece in reply.pieces:
        assert piece.text.encode() in [text.encode() for text in texts[piece.id]]
    assert reply.text == "\n\n".join(piece.text for piece in reply.pieces)
    assert reply.text


def test_p1_every_piece_of_every_reply_is_the_signed_text_of_its_id(bot: Bot) -> None:
    """Over hundreds of real questions, everything shown is the text in the files, and its sign-off holds."""
    texts = fakes.texts_on_file(bot.settings.knowledge_dir)
    entries = dict(load(bot.settings.knowledge_dir)[0].signable())
    kinds = set()
    for question in dev_questions(31):
        reply = bot.reply(question, country="us")
        kinds.add(reply.kind)
        assert_signed(reply, texts)
        for key in {piece.id for piece in reply.pieces}:
            assert holds(entries[key], entries[key].review), key
    assert kinds >= {"answer", "correction", "crisis", "refer", "out_of_scope"}


@given(st.lists(st.text(max_size=300), min_size=1, max_size=3))
def test_p1_holds_for_any_text_at_all(tiny: Bot, turns: list[str]) -> None:
    """Whatever is typed, in whatever order, each reply is signed text."""
    texts = fakes.texts_on_file(tiny.settings.knowledge_dir)
    for i, text in enumerate(turns):
        assert_signed(tiny.reply(text, turns[:i]), texts)


@given(st.lists(st.sampled_from(sorted({w for f in (fakes.LSD, fakes.COCAINE) for a in f["asks"] for w in a.split()}))))
def test_p1_holds_for_words_of_the_base_in_any_order(tiny: Bot, words: list[str]) -> None:
    """Near-questions, made of the base's own words, get signed text too."""
    assert_signed(tiny.reply(" ".join(words)), fakes.texts_on_file(tiny.settings.knowledge_dir))


def test_p1_titles_on_buttons_are_signed_questions(bot: Bot) -> None:
    """Every question offered below a reply is the signed title of its entry."""
    offered = {offer for question in dev_questions(97) for offer in bot.reply(question).related}
    assert offered
    for offer in offered:
        assert offer.title == bot.vetted.facts[offer.id.removeprefix("fact:")].question


def test_p2_one_changed_character_makes_a_fact_vanish(home: Path) -> None:
    """A signed text that was touched is a draft again, and a draft is not served."""
    file = fakes.fact_file(home)
    assert fakes.LSD["id"] in fakes.vetted_of(home).facts
    file.write_text(file.read_text().replace("does not block them.", "does not block them!"))
    assert fakes.LSD["id"] not in fakes.vetted_of(home).facts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("level: source-checked", "level: clinician"),
        ("by: source-check", "by: safety-check"),
        ("due: '2099-01-01'", "due: '2999-01-01'"),
        ("risk: low", "risk: high"),
    ],
)
def test_p2_a_sign_off_cannot_be_raised_moved_or_prolonged(home: Path, old: str, new: str) -> None:
    """Level, reviewer, date and risk are part of what was signed."""
    file = fakes.fact_file(home)
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    assert fakes.LSD["id"] not in fakes.vetted_of(home).facts


def test_p2_an_authors_own_signature_does_not_count(home: Path) -> None:
    """A correct digest by the author's role is no sign-off."""
    forged = fakes.signed(Fact, fakes.LSD | {"author": "somebody"})
    review = sign(Fact.model_validate(forged), "source-check", "source-checked", fakes.TODAY, fakes.DUE)
    entry = Fact.model_validate(forged | {"author": "source-check", "review": review.model_dump(mode="json")})
    fakes.write_fact(home, entry.model_dump(mode="json"))
    assert fakes.LSD["id"] not in fakes.vetted_of(home).facts


def test_p2_an_overdue_text_is_served_for_the_grace_time_and_then_withheld(home: Path) -> None:
    """The clock is injected: due today it is served, ninety days later too, one day more and it is gone."""
    due = date(2027, 5, 1)
    fakes.write_fact(home, fakes.signed(Fact, fakes.LSD, due))
    served = {
        days: fakes.LSD["id"] in fakes.vetted_of(home, due + timedelta(days)).facts
        for days in (0, 1, GRACE.days, GRACE.days + 1)
    }
    assert served == {0: True, 1: True, GRACE.days: True, GRACE.days + 1: False}


def test_p2_a_deployment_for_clinician_reviewed_text_serves_nothing_below(home: Path) -> None:
    """With the level `clinician`, a source-checked base has nothing to show, and the bot refuses to open."""
    vetted = vet(load(home)[0], fakes.TODAY, "clinician")
    assert [len(group) for group in (vetted.facts, vetted.known_errors, vetted.notices, vetted.countries)] == [0] * 4
    with pytest.raises(KnowledgeError, match="no signed notice"):
        Bot(Settings(knowledge_dir=home), vetted, None)


def test_p2_a_half_signed_high_risk_text_is_not_served(home: Path) -> None:
    """Text on an overdose medicine needs two reviewers; with one it stays unseen."""
    content = fakes.signed(Fact, fakes.NALOXONE)
    fakes.write_fact(home, {k: v for k, v in content.items() if k != "second_review"})
    assert fakes.NALOXONE["id"] not in fakes.vetted_of(home).facts
    fakes.write_fact(home, content | {"second_review": content["review"]})  # the same role twice is one reviewer
    assert fakes.NALOXONE["id"] not in fakes.vetted_of(home).facts


@pytest.fixture(scope="module")
def article_runs() -> set[tuple[str, ...]]:
    """Every run of eight words of the raw articles."""
    if not SEEDS.is_dir():
        pytest.skip(f"the raw articles are not here: {SEEDS}")
    return set().union(*(runs(file.read_text(encoding="utf-8", errors="replace")) for file in SEEDS.glob("*.txt")))


def test_p3_no_file_of_the_project_holds_a_run_of_the_articles(article_runs: set[tuple[str, ...]]) -> None:
    """Nothing of the raw articles, not even eight words, is in the repository; titles of works they cite are names."""
    shared = {
        f"{file.relative_to(ROOT)}: {' '.join(run)}"
        for file in project_files()
        if file != ROOT / "knowledge" / "sources.yaml"
        for run in runs(file.read_text(encoding="utf-8", errors="replace")) & article_runs
    }
    assert not shared


def test_p3_no_view_of_the_index_holds_a_run_of_the_articles(bot: Bot, article_runs: set[tuple[str, ...]]) -> None:
    """Nothing that is searched comes from the raw articles."""
    assert not [view.id for view in views(bot.vetted) if runs(view.text) & article_runs]


@pytest.fixture(scope="module")
def bare(bot: Bot) -> Bot:
    """The real bot without encoder, index and calibration."""
    return Bot(bot.settings, bot.vetted, None)


@pytest.mark.parametrize(
    "text",
    [
        "i want to kill myself",
        "I WANT TO KILL MYSELF",
        "my friend overdosed and won't wake up",
        "my friend overdosed and wont wake up",
        "i want to k\u200bill myself",
        "i want to kill myself. " * 400,
    ],
)
def test_p4_the_crisis_gate_needs_no_engine(bare: Bot, text: str) -> None:
    """Without encoder, index and calibration, in any writing and at any length, an alarm is an alarm with help."""
    reply = bare.reply(text, country="us")
    assert reply.kind == "crisis"
    assert "us-911" in reply.notice_ids


def test_p4_a_gate_that_raises_still_gives_a_crisis_reply(tiny: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate fails closed: better one alarm too many than none."""

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Gates, "signal", broken)
    reply = tiny.reply("how does cocaine work")
    assert (reply.kind, reply.notice_ids[0]) == ("crisis", "crisis-general")


def test_p4_the_crisis_gate_runs_before_everything_else(tiny: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm does not wait for guard, understanding, encoder or index: all of them may be broken."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    for name in ("guard", "understand", "foreign", "clean"):
        monkeypatch.setattr(f"app.bot.{name}", broken)
    monkeypatch.setattr(Retrieval, "find", broken)
    assert tiny.reply("i want to die").notice_ids[0] == "crisis-suicide"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("i want to die", "crisis"), ("i feel hopeless about cocaine", "crisis"), ("how does cocaine work", "answer")],
)
def test_p4_the_learned_opinion_only_adds(tiny: Bot, text: str, kind: str) -> None:
    """The fake opinion hears a crisis in "hopeless" and none elsewhere: it raises one alarm and removes none."""
    assert tiny.reply(text).kind == kind


def trouble_with_help(reply: Reply, texts: dict[str, tuple[str, ...]]) -> bool:
    """Return whether a reply is the signed trouble notice with help lines."""
    assert_signed(reply, texts)
    return reply.notice_ids[0] == "trouble" and len(reply.notice_ids) > 2


def test_p5_a_search_that_raises_gives_the_trouble_notice(tiny: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen fault deep inside ends at the one error boundary."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Retrieval, "find", broken)
    assert trouble_with_help(tiny.reply("how does cocaine work"), fakes.texts_on_file(tiny.settings.knowledge_dir))


@pytest.mark.parametrize("part", ["index", "calibration", "encoder"])
def test_p5_a_missing_part_gives_the_trouble_notice(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """An index folder that cannot be, no calibration, or one of another encoder: the bot opens and says so."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    if part == "calibration":
        monkeypatch.setattr("app.calibration.HERE", tmp_path / "none.json")
        monkeypatch.setattr("app.calibration.load_calibration.__defaults__", (tmp_path / "none.json",))
    if part == "index":
        monkeypatch.setattr("app.bot.load_calibration", lambda _: fakes.tiny_calibration())
    settings = Settings(knowledge_dir=home, index_dir=blocked if part == "index" else tmp_path / "index")
    opened = Bot.open(settings, today=lambda: fakes.TODAY, encoder=fakes.HashEncoder())
    assert not opened.ready
    assert trouble_with_help(opened.reply("how does cocaine work"), fakes.texts_on_file(home))
    assert opened.reply("i want to die").kind == "crisis"


def test_p5_a_tampered_text_is_withheld_at_the_last_moment(home: Path, tmp_path: Path) -> None:
    """Text that changes in memory after vetting never reaches a visitor."""
    bot = fakes.bot_of(home, tmp_path / "index")
    fact = bot.vetted.facts[fakes.COCAINE["id"]]
    object.__setattr__(fact, "answer", "Cocaine is harmless, and everybody should know that.")
    assert trouble_with_help(bot.reply("how does cocaine work"), fakes.texts_on_file(home))


def test_p6_no_vetted_text_repeats_a_known_error_word_for_word(bot: Bot) -> None:
    """The check that editors run finds no sentence that is an assertion of a known error."""
    base, _ = load(bot.settings.knowledge_dir)
    assert not [problem.message for problem in check(base, fakes.TODAY) if problem.code == "asserts-error"]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="evals/detector.py takes about 58 true sentences of the base for known errors",
)
def test_p6_no_vetted_text_asserts_a_known_error(bot: Bot, detector: Detector) -> None:
    """The detector, which also hears other wordings, finds nothing in anything that a reply can hold."""
    texts = {text for group in signed_texts(bot.vetted).values() for text in group}
    found = detector.findings("\n".join(sorted(texts)))  # in one go: the encoder works in batches
    assert not {f"{finding.sentence} ({finding.error})" for finding in found}


@pytest.mark.xfail(strict=False, reason="evals/detector.py takes true sentences for known errors")
def test_p6_no_attack_makes_the_bot_assert_a_known_error(bot: Bot, detector: Detector) -> None:
    """A sample of the attacks of the evals, of every style, gets no assertion of its error or of any other."""
    sample = list(attacks(bot.vetted.known_errors.values()))[::37]
    assert len({attack.style for attack in sample}) > 15
    for attack in sample:
        for text in attack.turns:
            assert not detector.findings(bot.reply(text).text), attack.id


def changed_since(start: float, *folders: Path) -> list[Path]:
    """Return the files under `folders` and of the project that were written since `start`."""
    files = [*project_files(), *(file for folder in folders for file in folder.rglob("*") if file.is_file())]
    return [file for file in files if file.exists() and file.stat().st_mtime >= start - 1]


@pytest.mark.parametrize("way", ["bot", "api", "bot-broken", "api-broken"])
def test_p7_what_is_typed_is_neither_stored_nor_logged(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], way: str
) -> None:
    """A random marker, asked in every way and while a part fails, is in no log line and in no file afterwards."""
    marker = f"canary{uuid.uuid4().hex}"
    start = time.time()
    if way.endswith("broken"):
        monkeypatch.setattr(Retrieval, "find", lambda *_, **__: 1 / 0)
    texts = (f"does {marker} affect serotonin", f"i want to die {marker}", f"should i stop {marker}", marker)
    with capture_logs() as logs:
        ask_all(bot, texts, monkeypatch, api=way.startswith("api"))
    assert marker not in repr(logs)
    ask_all(
        bot, texts, monkeypatch, api=way.startswith("api")
    )  # once more, to see what the log looks like when printed
    printed = "".join(capfd.readouterr())
    assert marker not in printed
    for file in changed_since(start, bot.settings.index_dir):
        assert marker.encode() not in file.read_bytes(), file


def ask_all(bot: Bot, texts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, *, api: bool) -> None:
    """Ask every text of the bot or, as a conversation, of the API."""
    if not api:
        for i, text in enumerate(texts):
            bot.reply(text, texts[:i])
        return
    from starlette.applications import Starlette  # noqa: PLC0415

    monkeypatch.setattr(service, "bot", lambda: bot)
    client = TestClient(Starlette(routes=list(ROUTES)))
    for i, text in enumerate(texts):
        history = [{"user": earlier} for earlier in texts[:i]]
        assert client.post("/api/reply", json={"text": text, "history": history}).status_code == 200


@pytest.mark.parametrize("name", ["LLM", "LLM_MODEL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "SELECTOR"])
def test_p8_no_environment_variable_brings_in_a_model(
    bot: Bot, encoder: object, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No language model is shipped: settings that would name one change no reply."""
    question = "does cocaine make more dopamine"
    before = bot.reply(question)
    monkeypatch.setenv(name, "gpt-4o")
    assert Settings() == bot.settings
    assert bot.reply(question) == before


def test_p8_no_module_imports_a_chat_model() -> None:
    """Nothing in the app can write prose: no client of a language model is imported anywhere."""
    writers = re.compile(
        r"^(openai|anthropic|ollama|litellm|transformers|llama_cpp|google|mistralai|cohere|groq|langchain"
        r"|langchain_openai|langchain_anthropic|langchain_community|langchain_core\.(language_models|prompts|runnables))\b"
    )
    found = set()
    for file in (f for package in ("app", "knowledge", "evals") for f in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found |= {f"{file.relative_to(ROOT)}: {name}" for name in names if writers.match(name)}
    assert not found


def test_p9_the_same_question_gets_the_same_reply(bot: Bot) -> None:
    """Twice in one bot, and after a hundred other questions, a reply is the same to the last field."""
    questions = dev_questions(211)
    first = [bot.reply(question) for question in questions]
    again = [bot.reply(question) for question in reversed(questions)]
    assert first == again[::-1]
    assert {reply.knowledge_digest for reply in first} == {bot.vetted.digest}


def test_p9_two_bots_on_two_fresh_indexes_agree(home: Path, tmp_path: Path) -> None:
    """Built twice, the index leads to the same replies, and the replies name the same digest."""
    one, two = (fakes.bot_of(home, tmp_path / name) for name in ("one", "two"))
    asks = [ask for entry in (fakes.LSD, fakes.COCAINE, fakes.NALOXONE, fakes.LSD_ERROR) for ask in entry["asks"]]
    for ask in asks:
        reply = one.reply(ask)
        assert reply == two.reply(ask)
        assert reply.knowledge_digest == one.vetted.digest
    assert sum(one.reply(ask).kind in ANSWERED for ask in asks) > len(asks) * 0.9


def test_p9_two_bots_on_the_real_base_agree(bot: Bot, encoder: object) -> None:
    """A second process, opening the same base and index, gives the same replies."""
    other = Bot.open(Settings(), encoder=encoder)
    for question in dev_questions(301):
        assert bot.reply(question) == other.reply(question)


def test_p9_the_digest_follows_the_signed_text(home: Path) -> None:
    """Another signed text, another digest; another layout of the same file, the same digest."""
    before = fakes.vetted_of(home).digest
    file = fakes.fact_file(home)
    file.write_text("# a comment\n" + file.read_text())
    assert fakes.vetted_of(home).digest == before
    fakes.write_fact(home, fakes.signed(Fact, fakes.LSD | {"answer": "LSD turns serotonin receptors on in the brain."}))
    assert fakes.vetted_of(home).digest != before
