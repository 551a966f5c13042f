"""Two ways to score the candidates of a document's matches; both give probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from detrans.document import Document
from detrans.features import Features
from detrans.ngrams import NgramModel
from detrans.normalise import Scored


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

    def score(self, documents: Sequence[tuple[Document, int]]) -> list[Judgement]:
        """Judge documents, each with its spin level; in order."""
        ...


def softmax(logits: list[float]) -> list[float]:
    """Probabilities from logits."""
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    total = sum(weights)
    return [w / total for w in weights]


class LexicalScorer:
    """A small network on counts alone: no words are read, so it is fast and far less certain.

    Weights: w1 (FEATURES, H), b1 (H,), w2 (H, 1). A row goes in for *keep* and for each candidate.
    """

    def __init__(self, directory: Path, ngrams: NgramModel) -> None:
        from safetensors.numpy import load_file

        weights = load_file(directory / "scorer.safetensors")
        self._w1, self._b1, self._w2 = weights["w1"], weights["b1"], weights["w2"]
        self._ngrams = ngrams

    def score(self, documents: Sequence[tuple[Document, int]]) -> list[Judgement]:
        return [self._judge(document, level) for document, level in documents]

    def _judge(self, document: Document, level: int) -> Judgement:
        scored, features = [], Features(document, level, self._ngrams)
        for match in document.matches:
            rows = np.array(features.rows(match), np.float32)
            logits = np.maximum(rows @ self._w1 + self._b1, 0.0) @ self._w2
            keep, *rest = softmax(logits[:, 0].tolist())
            scored.append(Scored(match, keep, rest))
        return Judgement(scored)
