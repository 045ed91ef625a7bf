"""What editors and reviewers do to the files: save a draft, sign, send back, retract.

Each act is refused with its reason, or written whole: temporary file, fsync, rename, one writer at a time. An act is
made on what its actor read: if somebody else changed that entry in the meantime, the act is refused and nothing is
lost. The command line and the editors' page use the same functions.
"""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from knowledge.checks import DUE_SOON, check_entry
from knowledge.errors import EditConflictError, SignOffError, UnknownIdError
from knowledge.layout import document, drop_field, set_field
from knowledge.schema import LEVELS, Fact, HelpLine, KnownError, Level, Retraction, Review, SentBack
from knowledge.signing import holds, needs_second_review, sign, standing
from knowledge.store import Entry, KnowledgeBase, entry_in, version_of, write_atomically

LOW_RISK_DAYS, HIGH_RISK_DAYS = 730, 365  # until the next review
# What a sign-off mends, and so does not stand in its way.
_WAIVED = frozenset({"unsigned", "second-review", "overdue", "due-soon", "own-review"})
_NEEDED_LINES = frozenset({"emergency", "crisis"})


def key_of(entry: Fact | KnownError) -> str:
    """Return "fact:<id>" or "error:<id>"."""
    return f"{'fact' if isinstance(entry, Fact) else 'error'}:{entry.id}"


def entry_of(base: KnowledgeBase, key: str) -> Entry:
    """Return an entry that is not retracted.

    Raises:
        UnknownIdError: there is none; the message says how ids are written.

    """
    if key in base.retracted:
        raise UnknownIdError(f"{key} is retracted: take the line `retracted:` out of its file to make it a draft again")
    kind, _, name = key.partition(":")
    groups: dict[str, Any] = {
        "fact": base.facts,
        "error": base.known_errors,
        "notice": base.notices,
        "help": {line.id: line for country in base.countries.values() for line in country.lines},
        "phrases": base.phrases,
    }
    entry = groups.get(kind, {}).get(name)
    if entry is None:
        raise UnknownIdError(f"no entry {key!r}: write fact:<id>, error:<id>, notice:<id>, help:<id> or phrases:<id>")
    return entry


def file_of(home: Path, entry: Fact | KnownError) -> Path:
    """Return where a new fact or known error belongs: under `home`, since ids and topics are plain names."""
    if isinstance(entry, Fact):
        return home / "facts" / entry.topic / f"{entry.id}.yaml"
    return home / "known_errors" / f"{entry.id}.yaml"


def save_draft(base: KnowledgeBase, home: Path, entry: Fact | KnownError, seen: str = "") -> Path:
    """Write a new fact or known error, or a new wording of one, and return its file.

    Sign-offs on file stay there, where they no longer hold for changed words; a rejection is answered by the new draft.

    Args:
        base: the base as the editor knows it.
        home: the folder of the base.
        entry: the draft.
        seen: the version of the file that the editor started from (`base.places[key].version`); "" for a new entry.

    Raises:
        EditConflictError: somebody else wrote that file first; the caller still has the draft.
        UnknownIdError: the id belongs to a retracted entry.
        OSError: the disk is full or cannot be written.

    """
    key = key_of(entry)
    if key in base.retracted:
        raise UnknownIdError(f"{key} is retracted: choose another id")
    place = base.places.get(key)
    file = place.file if place else file_of(home, entry)
    if not seen and place:
        raise EditConflictError(f"{key} exists: choose another id, or edit that entry")
    old = base.facts.get(entry.id) if isinstance(entry, Fact) else base.known_errors.get(entry.id)
    records = {name: getattr(old, name, None) for name in ("review", "second_review")}
    entry = entry.model_copy(update={**records, "sent_back": None, "retracted": None})
    text = document(entry)
    if entry_in(text, key) != entry:
        raise ValueError(f"{key} cannot be written as YAML and read back: use plain words and punctuation")
    write_atomically(file, text, seen)
    return file


def sign_entry(base: KnowledgeBase, key: str, by: str, level: Level, today: date, *, second: bool = False) -> Review:
    """Sign the entry as it stands in `base`, write the sign-off into its file and return it.

    Raises:
        UnknownIdError: there is no such entry, or it is retracted.
        SignOffError: the author signs, the same role signs twice, nothing changed, or a check fails.
        EditConflictError: the entry on file is no longer the one in `base`.
        OSError: the disk is full or cannot be written.

    """
    entry = entry_of(base, key)
    require_signable(base, key, by, level, today, second=second)
    days = HIGH_RISK_DAYS if needs_second_review(entry) else LOW_RISK_DAYS
    review = sign(entry, by, level, today, today + timedelta(days=days))
    name = "second_review" if second else "review"
    signed = entry.model_copy(update={name: review, "sent_back": None})

    def edit(text: str) -> str:
        return set_field(drop_field(text, entry.id, "sent_back"), entry.id, name, review.model_dump())

    _rewrite(base, key, entry, signed, edit)
    return review


def require_signable(
    base: KnowledgeBase, key: str, by: str, level: Level, today: date, *, second: bool = False
) -> None:
    """Return if `by` may sign the entry; raise what `sign_entry` would raise if not. Nothing is written."""
    entry = entry_of(base, key)
    first = entry.review
    if second and not holds(entry, first):
        raise SignOffError("the first review does not hold: sign without --second first")
    if second and first and first.by == by:
        raise SignOffError(f"{by} made the first review: a second one needs another role")
    if by == entry.author:
        raise SignOffError(f"{by} wrote this text and cannot also sign it: ask another role to review it")
    if standing(entry, today) == "signed":
        old = entry.second_review if second else first
        raised = old is not None and LEVELS.index(level) > LEVELS.index(old.level)
        if not raised and (old is None or old.due - today > DUE_SOON):
            raise SignOffError("it is signed and nothing has changed")
    for problem in check_entry(base, key, entry, today):
        if problem.severity == "error" and problem.code not in _WAIVED:
            raise SignOffError(str(problem))


def send_back(base: KnowledgeBase, key: str, by: str, reason: str, today: date) -> SentBack:
    """Write into the file of a draft that a reviewer does not sign it, and why.

    Raises:
        UnknownIdError: there is no such entry, or it is retracted.
        SignOffError: it is signed; a signed text is retracted, or changed and signed anew. Or there is no reason.
        EditConflictError: the entry on file is no longer the one in `base`.
        OSError: the disk is full or cannot be written.

    """
    entry = entry_of(base, key)
    if standing(entry, today) not in ("draft", "half-signed"):
        raise SignOffError(f"{key} is signed: retract it, or change it and have it signed again")
    record = SentBack(by=by, on=today, reason=_required(reason))
    _rewrite(
        base,
        key,
        entry,
        entry.model_copy(update={"sent_back": record}),
        lambda text: set_field(text, entry.id, "sent_back", record.model_dump()),
    )
    return record


def retract(base: KnowledgeBase, key: str, by: str, reason: str, today: date) -> tuple[str, ...]:
    """Take an entry out of service and return what still points at it, one line each.

    The text stays in its file, with the reason; its sign-offs are kept inside the record, where they no longer count.
    To bring it back, take the line out: it is a draft then, and needs new sign-offs.

    Raises:
        UnknownIdError: there is no such entry, or it is retracted already.
        SignOffError: the product cannot run without it. Or there is no reason.
        EditConflictError: the entry on file is no longer the one in `base`.
        OSError: the disk is full or cannot be written.

    """
    entry = entry_of(base, key)
    _require_dispensable(base, key, entry)
    reviews = tuple(review for review in (entry.review, entry.second_review) if review)
    record = Retraction(by=by, on=today, reason=_required(reason), reviews=reviews)

    def edit(text: str) -> str:
        for name in ("review", "second_review", "sent_back"):
            text = drop_field(text, entry.id, name)
        return set_field(text, entry.id, "retracted", record.model_dump())

    gone = {"review": None, "second_review": None, "sent_back": None, "retracted": record}
    _rewrite(base, key, entry, entry.model_copy(update=gone), edit)
    return links_to(base, key)


def links_to(base: KnowledgeBase, key: str) -> tuple[str, ...]:
    """Return what names the entry `key`, one line each: who, where, and what becomes of it without the entry."""
    kind, _, name = key.partition(":")
    found = []
    for fact in base.facts.values():
        if kind == "fact" and name in fact.related:
            found.append(f"fact:{fact.id} names it under related")
        if kind == "error" and name in fact.corrects:
            found.append(f"fact:{fact.id} names it under corrects")
    for error in base.known_errors.values():
        if kind == "fact" and name in error.facts:
            alone = (
                "; it has no other fact to carry the truth" if not set(error.facts) & set(base.facts) - {name} else ""
            )
            found.append(f"error:{error.id} names it under facts{alone}")
    for audit in base.audits.values():
        rows = [row.id for row in audit.claims if name in (row.facts if kind == "fact" else row.errors)]
        if kind in ("fact", "error") and rows:
            found.append(f"claims/{audit.article}: the home of {', '.join(rows)}")
    return tuple(found)


def _require_dispensable(base: KnowledgeBase, key: str, entry: Entry) -> None:
    if isinstance(entry, Fact | KnownError):
        return
    if not isinstance(entry, HelpLine):
        raise SignOffError(f"the product needs {key}: change its words and have them signed instead")
    country = next(c for c in base.countries.values() if entry in c.lines)
    if not {line.kind for line in country.lines if line != entry} >= _NEEDED_LINES:
        raise SignOffError(f"{key} is the last {entry.kind} line of {country.name}: add and sign another one first")


def _required(reason: str) -> str:
    if not reason.strip():
        raise SignOffError("give a reason: others will read it")
    return " ".join(reason.split())


def _rewrite(base: KnowledgeBase, key: str, entry: Entry, wanted: Entry, edit: Callable[[str], str]) -> None:
    """Turn `entry` into `wanted` in its file, if it still stands there, and leave every other byte as it is."""
    file = base.places[key].file
    seen = version_of(file)
    text = file.read_bytes().decode("utf-8") if seen else ""
    try:
        now = entry_in(text, key)
    except ValueError as error:
        raise EditConflictError(f"{key} is no longer in {file.name}: read the base again") from error
    if now != entry:
        raise EditConflictError(f"{key} was changed by somebody else after you read it: read it again before you act")
    after = edit(text)
    try:
        written = entry_in(after, key)
    except ValueError as error:
        raise SignOffError(f"{file.name} has a layout that cannot be written to: put one field on a line") from error
    if written != wanted:
        raise SignOffError(f"{file.name} has a layout that cannot be written to: put one field on a line")
    write_atomically(file, after, seen)
