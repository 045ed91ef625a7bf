"""A decision → the reply: ids become signed text, read and verified at the very last moment."""

from collections.abc import Mapping

from app.metrics import timed
from app.models import Decision, Piece, Related, Reply, SourceNote
from knowledge.errors import UnsignedTextError
from knowledge.schema import Citation, Fact, HelpLine, KnownError, Notice
from knowledge.signing import Vetted, holds

# The help lines that stand below a reply, by the notice it opens with; without an entry there are none.
_HELP_KINDS: dict[str, tuple[str, ...]] = {
    "crisis-poisoning": ("emergency", "poison"),
    "crisis-child": ("emergency", "poison"),
    "crisis-overdose": ("emergency", "poison"),
    "crisis-serotonin": ("emergency", "poison"),
    "crisis-heart": ("emergency", "poison"),
    "crisis-withdrawal": ("emergency", "treatment"),
    "crisis-abuse": ("emergency", "abuse"),
    "care": ("crisis", "treatment"),
    "trouble": ("emergency", "crisis"),
    "slow-down": ("emergency", "crisis"),
    "busy": ("emergency", "crisis"),
}
_ANY_CRISIS: tuple[str, ...] = ("emergency", "crisis")
Entry = Fact | KnownError | Notice | HelpLine


@timed("compose")
def compose(decision: Decision, vetted: Vetted, country: str) -> Reply:
    """Return the reply of `decision` for a visitor in `country`.

    Raises:
        UnsignedTextError: an id has no signed text, or its sign-off no longer matches.

    """
    pieces: list[Piece] = []
    citations: list[SourceNote] = []
    for key in decision.ids:
        entry = _entry(key, vetted)
        pieces += [Piece(key, text) for text in _texts(entry)]
        if isinstance(entry, (Fact, KnownError)):
            citations += [_note(key, citation, vetted) for citation in entry.sources]
    if decision.care:
        pieces += [Piece("notice:care", text) for text in _texts(_entry("notice:care", vetted))]
    pieces += _help(decision, vetted, country)
    return Reply(
        kind=decision.kind,
        pieces=tuple(pieces),
        citations=tuple(citations),
        related=tuple(Related(key, title(key, vetted)) for key in decision.offers),
        care=decision.care,
        knowledge_digest=vetted.digest,
    )


def title(key: str, vetted: Vetted) -> str:
    """Return the signed title a visitor sees on a button: a fact's question, a known error's claim."""
    entry = _entry(key, vetted)
    if isinstance(entry, Fact):
        return entry.question
    if isinstance(entry, KnownError):
        return entry.claim
    raise UnsignedTextError(f"{key} has no title")


def _entry(key: str, vetted: Vetted) -> Entry:
    """Return the signed entry behind an id, verified once more."""
    kind, _, name = key.partition(":")
    groups: dict[str, Mapping[str, Entry]] = {
        "fact": vetted.facts,
        "error": vetted.known_errors,
        "notice": vetted.notices,
        "help": vetted.help_lines,
    }
    entry = groups.get(kind, {}).get(name)
    if entry is None:
        raise UnsignedTextError(f"{key} has no signed text: run `knowledge check`")
    if not holds(entry, entry.review):
        raise UnsignedTextError(f"{key} changed after it was signed: run `knowledge check`")
    return entry


def _texts(entry: Entry) -> tuple[str, ...]:
    if isinstance(entry, Fact):
        return (entry.answer, entry.detail) if entry.detail else (entry.answer,)
    if isinstance(entry, KnownError):
        return (entry.correction,)
    return (entry.text,)


def _help(decision: Decision, vetted: Vetted, country: str) -> list[Piece]:
    """Return the help lines that belong below the reply, those of the international entry where a country has none."""
    opening = decision.ids[0].partition(":")[2] if decision.ids else ""
    if decision.care:
        kinds = _HELP_KINDS["care"]
    elif decision.kind == "crisis" or opening.startswith("language-"):
        kinds = _HELP_KINDS.get(opening, _ANY_CRISIS)
    else:
        kinds = _HELP_KINDS.get(opening, ())
    lines = vetted.countries.get(country, vetted.countries.get("international"))
    return [Piece(f"help:{line.id}", line.text) for line in (lines.lines if lines else ()) if line.kind in kinds]


def _note(key: str, citation: Citation, vetted: Vetted) -> SourceNote:
    source = vetted.sources.get(citation.id)
    if source is None:
        raise UnsignedTextError(f"{key} cites {citation.id}, which sources.yaml lacks: run `knowledge check`")
    url = source.URL or (f"https://doi.org/{source.DOI}" if source.DOI else "")
    return SourceNote(
        for_id=key,
        source_id=source.id,
        title=source.title,
        author=source.author or "",
        container=source.container or "",
        issued=str(source.issued or ""),
        url=url or (f"https://pubmed.ncbi.nlm.nih.gov/{source.PMID}/" if source.PMID else ""),
        locator=citation.locator,
        supports=citation.supports,
    )
