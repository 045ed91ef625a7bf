"""The editors' desk: what each role can do to the files, and what is refused to it."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.audit import Audit
from app.desk import Desk, cited, needs, parse, started
from app.editors import Person, Role
from app.feedback import Group
from knowledge import wording
from knowledge.errors import (
    EditConflictError,
    GuideError,
    KnowledgeError,
    NotAllowedError,
    SignOffError,
    UnknownIdError,
)
from knowledge.schema import Fact, Source
from knowledge.signing import standing
from knowledge.store import KnowledgeBase, load
from tests import fakes

LSD = f"fact:{fakes.LSD['id']}"
NALOXONE = f"fact:{fakes.NALOXONE['id']}"
NEW = fakes.LSD | {"id": "lsd-lasts-long", "question": "How long does LSD last in the brain?"}
NEW |= {"asks": [f"how long does lsd last {n} hours or more" for n in range(10)]}
NOW = datetime(fakes.TODAY.year, fakes.TODAY.month, fakes.TODAY.day, 9, tzinfo=UTC)
As = Callable[..., Desk]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """The log."""
    return Audit(tmp_path / "data", lambda: NOW)


@pytest.fixture
def at(home: Path, audit: Audit, monkeypatch: pytest.MonkeyPatch) -> As:
    """Return the desk as somebody sees it; the reading grade has its own tests."""
    monkeypatch.setattr(wording, "reading_grade", lambda *_: 5.0)

    def desk(subject: str | None, *roles: Role) -> Desk:
        def who() -> Person:
            if subject is None:
                raise NotAllowedError("log in first")
            return Person("http://issuer", subject, frozenset(roles))

        return Desk(home, audit, who, lambda: NOW)

    return desk


@pytest.fixture
def ann(at: As) -> Desk:
    """The desk of an editor."""
    return at("ann", "editor")


@pytest.fixture
def rob(at: As) -> Desk:
    """The desk of a reviewer."""
    return at("rob", "reviewer")


def base_of(desk: Desk) -> KnowledgeBase:
    """Return the base as it stands on file."""
    return load(desk.home)[0]


def draft(content: dict[str, Any] = NEW, **changes: Any) -> Fact:
    """Return a fact as a form gives it."""
    return Fact.model_validate(content | changes)


def state(desk: Desk, key: str) -> str:
    """Return where an entry stands."""
    return standing(dict(base_of(desk).signable())[key], fakes.TODAY)


def rows(audit: Audit) -> list[tuple[str, str, str, str]]:
    """Return the log without times and pseudonyms."""
    return [(row["act"], row["key"], row["role"], row["outcome"]) for row in audit.rows()]


def every_file(home: Path) -> dict[Path, bytes]:
    """Return every byte of the base."""
    return {file: file.read_bytes() for file in home.rglob("*.yaml")}


def test_a_draft_becomes_a_signed_fact_through_two_people(ann: Desk, rob: Desk, audit: Audit) -> None:
    """The editor submits, the reviewer signs, and the log tells it."""
    ann.submit(base_of(ann), draft(), "")
    assert state(ann, "fact:lsd-lasts-long") == "draft"
    assert "signed" in rob.sign(base_of(rob), "fact:lsd-lasts-long").message
    assert state(rob, "fact:lsd-lasts-long") == "signed"
    assert rows(audit) == [
        ("save", "fact:lsd-lasts-long", "editor", "begun"),
        ("save", "fact:lsd-lasts-long", "editor", "done"),
        ("sign", "fact:lsd-lasts-long", "source-check", "begun"),
        ("sign", "fact:lsd-lasts-long", "source-check", "done"),
    ]
    assert audit.broken_at() is None


def test_nobody_signs_what_they_wrote_even_with_both_roles(at: As, audit: Audit) -> None:
    """Author and reviewer differ as people, not only as roles."""
    both = at("ann", "editor", "reviewer")
    both.save(base_of(both), draft(), "")
    with pytest.raises(NotAllowedError, match="you wrote on this text"):
        both.sign(base_of(both), "fact:lsd-lasts-long")
    assert state(both, "fact:lsd-lasts-long") == "draft"
    assert rows(audit)[-1] == ("sign", "fact:lsd-lasts-long", "editor+reviewer", "refused")


def test_everybody_who_wrote_on_a_draft_is_its_author(at: As) -> None:
    """Having somebody else save last does not make the first author a reviewer."""
    ann, bob = at("ann", "editor", "reviewer"), at("bob", "editor")
    ann.save(base_of(ann), draft(), "")
    seen = base_of(bob).places["fact:lsd-lasts-long"].version
    bob.save(base_of(bob), draft(detail="Bob adds one sentence to it."), seen)
    with pytest.raises(NotAllowedError):
        ann.sign(base_of(ann), "fact:lsd-lasts-long")


def test_a_high_risk_text_takes_two_reviewers(at: As, ann: Desk) -> None:
    """The same person cannot make both reviews; the file then carries two roles."""
    seen = base_of(ann).places[NALOXONE].version
    changed = draft(fakes.NALOXONE, question="What can naloxone do for someone?")
    ann.submit(base_of(ann), changed, seen)
    rob, sue = at("rob", "reviewer"), at("sue", "reviewer")
    assert "half-signed" in rob.sign(base_of(rob), NALOXONE).message
    with pytest.raises(NotAllowedError, match="you made the first review"):
        rob.sign(base_of(rob), NALOXONE)
    sue.sign(base_of(sue), NALOXONE)
    fact = base_of(sue).facts[fakes.NALOXONE["id"]]
    assert fact.review
    assert fact.second_review
    assert (fact.review.by, fact.second_review.by) == ("source-check", "safety-check")
    assert state(sue, NALOXONE) == "signed"


ACTS: dict[str, Callable[[Desk, KnowledgeBase], object]] = {
    "save": lambda desk, base: desk.save(base, draft(), ""),
    "submit": lambda desk, base: desk.submit(base, draft(), ""),
    "source": lambda desk, base: desk.add_source(Source(id="new-2026", type="book", title="A new book")),
    "sign": lambda desk, base: desk.sign(base, LSD),
    "send back": lambda desk, base: desk.send_back(base, LSD, "a reason"),
    "retract": lambda desk, base: desk.retract(base, LSD, "a reason"),
}


@pytest.mark.parametrize("act", ACTS)
def test_every_act_is_refused_without_a_login(at: As, home: Path, audit: Audit, act: str) -> None:
    """No byte changes, and the attempt is in the log."""
    before = every_file(home)
    with pytest.raises(NotAllowedError):
        ACTS[act](at(None), load(home)[0])
    assert every_file(home) == before
    assert [row["outcome"] for row in audit.rows()] == ["refused"]


@pytest.mark.parametrize(
    ("act", "role"),
    [
        *((act, "reviewer") for act in ("save", "submit", "source")),
        *((act, "editor") for act in ("sign", "send back", "retract")),
    ],
)
def test_every_act_needs_its_role(at: As, home: Path, audit: Audit, act: str, role: Role) -> None:
    """A reviewer does not write, an editor does not sign."""
    before = every_file(home)
    with pytest.raises(NotAllowedError, match="this needs the role"):
        ACTS[act](at("x", role), load(home)[0])
    assert every_file(home) == before
    assert [row["outcome"] for row in audit.rows()] == ["refused"]


def test_a_role_that_is_taken_away_counts_at_the_next_act(home: Path, audit: Audit) -> None:
    """Who acts is asked at every act, not at the login."""
    roles: list[frozenset[Role]] = [frozenset({"editor"})]
    desk = Desk(home, audit, lambda: Person("i", "ann", roles[-1]), lambda: NOW)
    desk.save(base_of(desk), draft(), "")
    roles.append(frozenset())
    with pytest.raises(NotAllowedError):
        desk.save(base_of(desk), draft(), base_of(desk).places["fact:lsd-lasts-long"].version)


@pytest.mark.parametrize(
    "name", ["../../../outside", "a/b", "..", "/etc/passwd", "A B", "a\nb", "a\x00b", "", "x" * 200]
)
@pytest.mark.parametrize("field", ["id", "topic"])
def test_a_path_is_no_id(home: Path, name: str, field: str) -> None:
    """The form is refused, so nothing can be written outside the base."""
    fact, faults = parse(NEW | {field: name})
    assert fact is None
    assert faults[0].startswith(field)


@pytest.mark.parametrize("key", ["fact:../../etc/passwd", "../x", "fact:", "", "fact:nobody", "source:atlas-2020"])
def test_a_key_that_no_entry_has_is_refused(rob: Desk, home: Path, key: str) -> None:
    """Sign, send back and retract act on entries of the base only."""
    before = every_file(home)
    for act in (lambda b: rob.sign(b, key), lambda b: rob.send_back(b, key, "x"), lambda b: rob.retract(b, key, "x")):
        with pytest.raises(UnknownIdError):
            act(base_of(rob))
    assert every_file(home) == before


def test_a_draft_with_an_error_is_saved_but_not_submitted(ann: Desk) -> None:
    """Work in progress is kept; a review is asked for only when every check holds."""
    stigma = draft(answer="Many addicts have taken LSD in the past.")
    with pytest.raises(SignOffError, match="not yet ready"):
        ann.submit(base_of(ann), stigma, "")
    ann.save(base_of(ann), stigma, "")
    assert state(ann, "fact:lsd-lasts-long") == "draft"
    assert "stigma" in {problem.code for problem in ann.check(base_of(ann), stigma)}


def test_of_two_editors_the_second_is_told_and_nothing_is_lost(at: As, audit: Audit) -> None:
    """The first wording stays on file; the second editor still has theirs in the form."""
    ann, bob = at("ann", "editor"), at("bob", "editor")
    base = base_of(ann)
    seen = base.places[LSD].version
    ann.save(base, draft(fakes.LSD, detail="Ann adds one sentence here."), seen)
    with pytest.raises(EditConflictError):
        bob.save(base, draft(fakes.LSD, detail="Bob adds another sentence."), seen)
    assert base_of(ann).facts[fakes.LSD["id"]].detail == "Ann adds one sentence here."
    assert rows(audit)[-1] == ("save", LSD, "editor", "failed")


def test_a_text_that_changed_while_it_was_read_is_not_signed(ann: Desk, rob: Desk) -> None:
    """The reviewer signs what they saw or nothing."""
    ann.save(base_of(ann), draft(), "")
    read = base_of(rob)
    seen = read.places["fact:lsd-lasts-long"].version
    ann.save(base_of(ann), draft(detail="A sentence that nobody reviewed."), seen)
    with pytest.raises(EditConflictError):
        rob.sign(read, "fact:lsd-lasts-long")
    assert state(rob, "fact:lsd-lasts-long") == "draft"


def test_records_of_the_form_are_never_believed(ann: Desk) -> None:
    """A draft that brings its own sign-off or another author is written without them."""
    forged = fakes.signed(Fact, draft().model_dump(mode="json", exclude_none=True))
    ann.save(base_of(ann), draft(forged, author="somebody"), "")
    fact = base_of(ann).facts["lsd-lasts-long"]
    assert (fact.review, fact.author) == (None, "editor")


def test_a_draft_is_sent_back_with_a_reason(ann: Desk, rob: Desk) -> None:
    """The reason stands in the file; an empty one is refused."""
    ann.save(base_of(ann), draft(), "")
    with pytest.raises(SignOffError, match="reason"):
        rob.send_back(base_of(rob), "fact:lsd-lasts-long", "  ")
    rob.send_back(base_of(rob), "fact:lsd-lasts-long", "the source says hours, not days")
    sent = base_of(ann).facts["lsd-lasts-long"].sent_back
    assert sent
    assert sent.reason == "the source says hours, not days"


def test_a_retracted_text_is_gone_and_says_what_pointed_at_it(rob: Desk) -> None:
    """Its known errors are named."""
    assert "error:" in rob.retract(base_of(rob), LSD, "the finding was withdrawn").message
    assert LSD not in dict(base_of(rob).signable())


def test_a_source_is_added_once(ann: Desk) -> None:
    """A second one with that id is refused; the rest of the file stays as it is."""
    file = ann.home / "sources.yaml"
    before = file.read_text()
    ann.add_source(Source(id="new-2026", type="book", title="A: new «book»"))
    assert file.read_text().startswith(before.rstrip("\n"))
    assert base_of(ann).sources["new-2026"].title == "A: new «book»"
    with pytest.raises(KnowledgeError, match="exists"):
        ann.add_source(Source(id="new-2026", type="book", title="Another book"))


def test_git_knows_the_role_and_not_the_person(ann: Desk, rob: Desk) -> None:
    """Each act is one commit of one file in the name of the role."""
    subprocess.run(["git", "init", "-q", ann.home], check=True)
    assert "Committed to git" in ann.save(base_of(ann), draft(), "").message
    rob.sign(base_of(rob), "fact:lsd-lasts-long")
    log = subprocess.run(
        ["git", "-C", ann.home, "log", "--format=%an <%ae> %cn <%ce> %s"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert log == [
        f"{role} <{role}@localhost> {role} <{role}@localhost> {subject} fact:lsd-lasts-long"
        for role, subject in (("source-check", "Sign"), ("editor", "Draft"))
    ]


def test_neither_the_log_nor_the_files_name_a_person(ann: Desk, rob: Desk, audit: Audit, home: Path) -> None:
    """Roles and pseudonyms only."""
    ann.save(base_of(ann), draft(), "")
    rob.sign(base_of(rob), "fact:lsd-lasts-long")
    written = audit.file.read_text() + "".join(file.read_text() for file in home.rglob("*.yaml"))
    assert '"ann"' not in written
    assert '"rob"' not in written
    assert len({json.loads(line)["who"] for line in audit.file.read_text().splitlines()}) == 2


def test_nothing_is_done_that_cannot_be_logged(ann: Desk, audit: Audit, home: Path) -> None:
    """The log comes first."""
    ann._pseudonym(Person("i", "s", frozenset()))
    audit.file.unlink()
    audit.file.mkdir()
    before = every_file(home)
    with pytest.raises(GuideError, match="audit"):
        ann.save(load(home)[0], draft(), "")
    assert every_file(home) == before


def test_a_group_of_visitors_becomes_the_start_of_a_draft(home: Path) -> None:
    """Its asks, a title, an id that is one, and the entities that are named."""
    group = Group("unanswered", ("does LSD hurt the liver?", "is acid bad for my liver"), 5, (), fakes.TODAY)
    fields = started(group, load(home)[0])
    assert fields["asks"] == group.asks
    assert fields["entities"] == ("lsd",)
    fact, faults = parse(fakes.LSD | fields)
    assert faults == ()
    assert fact
    assert fact.id == "does-lsd-hurt-the-liver"


def test_lines_of_the_form_become_fields() -> None:
    """Sources and groups of needs are written one a line."""
    assert cited("a-1 | page 3 | that it is | so\n\n") == (
        {"id": "a-1", "locator": "page 3", "supports": "that it is | so"},
    )
    assert needs("lsd, acid\nssri") == (("lsd", "acid"), ("ssri",))
    assert parse(fakes.LSD | {"sources": cited("a-1")})[0] is None
