"""Case files → cases: what a stranger asks, and what would be right. Every fault is reported with file and line."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.models import Kind
from knowledge.errors import BrokenFileError, GuideError
from knowledge.strict_yaml import read_yaml

HOME = Path(__file__).with_name("cases")
Split = Literal["dev", "test"]


class CaseError(GuideError):
    """The case files cannot be used; the message lists every fault with file and line."""


class Expected(BaseModel):
    """One visitor turn and what would be right.

    Attributes:
        ask: what the visitor types.
        kinds: kinds of reply that are right.
        facts: ids of facts any of which is right; empty if none is asked for.
        errors: ids of known errors any of which is right; a case with facts and errors accepts either.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    facts: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class Case(BaseModel):
    """One conversation of one or more turns; the family is the name of its file up to a hyphen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    family: str
    split: Split
    turns: Annotated[tuple[Expected, ...], Field(min_length=1)]
    tags: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_turn(cls, data: Any) -> Any:
        """A case of one turn is written flat: `{id, ask, kinds, …}`."""
        if isinstance(data, dict) and "ask" in data and "turns" not in data:
            turn = {key: data[key] for key in ("ask", "kinds", "facts", "errors") if key in data}
            rest = {key: value for key, value in data.items() if key not in turn}
            return {**rest, "turns": [turn]}
        return data

    @property
    def last(self) -> Expected:
        """The turn that is judged in families of single questions."""
        return self.turns[-1]


def held_back(case: Case) -> bool:
    """Return whether a development case is kept for the thresholds, and so unseen by what they are thresholds of."""
    return hashlib.sha256(case.id.encode()).digest()[0] < 64  # one in four


def load_cases(split: Split, home: Path = HOME) -> tuple[Case, ...]:
    """Read every case of a split, in file order.

    Raises:
        CaseError: a file is not YAML, a case has unknown or missing keys, an id stands twice, or there is no case.

    """
    faults: list[str] = []
    cases: dict[str, Case] = {}
    for file in sorted((home / split).glob("*.yaml")):
        for line, data in _entries(file, faults):
            try:
                case = Case.model_validate({**data, "family": file.stem.partition("-")[0], "split": split})
            except (ValidationError, TypeError) as error:
                faults.append(f"{file}:{line}: {_first_line(error)}")
                continue
            if case.id in cases:
                faults.append(f"{file}:{line}: the id {case.id} is taken")
            cases[case.id] = case
    if faults:
        raise CaseError("\n".join(faults))
    if not cases:
        raise CaseError(f"no case in {home / split}: add a YAML file, see evals/README.md")
    return tuple(cases.values())


def _entries(file: Path, faults: list[str]) -> Iterator[tuple[int, Any]]:
    try:
        value, lines = read_yaml(file)
    except BrokenFileError as error:
        faults.append(f"{file}:{error.line}: {error}: {error.mend}")
        return
    if not isinstance(value, list):
        faults.append(f"{file}:1: expected a list of cases")
        return
    yield from ((lines[str(i)], entry) for i, entry in enumerate(value))


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return " ".join(str(error).split())[:200]
