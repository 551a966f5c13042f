"""Two ways to score the candidates of a document's matches; both give probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from detrans.document import Document
from detrans.features import MOST_CANDIDATES, context_scores
from detrans.ngrams import NgramModel
from detrans.normalise import Scored

# ln of the share of known phrases that are replaced, by spin level, against the share that the
# lexicon's evidence was computed for.
LEVEL_PRIOR = (-6.0, -3.0, -2.0, -1.2, -0.6, -0.2, 0.2, 0.5)
CONTEXT = 0.7  # weight of the n-gram model: its words are not independent witnesses
UNTOUCHED = 0.8  # share of a phrase's clean occurrences that a spinner leaves


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a scorer makes of a document.

    scored: its matches with their probabilities. damage: (start, end, probability) of word pieces
    that are damaged, whether or not the lexicon knows them; empty where the scorer has no such head.
    """

    scored: list[Scored]
    damage: list[tuple[int, int, float]] = field(default_factory=list)


class Scorer(Protocol):
    """Anything that gives *keep* and candidate probabilities to the matches of a document."""

    def score(self, document: Document, level: int) -> Judgement:
        """Judge a document of this spin level."""
        ...


def softmax(logits: list[float]) -> list[float]:
    """Probabilities from logits."""
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    total = sum(weights)
    return [w / total for w in weights]


class NgramScorer:
    """Noisy channel: how likely is the original here, times how likely a spinner makes this of it."""

    def __init__(self, ngrams: NgramModel) -> None:
        self._ngrams = ngrams

    def _surprise(self, phrase: str) -> float:
        """How improbable the words are anywhere, so that the context counts and not their rarity."""
        return sum(self._ngrams.log_prob(word, "", "") for word in phrase.lower().split(" "))

    def score(self, document: Document, level: int) -> Judgement:
        scored = []
        for match in document.matches:
            own, *context = context_scores(document, match, self._ngrams)
            form = match.candidates[0]
            damaged = math.log(max(math.exp(form.evidence) - UNTOUCHED, 0.02)) + LEVEL_PRIOR[level]
            logits = [math.log(UNTOUCHED) + CONTEXT * (own - self._surprise(form.spun))]
            for candidate, score in zip(match.candidates[:MOST_CANDIDATES], context, strict=True):
                fit = CONTEXT * (score - self._surprise(candidate.original))
                logits.append(math.log(candidate.share + 1e-4) + damaged + fit)
            keep, *rest = softmax(logits)
            scored.append(Scored(match, keep, rest))
        return Judgement(scored)
