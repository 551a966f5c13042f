"""Two ways to score the candidates of a document's matches; both give probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

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


class Network:
    """One hidden layer that gives each row a score; the rows of a match compete.

    Weights: w1 (F, H), b1 (H,), w2 (H, 1). A row goes in for *keep* and for each candidate.
    """

    def __init__(self, weights: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._w1, self._b1, self._w2 = weights["w1"], weights["b1"], weights["w2"]

    @classmethod
    def load(cls, path: Path) -> Network:
        """Read the weights; raises what safetensors raises for a damaged file."""
        from safetensors.numpy import load_file

        return cls(load_file(path))

    def probabilities(self, rows: list[list[float]]) -> list[float]:
        """Of each row (N, F): that it is the right one."""
        logits = np.maximum(np.array(rows, np.float32) @ self._w1 + self._b1, 0.0) @ self._w2
        return softmax(logits[:, 0].tolist())


class LexicalScorer:
    """A `Network` on counts alone: no words are read, so it is fast and far less certain."""

    def __init__(self, directory: Path, ngrams: NgramModel) -> None:
        self._network = Network.load(directory / "scorer.safetensors")
        self._ngrams = ngrams

    def score(self, documents: Sequence[tuple[Document, int]]) -> list[Judgement]:
        return [self._judge(document, level) for document, level in documents]

    def _judge(self, document: Document, level: int) -> Judgement:
        scored, features = [], Features(document, level, self._ngrams)
        for match in document.matches:
            keep, *rest = self._network.probabilities(features.rows(match))
            scored.append(Scored(match, keep, rest))
        return Judgement(scored)
