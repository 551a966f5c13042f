"""The lexical scorer: probabilities for the candidates of a document's matches, from counts alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detrans.document import Document
from detrans.features import FEATURES, Features, Phrasebook, Rows
from detrans.ngrams import Ints, NgramModel, Numbers
from detrans.normalise import Scored

# A probability of *keep*, from which nobody asks after a match any more: no threshold down to 0.02 would
# let it be edited.
SOUND = 0.98
BLOCK = 4096  # matches scored at once: bounds the memory for the rows of a long document


def softmax(logits: Numbers, starts: Ints) -> Numbers:
    """Probabilities from logits, case by case: a case goes from its start to the next."""
    case = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(logits)))
    weights = np.exp(logits - np.maximum.reduceat(logits, starts)[case])
    return weights / np.add.reduceat(weights, starts)[case]


class Network:
    """One hidden layer that gives each row a score; the rows of a match compete.

    Weights: w1 (F, H), b1 (H,), w2 (H, 1). A row goes in for *keep* and for each candidate.
    """

    def __init__(self, weights: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._w1, self._b1, self._w2 = weights["w1"], weights["b1"], weights["w2"]

    @classmethod
    def load(cls, path: Path, features: int) -> Network:
        """Read the weights; ValueError where they are for other rows, and what safetensors raises."""
        from safetensors.numpy import load_file

        weights = load_file(path)
        if len(weights["w1"]) != features:
            raise ValueError(f"its rows have {len(weights['w1'])} numbers, not {features}")
        return cls(weights)

    def cases(self, rows: Rows, starts: Ints) -> Numbers:
        """Of each row (N, F), that it is the right one of its case: from a start to the next; shape (N,)."""
        logits = np.maximum(rows @ self._w1 + self._b1, 0.0) @ self._w2
        return softmax(logits[:, 0].astype(np.float64), starts)


class LexicalScorer:
    """A `Network` on counts alone: no words are read, so it is fast and far less certain."""

    def __init__(self, directory: Path, ngrams: NgramModel) -> None:
        self._network = Network.load(directory / "scorer.safetensors", FEATURES)
        self._book = Phrasebook(ngrams)

    def score(self, document: Document, level: int) -> list[Scored]:
        """The matches of a document, whose spin level is given, with their probabilities; without those
        that are all but surely sound."""
        features = Features(document, level, self._book)
        scored: list[Scored] = []
        for at in range(0, len(document.found.number), BLOCK):
            rows, starts = features.rows(slice(at, at + BLOCK))
            probabilities = self._network.cases(rows, starts)
            ends = np.append(starts[1:], len(rows))
            doubted = np.flatnonzero(probabilities[starts] < SOUND)
            bounds = zip(starts[doubted].tolist(), ends[doubted].tolist(), strict=True)
            for match, (keep, end) in zip(document.matches_at(at + doubted), bounds, strict=True):
                first, *rest = probabilities[keep:end].tolist()
                scored.append(Scored(match, first, rest))
        return scored
