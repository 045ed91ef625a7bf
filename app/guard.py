"""Anything at all → clean text, or the reason why it is not a question."""

from dataclasses import dataclass
from typing import Literal

from knowledge.text import clean, tokens

# Bytes far beyond the limit are cut before cleaning, so that a message of megabytes costs no more than a long one.
_CUT_FACTOR = 4


@dataclass(frozen=True)
class Refused:
    """Why a message is not taken: the label selects the notice."""

    label: Literal["not-text", "empty", "too-long"]


def guard(message: object, max_chars: int) -> str | Refused:
    """Return `message` cleaned (see `knowledge.text.clean`), or why it is refused.

    Letters in emoji and punctuation only are "empty": there is nothing to look up.
    """
    if not isinstance(message, str):
        return Refused("not-text")
    if len(message) > max_chars * _CUT_FACTOR:
        return Refused("too-long")
    text = clean(message)
    if len(text) > max_chars or len(message.strip()) > max_chars:
        return Refused("too-long")
    if not tokens(text):
        return Refused("empty")
    return text
