"""Small stand-ins: a signed base of four entries, an encoder that hashes words, a calibration made by hand."""

from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import yaml

from app.bot import Bot, Engine
from app.calibration import Calibration, Linear, Thresholds
from app.decision import Decider
from app.opinions import Opinions
from app.retrieval import Retrieval
from app.settings import Settings
from knowledge.encoder import DIM, Encoder
from knowledge.index import open_index
from knowledge.schema import Country, Fact, HelpLine, KnownError, Notice, PhraseBook, Reviewed
from knowledge.signing import Vetted, needs_second_review, sign, vet
from knowledge.store import load
from knowledge.text import normal, tokens

TODAY = date(2026, 11, 21)
DUE = date(2099, 1, 1)  # commands read the real clock; this base must not grow old under it

_CITED = [{"id": "atlas-2020", "locator": "chapter 2", "supports": "the whole answer"}]

LSD: dict[str, Any] = {
    "id": "lsd-turns-receptors-on",
    "topic": "psychedelics",
    "question": "How does LSD act on serotonin?",
    "answer": "LSD turns on serotonin receptors in the brain. It does not block them.",
    "detail": "This is why a blocker of the same receptor takes the trip away in studies.",
    "asks": [
        "how does lsd act on serotonin",
        "what does acid do to serotonin",
        "does lsd turn serotonin receptors on or off",
        "lsd and the brain",
        "how does lsd work",
        "lsd mechanism in simple words",
        "why does acid cause a trip",
        "which receptor does lsd use",
        "is lsd a serotonin copy",
        "lsd effect on brain messengers",
    ],
    "entities": ["lsd", "serotonin"],
    "needs": [["lsd"]],
    "corrects": ["lsd-blocks-serotonin"],
    "risk": "low",
    "related": ["cocaine-blocks-reuptake"],
    "sources": _CITED,
    "author": "editor",
}
COCAINE: dict[str, Any] = {
    "id": "cocaine-blocks-reuptake",
    "topic": "cocaine",
    "question": "How does cocaine act on dopamine?",
    "answer": "Cocaine stops brain cells from taking dopamine back up. So more of it stays between the cells.",
    "asks": [
        "how does cocaine act on dopamine",
        "what does coke do to dopamine",
        "does cocaine make more dopamine",
        "cocaine and the brain",
        "how does cocaine work",
        "cocaine mechanism in simple words",
        "why does cocaine feel good",
        "cocaine reuptake",
        "does cocaine raise dopamine",
        "my son uses cocaine what happens in his brain",
    ],
    "entities": ["cocaine", "dopamine"],
    "needs": [["cocaine"]],
    "risk": "low",
    "related": ["lsd-turns-receptors-on"],
    "sources": _CITED,
    "author": "editor",
}
NALOXONE: dict[str, Any] = {
    "id": "naloxone-reverses-overdose",
    "topic": "overdose",
    "question": "What does naloxone do?",
    "answer": "Naloxone can reverse an opioid overdose for a short time. Emergency help is needed all the same.",
    "asks": [
        "what does naloxone do",
        "what is narcan",
        "how does naloxone work",
        "does narcan reverse an overdose",
        "naloxone spray what is it for",
        "how long does narcan last",
        "is naloxone a medicine",
        "why carry narcan",
        "naloxone explained",
        "narcan for opioids",
    ],
    "entities": ["naloxone"],
    "needs": [["naloxone"]],
    "risk": "high",
    "sources": _CITED,
    "author": "editor",
}
LSD_ERROR: dict[str, Any] = {
    "id": "lsd-blocks-serotonin",
    "topic": "psychedelics",
    "claim": "LSD is a serotonin antagonist",
    "why_wrong": "Studies in people show that LSD turns the receptor on, which is the opposite.",
    "correction": "LSD turns serotonin receptors on. Early tests outside the brain led to the mix-up.",
    "facts": ["lsd-turns-receptors-on"],
    "entities": ["lsd", "serotonin"],
    "needs": [["lsd"]],
    "asks": [
        "is lsd a serotonin antagonist",
        "why does lsd block serotonin",
        "lsd blocks serotonin receptors right",
        "acid is a serotonin blocker",
        "does lsd switch serotonin off",
        "how come lsd blocks serotonin",
        "is acid an antagonist",
        "lsd antagonist serotonin",
        "i read that lsd blocks serotonin",
        "lsd stops serotonin from working",
        "since lsd blocks serotonin what follows",
        "does acid shut serotonin down",
    ],
    "assertions": [
        "LSD blocks serotonin receptors.",
        "LSD is a blocker of serotonin.",
        "LSD acts as a serotonin antagonist.",
        "Acid switches serotonin receptors off.",
        "LSD works by blocking serotonin.",
        "LSD shuts serotonin receptors down.",
    ],
    "lookalikes": [
        "LSD turns serotonin receptors on.",
        "LSD is a serotonin agonist.",
        "Ketanserin blocks serotonin receptors.",
        "Some medicines block serotonin receptors.",
        "LSD does not block serotonin receptors.",
        "LSD acts on serotonin receptors.",
    ],
    "harm": "low",
    "sources": _CITED,
    "author": "editor",
}
NOTICES = {
    "trouble": "Something on our side is not working. Please try again later.",
    "slow-down": "You have sent many messages in a short time. Please wait a minute.",
    "busy": "Many people are using this guide right now. Please try again in a minute.",
    "care": "This sounds like a hard time. You can reach the help lines below.",
    "crisis-general": "This could be an emergency. Call your local emergency number now.",
    "crisis-suicide": "I am sorry that things hurt this much. Call a crisis line now.",
    "crisis-overdose": "This could be an overdose. Call your local emergency number now.",
    "refer-dose": "I cannot say how much of anything is right for you. A pharmacist can.",
    "refer-personal": "I cannot make this decision for you. A doctor can look at it with you.",
    "small-talk-hello": "Hello. You can ask me about serotonin and dopamine.",
    "out-of-scope": "I have no checked answer to that question.",
    "out-of-scope-near": "I have no checked answer to that. These questions are close to it.",
    "out-of-scope-injection": "I can show checked text, and nothing else than that.",
    "clarify": "Which one of these questions do you mean?",
    "clarify-follow-up": "I am not sure what you mean. Please name the thing.",
    "no-more": "There is no more checked text on this point.",
    "sources-below": "The sources of that answer are listed below.",
    "partly-covered": "I have no checked answer to a part of your message.",
    "standing-by-correction": "Here is the checked text once more, with its sources.",
    "invalid-empty": "I could not find any words in that message.",
    "invalid-too-long": "That message is too long for me to read.",
    "invalid-not-text": "I can read typed text, and nothing else than that.",
    "language-other": "I can answer questions in English. Help lines are below.",
    "language-es": "Respondo preguntas en inglés. Las líneas de ayuda están abajo.",
    "not-clinician-reviewed": "This text was checked against its sources, not yet by a clinician.",
}
COUNTRIES: dict[str, Any] = {
    "us": {"name": "United States", "lines": {"emergency": ("us-911", "tel:911"), "crisis": ("us-988", "tel:988")}},
    "international": {
        "name": "Another country",
        "lines": {"emergency": ("int-112", "tel:112"), "crisis": ("int-finder", "https://findahelpline.com/")},
    },
}
PHRASES: dict[str, Any] = {
    "crisis": {
        "sets": {"person": ["i", "he", "she"]},
        "unless": {"stories": ["in the movie"]},
        "gates": {
            "crisis": [
                {"label": "suicide", "always": ["want to die", "kill myself"]},
                {"label": "overdose", "phrases": ["{person} ~ (not breathing|overdosed)", "wont wake up"]},
            ],
            "calm": [{"label": "calm", "phrases": ["(im|we are|all) fine now"]}],
            "still": [{"label": "still", "phrases": ["still not breathing"]}],
            "care": [{"label": "care", "phrases": ["so lonely"]}],
        },
    },
    "refer": {
        "sets": {},
        "gates": {
            "refer": [
                {"label": "dose", "phrases": ["how much ~ should i take"]},
                {"label": "personal", "phrases": ["^should i"]},
            ]
        },
    },
    "talk": {
        "sets": {},
        "gates": {
            "injection": [{"label": "injection", "phrases": ["ignore ~ instructions"]}],
            "small-talk": [{"label": "hello", "phrases": ["^(hi|hello)$"]}],
        },
    },
}
ENTITIES: list[dict[str, Any]] = [
    {"id": "serotonin", "name": "serotonin", "kind": "messenger", "aliases": ["5-ht"], "misspellings": ["seratonin"]},
    {"id": "dopamine", "name": "dopamine", "kind": "messenger"},
    {"id": "lsd", "name": "lsd", "kind": "drug", "aliases": ["acid"], "ambiguous": {"acid": {"not": ["stomach"]}}},
    {
        "id": "cocaine",
        "name": "cocaine",
        "kind": "drug",
        "aliases": ["coke"],
        "ambiguous": {"coke": {"not": ["diet"]}},
    },
    {"id": "naloxone", "name": "naloxone", "kind": "medicine", "aliases": ["narcan"], "broader": ["opioid-medicine"]},
    {"id": "opioid-medicine", "name": "opioid medicine", "kind": "substance-class"},
]
SOURCES = [{"id": "atlas-2020", "type": "book", "title": "An Atlas of Messengers", "issued": 2020}]


class _OneLine(dict[str, Any]):
    """A mapping that is written on one line, as `knowledge sign` writes a sign-off."""


class _Dumper(yaml.SafeDumper):
    """YAML as editors have it: blocks, and sign-offs on one line."""


_Dumper.add_representer(
    _OneLine, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)


def signed(model: type[Reviewed], content: dict[str, Any], due: date = DUE) -> dict[str, Any]:
    """Return `content` with every sign-off that it needs, by two roles where the risk is high."""
    entry = model.model_validate(content)
    review, second = (
        _OneLine(sign(entry, role, "source-checked", TODAY, due).model_dump(mode="json"))
        for role in ("source-check", "safety-check")
    )
    return content | {"review": review} | ({"second_review": second} if needs_second_review(entry) else {})


def write(file: Path, value: Any) -> Path:
    """Write `value` as YAML, making folders as needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    file.write_text(text, encoding="utf-8")
    return file


def write_fact(home: Path, content: dict[str, Any]) -> Path:
    """Write one fact as it is given, signed or not."""
    return write(home / "facts" / content["topic"] / f"{content['id']}.yaml", content)


def fact_file(home: Path, content: dict[str, Any] = LSD) -> Path:
    """Return where a fact of the tiny base stands."""
    return home / "facts" / content["topic"] / f"{content['id']}.yaml"


def write_base(home: Path) -> Path:
    """Write the tiny base, all of it signed, and return its folder."""
    for fact in (LSD, COCAINE, NALOXONE):
        write_fact(home, signed(Fact, deepcopy(fact)))
    write(home / "known_errors" / f"{LSD_ERROR['id']}.yaml", signed(KnownError, deepcopy(LSD_ERROR)))
    notices = [{"id": k, "lang": "es" if k == "language-es" else "en", "text": t} for k, t in NOTICES.items()]
    write(home / "notices.yaml", [signed(Notice, notice) for notice in notices])
    for code, country in COUNTRIES.items():
        lines = [signed(HelpLine, _help_line(kind, *line)) for kind, line in country["lines"].items()]
        Country.model_validate(value := {"code": code, "name": country["name"], "lines": lines})
        write(home / "help" / f"{code}.yaml", value)
    for name, book in PHRASES.items():
        write(home / "phrases" / f"{name}.yaml", signed(PhraseBook, {"id": name, **deepcopy(book)}))
    write(home / "sources.yaml", SOURCES)
    write(home / "lexicon.yaml", ENTITIES)
    return home


def _help_line(kind: str, name: str, href: str) -> dict[str, Any]:
    text = f"This is the {kind} line {name}: {href.partition(':')[2].strip('/')}"
    return {"id": name, "kind": kind, "text": text, "href": href, "hours": "day and night", "sources": deepcopy(_CITED)}


def vetted_of(home: Path, today: date = TODAY) -> Vetted:
    """Return what may be shown of the base under `home`."""
    return vet(load(home)[0], today)


class HashEncoder(Encoder):
    """Bag of words, each word hashed to one of 384 columns; rows of length 1. Shared words mean a high cosine."""

    fingerprint = "hash:384"

    def encode(self, texts: list[str]) -> np.ndarray:
        """See `Encoder.encode`."""
        rows = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in tokens(normal(text)) or ("",):
                row[crc32(word.encode()) % DIM] += 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def tiny_calibration() -> Calibration:
    """Answer at a cosine of about .7; the learned opinion hears a crisis in "hopeless" and a decision in "decide"."""
    opinions = Opinions(
        labels=("crisis", "refer", "scope"),
        vector_weights=((0.0,) * DIM,) * 3,
        terms={"hopeless": 1.0, "decide": 1.0},
        term_weights=((12.0, 0.0), (0.0, 12.0), (0.0, 0.0)),
        bias=(-6.0, -6.0, 0.0),
    )
    return Calibration(
        encoder=HashEncoder.fingerprint,
        data_digest="",
        ranking=Linear(weights={"dense": 1.0, "lexical": 1.0}, bias=0.0),
        answers=Linear(weights={"dense": 20.0, "other_named": -20.0}, bias=-14.0),
        opinions=opinions,
        thresholds=Thresholds(
            answer=0.5, clarify=0.1, offer=0.01, gap=0.2, crisis=0.5, care=0.3, refer=0.5, refer_phrase=0.0
        ),
        metrics={},
    )


def engine_of(vetted: Vetted, index_dir: Path, encoder: Encoder | None = None) -> Engine:
    """Return an engine on the fake encoder and calibration."""
    encoder, calibration = encoder or HashEncoder(), tiny_calibration()
    index = open_index(vetted, encoder, index_dir)
    return Engine(Retrieval(vetted, index, encoder, calibration), calibration.opinions, Decider(vetted, calibration))


def bot_of(home: Path, index_dir: Path, today: date = TODAY) -> Bot:
    """Return a bot on the base under `home`, with the fake encoder and calibration."""
    vetted = vetted_of(home, today)
    return Bot(Settings(knowledge_dir=home, index_dir=index_dir), vetted, engine_of(vetted, index_dir))


def texts_on_file(home: Path) -> dict[str, tuple[str, ...]]:
    """Return id → the texts that entry may show, read with nothing but a YAML loader."""

    def read(file: Path) -> Any:
        return yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)

    found: dict[str, tuple[str, ...]] = {}
    for file in home.glob("facts/*/*.yaml"):
        fact = read(file)
        found[f"fact:{fact['id']}"] = tuple(fact[k] for k in ("answer", "detail") if fact.get(k))
    for file in home.glob("known_errors/*.yaml"):
        found[f"error:{file.stem}"] = (read(file)["correction"],)
    found |= {f"notice:{n['id']}": (n["text"],) for n in read(home / "notices.yaml")}
    return found | {
        f"help:{line['id']}": (line["text"],) for file in home.glob("help/*.yaml") for line in read(file)["lines"]
    }
