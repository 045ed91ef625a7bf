"""What a copy serves × what was signed → every difference. The copy's own word for anything is not taken."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from knowledge.schema import Fact, HelpLine, KnownError, Notice, Reviewed
from knowledge.signing import Vetted, holds

_MODELS: dict[str, type[Fact | KnownError | Notice | HelpLine]] = {
    "fact": Fact,
    "error": KnownError,
    "notice": Notice,
    "help": HelpLine,
}


def signed_entries(vetted: Vetted) -> dict[str, Reviewed]:
    """Return everything that may be shown: "fact:<id>" … → entry."""
    groups: tuple[tuple[str, Mapping[str, Reviewed]], ...] = (
        ("fact", vetted.facts),
        ("error", vetted.known_errors),
        ("notice", vetted.notices),
        ("help", vetted.help_lines),
    )
    return {f"{kind}:{name}": entry for kind, group in groups for name, entry in group.items()}


def differences(vetted: Vetted, served: Any) -> tuple[str, ...]:
    """Return what keeps a copy from serving exactly the signed texts, one line each; empty if it does.

    Args:
        vetted: what may be shown of the base at hand.
        served: what `GET /api/knowledge` answered: {"knowledge_digest", "entries": [{"id", "content"}, …]}, where
            `content` is everything the entry says, sign-offs included.

    """
    try:
        copy = {row["id"]: row["content"] for row in served["entries"]}
        claimed, rows = served["knowledge_digest"], len(served["entries"])
    except (TypeError, KeyError):
        return ("the answer has not the form of /api/knowledge",)
    signed = signed_entries(vetted)
    found = [f"{key}: signed here, not served" for key in signed if key not in copy]
    found += [f"{key}: served, not signed here" for key in copy if key not in signed]
    found += ["an id is served twice"] if len(copy) < rows else []
    for key, entry in signed.items():
        if key in copy and (reason := _difference(key, entry, copy[key])):
            found.append(f"{key}: {reason}")
    if claimed != vetted.digest:
        found.append(f"the copy names the knowledge digest {str(claimed)[:16]}, it is {vetted.digest[:16]}")
    return tuple(found)


def _difference(key: str, entry: Reviewed, content: Any) -> str:
    """Return how served content differs from the signed entry, "" if it does not."""
    try:
        copy = _MODELS[key.partition(":")[0]].model_validate(content)
    except ValidationError:
        return "what is served is no such entry"
    if not holds(copy, copy.review):
        return "the words served do not match their sign-off"
    fields = [name for name in type(entry).model_fields if getattr(copy, name) != getattr(entry, name)]
    return f"served with another {', '.join(fields)}" if fields else ""
