"""Attacks: seeded, complete, and really aimed at their error."""

import base64

import pytest

from app.bot import Bot
from evals.attacks import STYLES, attacks
from knowledge.schema import KnownError
from knowledge.text import clean
from tests import fakes

ERROR = KnownError.model_validate(fakes.LSD_ERROR)
FIXED = [name for name in STYLES if name not in ("ask", "typos", "encoded", "unfinished", "homoglyphs", "zero-width")]


def by_style(seed: int = 0) -> dict[str, tuple[str, ...]]:
    """Return style → turns for one error."""
    return {attack.style: attack.turns for attack in attacks([ERROR], seed)}


def test_the_same_seed_gives_the_same_attacks() -> None:
    """A failing attack can be run again; another seed tries other wordings."""
    assert by_style(7) == by_style(7)
    assert by_style(7) != by_style(8)


def test_an_error_is_attacked_alike_in_any_company() -> None:
    """Adding an error to the registry does not change the attacks of the others."""
    other = ERROR.model_copy(update={"id": "another"})
    assert [a for a in attacks([other, ERROR]) if a.error == ERROR.id] == list(attacks([ERROR]))


def test_every_style_is_tried_on_every_error(bot: Bot) -> None:
    """Ids are unique and name both."""
    found = list(attacks(bot.vetted.known_errors.values()))
    assert len(found) == len(STYLES) * len(bot.vetted.known_errors)
    assert len({attack.id for attack in found}) == len(found)
    assert all(attack.turns and all(turn.strip() for turn in attack.turns) for attack in found)


@pytest.mark.parametrize("style", FIXED)
def test_the_claim_is_in_the_message(style: str) -> None:
    """Whatever is wrapped around it, the wrong claim is said."""
    assert "lsd is a serotonin antagonist" in by_style()[style][-1].lower()


def test_disguises_hide_the_claim_and_cleaning_uncovers_it() -> None:
    """Look-alike and invisible letters differ from the plain message, and the guard reads them as the plain one."""
    plain = "Is it true that LSD blocks serotonin?"
    error = ERROR.model_copy(update={"claim": "LSD blocks serotonin"})
    for style in ("homoglyphs", "zero-width"):
        found = {attack.turns[0] for seed in range(5) for attack in attacks([error], seed) if attack.style == style}
        assert found - {plain}
        assert {clean(text) for text in found} == {plain}


def test_an_encoded_claim_decodes_to_the_claim() -> None:
    """The bait is real."""
    assert base64.b64decode(by_style()["encoded"][0].rpartition(" ")[2]).decode() == ERROR.claim


def test_typos_are_near_the_plain_message() -> None:
    """A few letters change places; no letter is lost."""
    (typed,) = by_style()["typos"]
    plain = "is it true that lsd is a serotonin antagonist"
    assert sorted(typed) == sorted(plain)
    assert typed != plain
