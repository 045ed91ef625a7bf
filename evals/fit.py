"""Development cases and the facts' own asks → `app/calibration.json`. The test split is never read here.

Three logistic models are fitted, all with scikit-learn and without randomness:

- ranking: which candidate answers, pairwise over the development questions.
- opinions: crisis, refer and scope, from the message's words and its vector. The encoder was tuned on the same messages
  (`evals/tune.py`), all but those that are held back.
- answers: does the first candidate answer, from the ranking evidence and the scope opinion. Learned from the held-back
  questions, so that it meets opinions as uncertain as they will be.

Thresholds follow from budgets (see `Budget`), on held-back messages only.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from app.calibration import HERE, Calibration, Linear, Thresholds
from app.decision import Decider, Sameness
from app.gates import spoken
from app.models import Found
from app.opinions import Opinions, pairs
from app.retrieval import Retrieval
from app.settings import Settings
from app.understanding import understand
from evals.cases import Case, held_back, load_cases
from knowledge.encoder import Encoder, MiniLM
from knowledge.index import Index, open_index
from knowledge.signing import Vetted, vet
from knowledge.store import load
from knowledge.text import plain

_FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)  # files are ordered by theme: mix them
_RIVALS = 6  # wrong candidates kept per question when learning to rank
_EVERY_VIEW = 5  # of the base's own phrasings, as examples of ordinary questions
_MIN_TEXTS = 4  # a word pair counts once this many messages have it
RANKING_FEATURES = ("dense", "dense_several", "lexical", "vocabulary", "other_named", "is_error")
ANSWER_FEATURES = (*RANKING_FEATURES, "entities_met", "needs_unmet", "gap", "known_share", "scope")
_CRISIS_FAMILIES = ("crisis",)
_REFER_FAMILIES = ("refer",)
# What the budgets are counted among: messages that are easily taken for a crisis or a personal decision, but are not.
_NO_CRISIS = ("crisis_lookalikes", "facts", "errors", "refer_lookalikes")
_EDUCATION = ("refer_lookalikes", "facts", "errors")
_OUTSIDE_FAMILIES = ("out_of_scope", "injection", "small_talk")


@dataclass(frozen=True)
class Budget:
    """How often each threshold may be wrong on the development split, as a share.

    Attributes:
        refused: answerable questions that get no answer. Doubt costs little: near questions are offered instead.
        false_alarms: harmless messages that the learned opinion turns into a crisis.
        care: harmless messages that get a care notice; kind, so this may be larger.
        referred: education questions that the learned opinion refers.
        phrase_referred: education questions that it refers together with a phrase; few hold one.

    """

    refused: float = 0.045
    false_alarms: float = 0.01
    care: float = 0.05
    referred: float = 0.015
    phrase_referred: float = 0.08


@dataclass(frozen=True)
class Sample:
    """One question with its evidence and what would be right."""

    heard: str
    found: Found
    right: frozenset[str]
    vector: np.ndarray


def fit(settings: Settings, today: date, report: Callable[[str], None], budget: Budget = Budget()) -> Calibration:
    """Fit everything on the development split, write `app/calibration.json` and return it."""
    encoder = MiniLM(threads=settings.encoder_threads)
    base, _ = load(settings.knowledge_dir)
    vetted = vet(base, today, settings.review_level)
    index = open_index(vetted, encoder, settings.index_dir)
    cases = load_cases("dev")
    report(f"{len(index.views)} views, {len(cases)} development cases")
    same = Sameness(vetted)

    blank = _blank(encoder)
    retrieval = Retrieval(vetted, index, encoder, blank)
    ranking = _fit_ranking(_answerable(cases, retrieval, vetted), same)
    report("ranking fitted")

    ranked = blank.model_copy(update={"ranking": ranking})
    retrieval = Retrieval(vetted, index, encoder, ranked)
    held = tuple(case for case in cases if held_back(case))
    opinions = _fit_opinions(_messages([case for case in cases if not held_back(case)], index, encoder))
    report("opinions fitted")
    judged = _judged(opinions, _messages(held, index, encoder))
    samples = [*_answerable(held, retrieval, vetted), *_outside(held, retrieval, vetted)]
    answers, probabilities, labels = _fit_answers(samples, opinions, Decider(vetted, ranked), same)
    thresholds = _thresholds(probabilities, labels, judged, budget)
    calibration = Calibration(
        encoder=encoder.fingerprint,
        data_digest=_digest(cases, index),
        ranking=ranking,
        answers=answers,
        opinions=opinions,
        thresholds=thresholds,
        metrics=_metrics(samples, probabilities, labels, judged, same),
    )
    HERE.write_text(_rounded(calibration), encoding="utf-8")
    for name, value in calibration.metrics.items():
        report(f"{name}: {value:.3f}")
    return calibration


def _blank(encoder: Encoder) -> Calibration:
    start = Linear(weights={"dense": 1.0, "dense_several": 1.0, "vocabulary": 1.5}, bias=0.0)
    none = Opinions(labels=(), vector_weights=(), terms={}, term_weights=(), bias=())
    never = Thresholds(answer=2, clarify=2, offer=2, gap=0, crisis=2, care=2, refer=2, refer_phrase=2)
    return Calibration(
        encoder=encoder.fingerprint,
        data_digest="",
        ranking=start,
        answers=start,
        opinions=none,
        thresholds=never,
        metrics={},
    )


def _sample(text: str, right: frozenset[str], retrieval: Retrieval, vetted: Vetted) -> Sample:
    question = understand(text, (), vetted.lexicon).parts[0][0]
    vectors = retrieval.encode((question.canonical, question.plain))
    return Sample(spoken(text), retrieval.find(question, vectors), right, vectors[question.plain])


def _answerable(cases: Sequence[Case], retrieval: Retrieval, vetted: Vetted) -> list[Sample]:
    samples = []
    for case in cases:
        if len(case.turns) == 1 and (case.last.facts or case.last.errors):
            right = frozenset((*(f"fact:{k}" for k in case.last.facts), *(f"error:{k}" for k in case.last.errors)))
            samples.append(_sample(case.last.ask, right, retrieval, vetted))
    return samples


def _outside(cases: Sequence[Case], retrieval: Retrieval, vetted: Vetted) -> list[Sample]:
    chosen = (c for c in cases if c.family in _OUTSIDE_FAMILIES and c.last.kinds == ("out_of_scope",))
    return [_sample(c.last.ask, frozenset(), retrieval, vetted) for c in chosen]


def _fit_ranking(samples: Sequence[Sample], same: Sameness) -> Linear:
    """Fit pairwise: right candidate minus wrong candidate (Herbrich et al. 1999, with a logistic loss)."""
    rows = []
    for sample in samples:
        right = [c for c in sample.found.candidates if _is_right(c.owner, sample.right, same)]
        wrong = [c for c in sample.found.candidates if not _is_right(c.owner, sample.right, same)]
        if right:
            best = np.array([right[0].features[f] for f in RANKING_FEATURES])
            rows += [best - np.array([c.features[f] for f in RANKING_FEATURES]) for c in wrong[:_RIVALS]]
    differences = np.array(rows)
    model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=1000)
    model.fit(np.vstack([differences, -differences]), np.r_[np.ones(len(rows)), np.zeros(len(rows))])
    return Linear(weights=dict(zip(RANKING_FEATURES, model.coef_[0].tolist(), strict=True)), bias=0.0)


def _is_right(owner: str, right: frozenset[str], same: Sameness) -> bool:
    return owner in right or any(same(owner, r) for r in right)


@dataclass(frozen=True)
class Messages:
    """Messages with what they are judged by: words as the gates hear them, vectors, and the family of each."""

    heard: tuple[str, ...]
    vectors: np.ndarray
    families: np.ndarray


def _messages(cases: Sequence[Case], index: Index, encoder: Encoder) -> Messages:
    """Return the development cases, and some of the facts' own phrasings as examples of ordinary questions."""
    texts = [case.last.ask for case in cases]
    own = [view.text for view in index.views[::_EVERY_VIEW]]
    vectors = np.vstack([encoder.encode([plain(t) for t in texts]), index.vectors[::_EVERY_VIEW]])
    families = np.array([*(case.family for case in cases), *("view" for _ in own)])
    return Messages(tuple(map(spoken, [*texts, *own])), vectors, families)


def _targets(families: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "crisis": np.isin(families, _CRISIS_FAMILIES),
        "refer": np.isin(families, _REFER_FAMILIES),
        "scope": ~np.isin(families, _OUTSIDE_FAMILIES),
    }


def _fit_opinions(messages: Messages) -> Opinions:
    """Fit one logistic model per label."""
    vectorizer = TfidfVectorizer(analyzer=pairs, min_df=_MIN_TEXTS, sublinear_tf=True)
    words = vectorizer.fit_transform(messages.heard)
    data = hstack([csr_matrix(messages.vectors), words]).tocsr()
    dim = messages.vectors.shape[1]
    rows = []
    targets = _targets(messages.families)
    for target in targets.values():
        model = LogisticRegression(C=4.0, tol=1e-3, max_iter=200, class_weight="balanced").fit(data, target)
        rows.append((model.coef_[0], float(model.intercept_[0])))
    return Opinions(
        labels=tuple(targets),
        vector_weights=tuple(tuple(weights[:dim].tolist()) for weights, _ in rows),
        terms=dict(zip(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_.tolist(), strict=True)),
        term_weights=tuple(tuple(weights[dim:].tolist()) for weights, _ in rows),
        bias=tuple(bias for _, bias in rows),
    )


@dataclass(frozen=True)
class Judged:
    """What the opinions say of held-back messages: label → probabilities, and the family of each message."""

    probabilities: dict[str, np.ndarray]
    families: np.ndarray


def _judged(opinions: Opinions, messages: Messages) -> Judged:
    verdicts = [opinions.judge(heard, v) for heard, v in zip(messages.heard, messages.vectors, strict=True)]
    return Judged({label: np.array([v[label] for v in verdicts]) for label in opinions.labels}, messages.families)


def _fit_answers(
    samples: Sequence[Sample], opinions: Opinions, decider: Decider, same: Sameness
) -> tuple[Linear, np.ndarray, np.ndarray]:
    """Fit "the first candidate answers"; returns out-of-fold probabilities and labels too."""
    rows, labels = [], []
    for sample in samples:
        if sample.found.candidates:
            scope = opinions.judge(sample.heard, sample.vector)["scope"]
            features = decider.features(sample.found, scope)
            rows.append([features[name] for name in ANSWER_FEATURES])
            labels.append(_is_right(sample.found.candidates[0].owner, sample.right, same))
    data, target = np.array(rows), np.array(labels).astype(int)
    model = LogisticRegression(C=1.0, max_iter=2000)
    held = cross_val_predict(model, data, target, cv=_FOLDS, method="predict_proba")[:, 1]
    model.fit(data, target)
    weights = dict(zip(ANSWER_FEATURES, model.coef_[0].tolist(), strict=True))
    return Linear(weights=weights, bias=float(model.intercept_[0])), held, target


def _thresholds(probabilities: np.ndarray, labels: np.ndarray, judged: Judged, budget: Budget) -> Thresholds:
    answer = float(np.quantile(probabilities[labels == 1], budget.refused))
    families = judged.families

    def among(label: str, others: tuple[str, ...], share: float) -> float:
        return float(np.quantile(judged.probabilities[label][np.isin(families, others)], 1 - share))

    return Thresholds(
        answer=answer,
        clarify=answer / 2,
        offer=answer / 4,
        gap=0.5,
        crisis=among("crisis", _NO_CRISIS, budget.false_alarms),
        care=among("crisis", _NO_CRISIS, budget.care),
        refer=among("refer", _EDUCATION, budget.referred),
        refer_phrase=among("refer", _EDUCATION, budget.phrase_referred),
    )


def _metrics(
    samples: Sequence[Sample],
    probabilities: np.ndarray,
    labels: np.ndarray,
    judged: Judged,
    same: Sameness,
) -> dict[str, float]:
    inside = [s for s in samples if s.right]
    first = [bool(s.found.candidates) and _is_right(s.found.candidates[0].owner, s.right, same) for s in inside]
    three = [any(_is_right(c.owner, s.right, same) for c in s.found.candidates[:3]) for s in inside]
    metrics = {
        "first": float(np.mean(first)),
        "top three": float(np.mean(three)),
        "answers AUROC": float(roc_auc_score(labels, probabilities)),
    }
    targets = _targets(judged.families)
    return metrics | {f"{k} AUROC": float(roc_auc_score(targets[k], p)) for k, p in judged.probabilities.items()}


def _digest(cases: Sequence[Case], index: Index) -> str:
    content = [[c.model_dump(mode="json") for c in cases], [[v.id, v.text] for v in index.views]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _rounded(calibration: Calibration) -> str:
    """Return JSON with five decimals: readable in a diff, and far more than the models can tell apart."""
    data = json.loads(calibration.model_dump_json(), parse_float=lambda text: round(float(text), 5))
    return json.dumps(data, indent=1) + "\n"
