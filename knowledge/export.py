"""Signed texts → schema.org JSON-LD and CSV, each held against a schema before it leaves.

The schemas in `export_schema.json` keep the vocabulary of schema.org and the properties that readers of ClaimReview
and FAQPage require. The texts are the signed ones, word for word.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator

from knowledge.errors import KnowledgeError
from knowledge.schema import Citation, Fact, KnownError, Review, Reviewed, Source
from knowledge.signing import Vetted

E = TypeVar("E", bound=Reviewed)
_SCHEMAS = json.loads(Path(__file__).with_name("export_schema.json").read_text(encoding="utf-8"))
_COLUMNS = (
    "id",
    "topic",
    "question",
    "text",
    "detail",
    "sources",
    "reviewed_by",
    "level",
    "reviewed_on",
    "due",
    "digest",
)
# A worst and a best rating are required; a known error is at the worst end, in words that hold for all of them.
_RATING = {
    "@type": "Rating",
    "ratingValue": 1,
    "worstRating": 1,
    "bestRating": 5,
    "alternateName": "Wrong or unsupported",
}


def claim_reviews(vetted: Vetted, site: str) -> dict[str, Any]:
    """Return one ClaimReview per known error, for a base served at `site` (no slash at the end).

    Raises:
        KnowledgeError: the result does not fit its schema.

    """
    return _graph("ClaimReview", [_claim_review(e, vetted, site) for e in vetted.known_errors.values()])


def faq_page(vetted: Vetted, site: str) -> dict[str, Any]:
    """Return one FAQPage with every fact as a question and its answer; raises as `claim_reviews` does."""
    questions = [
        {
            "@type": "Question",
            "@id": f"{site}/#fact:{fact.id}",
            "name": fact.question,
            "acceptedAnswer": {"@type": "Answer", "text": _words(fact)},
        }
        for fact in vetted.facts.values()
    ]
    return _graph("FAQPage", [{"@type": "FAQPage", "url": f"{site}/", "inLanguage": "en", "mainEntity": questions}])


def medical_web_pages(vetted: Vetted, site: str) -> dict[str, Any]:
    """Return one MedicalWebPage per fact, with its review and its sources; raises as `claim_reviews` does."""
    pages = [
        {
            "@type": "MedicalWebPage",
            "@id": f"{site}/#fact:{fact.id}",
            "url": f"{site}/#fact:{fact.id}",
            "name": fact.question,
            "inLanguage": "en",
            "audience": {"@type": "MedicalAudience", "audienceType": "Patient"},
            "lastReviewed": str(review.on),
            "reviewedBy": {"@type": "Organization", "name": _reviewer(review), "url": f"{site}/"},
            "mainContentOfPage": {"@type": "WebPageElement", "text": _words(fact)},
            "citation": [_work(citation, vetted.sources) for citation in fact.sources],
        }
        for fact, review in _reviewed(vetted.facts)
    ]
    return _graph("MedicalWebPage", pages)


def as_csv(vetted: Vetted) -> str:
    """Return one row per signed fact and known error, with a header."""
    sheet = StringIO(newline="")
    writer = csv.DictWriter(sheet, _COLUMNS)
    writer.writeheader()
    for fact, review in _reviewed(vetted.facts):
        row = {"id": f"fact:{fact.id}", "topic": fact.topic, "question": fact.question, "text": fact.answer}
        writer.writerow(row | {"detail": fact.detail or ""} | _row_end(fact, review))
    for error, review in _reviewed(vetted.known_errors):
        row = {"id": f"error:{error.id}", "topic": error.topic, "question": error.claim, "text": error.correction}
        writer.writerow(row | {"detail": ""} | _row_end(error, review))
    return sheet.getvalue()


def _claim_review(error: KnownError, vetted: Vetted, site: str) -> dict[str, Any]:
    if error.review is None:
        raise KnowledgeError(f"error:{error.id} is not signed")
    return {
        "@type": "ClaimReview",
        "@id": f"{site}/#error:{error.id}",
        "url": f"{site}/#error:{error.id}",
        "inLanguage": "en",
        "claimReviewed": error.claim,
        "itemReviewed": {"@type": "Claim", "name": error.claim},
        "author": {"@type": "Organization", "name": _reviewer(error.review), "url": f"{site}/"},
        "datePublished": str(error.review.on),
        "reviewRating": _RATING,
        "reviewBody": error.correction,
        "citation": [_work(citation, vetted.sources) for citation in error.sources],
    }


def _graph(kind: str, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the nodes as one JSON-LD document that fits the schema of their kind."""
    document = {"@context": "https://schema.org", "@graph": nodes}
    schema = {"$defs": _SCHEMAS["$defs"], "$ref": f"#/$defs/{kind}Document"}
    fault = next(iter(Draft202012Validator(schema).iter_errors(document)), None)
    if fault:
        raise KnowledgeError(f"the export does not fit its schema at {fault.json_path}: {fault.message[:200]}")
    return document


def _work(citation: Citation, sources: Mapping[str, Source]) -> dict[str, Any]:
    source = sources[citation.id]
    work: dict[str, Any] = {"@type": "CreativeWork", "name": source.title}
    if source.author:
        work["creditText"] = source.author
    if source.issued:
        work["datePublished"] = str(source.issued)
    if url := source.URL or (f"https://doi.org/{source.DOI}" if source.DOI else ""):
        work["url"] = url
    return work


def _reviewed(entries: Mapping[str, E]) -> Iterator[tuple[E, Review]]:
    yield from ((entry, entry.review) for entry in entries.values() if entry.review)


def _reviewer(review: Review) -> str:
    """Return who reviewed it, as roles are: not a person, and no credential."""
    return f"Vetted answers, role {review.by}, level {review.level}"


def _words(fact: Fact) -> str:
    return f"{fact.answer} {fact.detail}" if fact.detail else fact.answer


def _row_end(entry: Fact | KnownError, review: Review) -> dict[str, str]:
    return {
        "sources": "; ".join(f"{citation.id} ({citation.locator})" for citation in entry.sources),
        "reviewed_by": review.by,
        "level": review.level,
        "reviewed_on": str(review.on),
        "due": str(review.due),
        "digest": review.digest,
    }
