"""`knowledge`: what an editor does, on a copy of the tiny base."""

import csv
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from app.commands import drafting, publishing, terminal
from app.commands import knowledge as command
from knowledge import wording
from knowledge.history import record
from knowledge.proof import signed_entries
from knowledge.schema import Fact
from knowledge.signing import holds, sign, standing
from knowledge.store import load
from tests import fakes

NALOXONE = f"fact:{fakes.NALOXONE['id']}"
LSD = f"fact:{fakes.LSD['id']}"
COCAINE = f"fact:{fakes.COCAINE['id']}"
Run = Callable[..., Result]


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on the tiny base, in a wide terminal; the reading grade has its own tests."""
    monkeypatch.setenv("KNOWLEDGE_DIR", str(home))
    monkeypatch.setattr(wording, "reading_grade", lambda *_: 5.0)
    monkeypatch.setattr(publishing, "reading_grade", lambda *_: 5.0)
    monkeypatch.setattr(terminal.console, "_width", 500)
    monkeypatch.setattr(terminal, "open_bot", lambda *_: fakes.bot_of(home, tmp_path / "index"))
    return lambda *arguments, **more: CliRunner().invoke(command.app, list(arguments), **more)


def entry(home: Path, key: str) -> Any:
    """Return an entry as it stands on file."""
    return dict(load(home)[0].signable())[key]


def draft(home: Path, content: dict[str, Any] = fakes.LSD) -> Path:
    """Write a fact without its sign-off, as an editor would."""
    return fakes.write_fact(home, content)


def test_new_scaffolds_a_draft(run: Run, home: Path) -> None:
    """The file stands where it belongs, names the entities of the question, and is no served text."""
    result = run("new", "lsd-and-time", "--topic", "psychedelics", "--question", "How does acid change time?")
    assert result.exit_code == 0, result.output
    fact = entry(home, "fact:lsd-and-time")
    assert fact.entities == ("lsd",)
    assert standing(fact, fakes.TODAY) == "draft"
    assert run("check").exit_code == 1


def test_new_does_not_overwrite(run: Run, home: Path) -> None:
    """An id that is taken is refused."""
    before = fakes.fact_file(home).read_bytes()
    result = run("new", fakes.LSD["id"], "--topic", "psychedelics", "--question", "How does LSD work at all?")
    assert result.exit_code == 2
    assert fakes.fact_file(home).read_bytes() == before


@pytest.mark.parametrize(("name", "topic"), [("../../../outside", "x"), ("outside", "../../.."), ("Not An Id", "x")])
def test_new_stays_inside_the_base(run: Run, home: Path, name: str, topic: str) -> None:
    """An id that is no id is refused, and nothing is written."""
    before = set(home.parent.rglob("*.yaml"))
    result = run("new", name, "--topic", topic, "--question", "How does LSD work at all?")
    assert result.exit_code == 2
    assert set(home.parent.rglob("*.yaml")) == before


def test_check_is_silent_on_a_sound_base(run: Run) -> None:
    """Exit code 0."""
    result = run("check", "--advice")
    assert (result.exit_code, result.output.strip()) == (0, "0 errors, 0 pieces of advice")


def test_check_prints_every_error_with_file_and_line(run: Run, home: Path) -> None:
    """Exit code 1, all at once."""
    file = draft(home)
    fakes.fact_file(home, fakes.COCAINE).write_text("a: [")
    result = run("check")
    assert result.exit_code == 1
    assert f"{file}:1: error unsigned" in result.output
    assert "error yaml" in result.output


@pytest.mark.parametrize(("form", "start"), [("json", "{"), ("github", "::error file=")])
def test_check_speaks_to_machines(run: Run, home: Path, form: str, start: str) -> None:
    """One problem a line and nothing else, as JSON or as annotations."""
    draft(home)
    lines = run("check", "--format", form).output.splitlines()
    assert lines
    assert all(line.startswith(start) for line in lines)
    if form == "json":
        assert {"code", "file", "line", "message", "mend"} <= set(json.loads(lines[0]))


def test_sign_writes_a_sign_off_that_holds_and_changes_nothing_else(run: Run, home: Path) -> None:
    """Every byte of the file stays, and one line is added."""
    file = draft(home)
    file.write_text("# why this fact exists\n" + file.read_text())
    before = file.read_text()
    result = run("sign", LSD, "--as", "source-check", "--yes")
    assert result.exit_code == 0, result.output
    after = file.read_text()
    assert after.startswith(before)
    assert after.count("\n") == before.count("\n") + 1
    assert holds(entry(home, LSD), entry(home, LSD).review)


def test_a_high_risk_text_takes_two_roles(run: Run, home: Path) -> None:
    """The second review is refused before the first, and from the same role; with another role it stands."""
    draft(home, fakes.NALOXONE)
    assert run("sign", NALOXONE, "--as", "b", "--second", "--yes").exit_code == 1
    assert run("sign", NALOXONE, "--as", "a", "--yes").exit_code == 0
    assert standing(entry(home, NALOXONE), fakes.TODAY) == "half-signed"
    assert run("sign", NALOXONE, "--as", "a", "--second", "--yes").exit_code == 1
    assert run("sign", NALOXONE, "--as", "b", "--second", "--yes").exit_code == 0
    assert standing(entry(home, NALOXONE), fakes.TODAY) == "signed"


@pytest.mark.parametrize(
    "key", ["notice:care", "help:us-911", "help:int-finder", "phrases:crisis", "error:lsd-blocks-serotonin"]
)
def test_everything_that_is_shown_can_be_signed_again(run: Run, home: Path, key: str) -> None:
    """Notices, help lines, phrase books and known errors: after a change the new sign-off replaces the old one."""
    file = load(home)[0].places[key].file
    text = file.read_text()
    for old, new in (("hard time", "sad time"), ("day and night", "all day"), ("at all hours", "x"), ("i", "i")):
        text = text.replace(old, new)
    text = text.replace("- want to die", "- wish to die").replace("the opposite", "just the opposite")
    file.write_text(text)
    assert standing(entry(home, key), fakes.TODAY) == "draft"
    result = run("sign", key, "--as", "source-check", "--yes")
    assert result.exit_code == 0, result.output
    assert standing(entry(home, key), fakes.TODAY) == "signed"
    assert load(home)[1] == ()


def test_a_sign_off_written_over_several_lines_is_replaced_whole(run: Run, home: Path) -> None:
    """Another tool may have laid the file out differently; signing it again must not break it."""
    file = fakes.fact_file(home)
    content = yaml.safe_load(file.read_text()) | {"detail": "This changed after it was signed."}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    assert run("sign", LSD, "--as", "source-check", "--yes").exit_code == 0
    assert load(home)[1] == ()
    assert standing(entry(home, LSD), fakes.TODAY) == "signed"


# (arguments, a word of the reason)
REFUSED = [
    ((LSD, "--as", "source-check"), "nothing has changed"),
    (("fact:nobody", "--as", "source-check"), "no entry"),
    (("nonsense", "--as", "source-check"), "no entry"),
]


@pytest.mark.parametrize(("arguments", "reason"), REFUSED)
def test_sign_refuses(run: Run, home: Path, arguments: tuple[str, ...], reason: str) -> None:
    """Exit code 1, the reason, and no changed byte."""
    before = fakes.fact_file(home).read_bytes()
    result = run("sign", *arguments, "--yes")
    assert result.exit_code == 1
    assert reason in result.output
    assert fakes.fact_file(home).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "role", "reason"),
    [
        ({}, "editor", "cannot also sign"),
        ({"entities": ["gone"]}, "source-check", "unknown-id"),
        ({"answer": "Many addicts have taken LSD in the past."}, "source-check", "stigma"),
    ],
)
def test_sign_refuses_the_author_and_what_fails_a_check(
    run: Run, home: Path, change: dict[str, Any], role: str, reason: str
) -> None:
    """Nobody signs their own text, and nobody signs a text that is wrong."""
    file = draft(home, fakes.LSD | change)
    before = file.read_bytes()
    result = run("sign", LSD, "--as", role, "--yes")
    assert result.exit_code == 1
    assert reason in result.output
    assert file.read_bytes() == before


def test_sign_shows_the_text_and_asks(run: Run, home: Path) -> None:
    """Without --yes the reviewer reads the sentences and their sources first; "n" signs nothing."""
    file = draft(home)
    result = run("sign", LSD, "--as", "source-check", input="n\n")
    assert result.exit_code != 0
    assert "An Atlas of Messengers" in result.output
    assert "It does not block them." in result.output
    assert "review:" not in file.read_text()


def test_diff_says_what_changed_since_the_last_sign_off(run: Run, home: Path) -> None:
    """Sentence by sentence, against the newest committed version that was signed."""

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", home, *identity, *arguments], check=True, capture_output=True)

    assert "as it was signed" in run("diff", LSD).output
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--no-verify", "-m", "signed")
    file = fakes.fact_file(home)
    file.write_text(file.read_text().replace("It does not block them.", "It leaves them on."))
    output = run("diff", LSD).output
    assert "-It does not block them." in output
    assert "+It leaves them on." in output
    assert " LSD turns on serotonin receptors in the brain." in output


def test_diff_without_a_signed_version_shows_all_of_the_text(run: Run, home: Path) -> None:
    """A new draft is new throughout."""
    draft(home)
    assert "+LSD turns on serotonin receptors in the brain." in run("diff", LSD).output


def test_diff_of_an_unknown_entry_is_one_line(run: Run) -> None:
    """No traceback for a slip of the keyboard."""
    result = run("diff", "fact:nobody")
    assert result.exit_code == 2
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_stats_count_what_is_there(run: Run) -> None:
    """Facts, errors and standings."""
    output = run("stats").output
    assert {"facts 3", "known errors 1", "twice reviewed 1"} <= {" ".join(line.split()) for line in output.splitlines()}


def test_new_asks_for_what_is_missing(run: Run, home: Path) -> None:
    """Without arguments it asks for question and topic, and proposes an id."""
    result = run("new", input="How does acid change time?\npsychedelics\n\n")
    assert result.exit_code == 0, result.output
    assert entry(home, "fact:how-does-acid-change-time").question == "How does acid change time?"


def test_new_names_likely_duplicates_and_neighbours(run: Run) -> None:
    """An editor hears of a question that is answered already, before writing a word."""
    result = run("new", "x", "--topic", "psychedelics", "--question", "How does LSD act on serotonin?")
    assert f"near: {LSD}" in result.output or f"likely duplicate: {LSD}" in result.output
    assert f"likely duplicate: {LSD} has the ask" in result.output


def test_a_scaffold_cannot_be_signed(run: Run) -> None:
    """What is still to be written is an error."""
    run("new", "lsd-and-time", "--topic", "psychedelics", "--question", "How does acid change time?", "--offline")
    result = run("sign", "fact:lsd-and-time", "--as", "source-check", "--yes")
    assert result.exit_code == 1
    assert "unfinished" in run("check").output


def test_try_shows_now_and_after(run: Run, home: Path) -> None:
    """What a visitor reads today, and what they would read once the draft is signed; nothing is written."""
    draft(home, fakes.LSD | {"answer": "LSD works on serotonin in the brain, and this is a draft."})
    before = fakes.fact_file(home).read_bytes()
    result = run("try", "how does lsd act on serotonin")
    assert result.exit_code == 0, result.output
    now, _, after = result.output.partition("once signed")
    assert "this is a draft" not in now
    assert "this is a draft" in after
    assert fakes.fact_file(home).read_bytes() == before


@pytest.mark.parametrize("question", ["?!", "", "\U0001f600"])
def test_try_survives_a_question_without_words(run: Run, home: Path, question: str) -> None:
    """Punctuation only is no question, and no crash."""
    draft(home)
    assert run("try", question).exit_code == 0


def test_retract_takes_a_text_out_and_names_what_points_there(run: Run, home: Path) -> None:
    """Gone from the base, kept in the file, and the known error that needs it is named."""
    result = run("retract", LSD, "--reason", "its source was withdrawn", "--yes")
    assert result.exit_code == 0, result.output
    assert "error:lsd-blocks-serotonin names it under facts" in result.output
    base, problems = load(home)
    assert fakes.LSD["id"] not in base.facts
    assert problems == ()
    again = run("retract", LSD, "--reason", "once more", "--yes")
    assert (again.exit_code, "is retracted" in again.output) == (2, True)


def test_retract_asks_first(run: Run, home: Path) -> None:
    """Without --yes, "n" changes nothing."""
    before = fakes.fact_file(home).read_bytes()
    assert run("retract", LSD, "--reason", "x", input="n\n").exit_code == 1
    assert fakes.fact_file(home).read_bytes() == before


def test_due_lists_drafts_and_reviews(run: Run, home: Path) -> None:
    """What waits for a reviewer comes with what falls due."""
    assert "0 entries wait" in run("due").output
    draft(home)
    assert f"{LSD} review" in " ".join(run("due").output.split())
    assert "3650 days" in run("due", "--days", "3650").output


def test_history_tells_the_life_of_a_text(run: Run, home: Path) -> None:
    """Oldest first, with the role, the standing and the sentences that came and went; unknown to git is said."""
    assert run("history", LSD).exit_code == 2
    assert run("history", "fact:nobody").exit_code == 2
    subprocess.run(["git", "-C", home, "init", "--quiet"], check=True)
    record(home, (home,), "source-check", "Sign the tiny base")
    file = fakes.fact_file(home)
    file.write_text(file.read_text().replace("It does not block them.", "It leaves them on."))
    record(home, (file,), "editor", "Say it plainly")
    file.write_text(file.read_text().replace("It leaves them on.", "It leaves them as they are."))
    output = run("history", LSD).output
    order = [
        "source-check · Sign the tiny base · signed by source-check",
        "+LSD turns on serotonin receptors",
        "editor · Say it plainly · draft",
        "-It does not block them.",
        "+It leaves them on.",
        "today",
        "+It leaves them as they are.",
    ]
    places = [output.index(piece) for piece in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("form", "kind"), [("claimreview", "ClaimReview"), ("faqpage", "FAQPage"), ("medicalwebpage", "MedicalWebPage")]
)
def test_export_writes_linked_data(run: Run, form: str, kind: str) -> None:
    """Signed words only, in the vocabulary of schema.org."""
    result = run("export", form, "--site", "https://example.org/")
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    assert {node["@type"] for node in document["@graph"]} == {kind}
    assert ("//#" in result.output, "https://example.org/#" in result.output) == (False, True)


def test_export_needs_an_address_for_linked_data(run: Run) -> None:
    """A claim review without the page it stands on is none."""
    assert run("export", "claimreview").exit_code == 2
    assert run("export", "word").exit_code == 2


def test_export_leaves_drafts_out(run: Run, home: Path, tmp_path: Path) -> None:
    """One row for each signed fact and known error; a draft is none."""
    draft(home)
    out = tmp_path / "facts.csv"
    assert run("export", "csv", "--out", str(out)).exit_code == 0
    with out.open(newline="", encoding="utf-8") as sheet:
        rows = list(csv.DictReader(sheet))
    assert {row["id"] for row in rows} == {COCAINE, NALOXONE, "error:lsd-blocks-serotonin"}
    assert next(row for row in rows if row["id"] == COCAINE)["text"] == fakes.COCAINE["answer"]


def served(home: Path) -> dict[str, Any]:
    """Return what a copy of the base serves at /api/knowledge."""
    vetted = fakes.vetted_of(home)
    entries = signed_entries(vetted).items()
    rows = [{"id": key, "content": entry.model_dump(mode="json")} for key, entry in entries]
    return {"knowledge_digest": vetted.digest, "entries": rows}


def _other_words(copy: dict[str, Any]) -> None:
    row = next(row for row in copy["entries"] if row["id"] == COCAINE)
    row["content"]["answer"] += " It is harmless."


def _other_signature(copy: dict[str, Any]) -> None:
    row = next(row for row in copy["entries"] if row["id"] == COCAINE)
    entry = Fact.model_validate(row["content"] | {"answer": "Cocaine is quite harmless, they say.", "review": None})
    row["content"] = entry.model_copy(
        update={"review": sign(entry, "stranger", "clinician", fakes.TODAY, fakes.DUE)}
    ).model_dump(mode="json")


# (what is done to the copy, exit code, what is said)
COPIES = [
    (lambda copy: None, 0, "the same"),
    (_other_words, 1, f"{COCAINE}: the words served do not match their sign-off"),
    (_other_signature, 1, f"{COCAINE}: served with another review, answer"),
    (lambda copy: copy["entries"].pop(0), 1, "signed here, not served"),
    (lambda copy: copy["entries"].append({"id": "fact:more", "content": {}}), 1, "fact:more: served, not signed here"),
    (lambda copy: copy["entries"].append(copy["entries"][0]), 1, "an id is served twice"),
    (lambda copy: copy["entries"][0].update(content={}), 1, "no such entry"),
    (lambda copy: copy.update(knowledge_digest="0"), 1, "knowledge digest"),
    (lambda copy: copy.pop("entries"), 1, "has not the form"),
]


@pytest.mark.parametrize(("change", "code", "said"), COPIES)
def test_verify_finds_every_difference(
    run: Run, home: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], code: int, said: str
) -> None:
    """A copy that adds, drops or alters one text does not pass, whatever digest it claims."""
    copy = served(home)
    change(copy)
    file = tmp_path / "copy.json"
    file.write_text(json.dumps(copy))
    result = run("verify", str(file))
    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_verify_asks_a_running_copy(run: Run, home: Path) -> None:
    """Over real HTTP, at /api/knowledge of the address that is given; a copy that does not answer is exit code 2."""
    body = json.dumps(served(home)).encode()

    class Copy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/knowledge" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Copy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert run("verify", address + "/").exit_code == 0
        assert run("verify", address + "/api/nothing").exit_code == 2
        server.shutdown()
    assert run("verify", address).exit_code == 2
    assert run("verify", "no-such-file.json").exit_code == 2


def test_check_watches(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change is checked, until it is stopped; the exit code is that of the last state."""

    def changes(*_: object, **__: object) -> Iterator[set[object]]:
        draft(home)
        yield set()

    monkeypatch.setattr(drafting, "watch", changes)
    result = run("check", "--watch")
    assert "0 errors" in result.output
    assert "error unsigned" in result.output
    assert result.exit_code == 1


def test_check_leaves_each_ask_out(run: Run) -> None:
    """The figures are printed, and below the floors the exit code is 1 without any other error."""
    result = run("check", "--leave-one-out", "--advice")
    assert "42 asks, each left out: own entry first" in result.output
    below = "own entry first 100.0%" not in result.output
    assert result.exit_code == (1 if below else 0)


def test_annotations_keep_to_one_line(run: Run, home: Path) -> None:
    """Line breaks and percent signs in a message cannot end or forge an annotation."""
    assert drafting._escaped("50 %\n::error::x", ":,") == "50 %25%0A%3A%3Aerror%3A%3Ax"


def test_ids_are_completed_from_the_files(run: Run) -> None:
    """The shell proposes facts and known errors."""
    assert list(terminal.complete_id("fact:lsd")) == [LSD]
    assert list(terminal.complete_id("error:")) == ["error:lsd-blocks-serotonin"]


@pytest.mark.parametrize("name", [row[0] for row in command._COMMANDS])
def test_every_command_has_help_with_examples(run: Run, name: str) -> None:
    """What it does, and how it is typed."""
    output = run(name, "--help").output
    assert f"knowledge {name}" in output
    assert "Examples" in output


def test_a_full_disk_is_one_line_and_nothing_is_lost(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, the reason, and the file as it was."""
    file = draft(home)
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("knowledge.store.os.fsync", full)
    result = run("sign", LSD, "--as", "source-check", "--yes")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert file.read_bytes() == before
    assert list(file.parent.glob(".*")) == []


def test_the_copy_is_the_same_content() -> None:
    """The fake facts are valid as they stand."""
    for content in (fakes.LSD, fakes.COCAINE, fakes.NALOXONE):
        Fact.model_validate(content)
