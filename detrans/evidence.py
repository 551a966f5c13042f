"""How damaged is a document? The cheap stage: lexicon matches and their weight of evidence."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from detrans.document import Document

REPEATS = 2  # a phrase counts so often at most: an article about the navy says "navy" all along
CLIP = 4.0  # the most that one occurrence may weigh
LEVEL_BOUNDS = (0.4, 1.5, 4.0, 8.0, 13.0, 19.0, 27.0)  # spin density at which the next level starts


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sums over a document's matches.

    density: strong evidence per hundred words. total: the same, not divided.
    kinds: how many different strong phrases. words: length of the document.
    """

    density: float
    total: float
    kinds: int
    words: int

    @property
    def level(self) -> int:
        """0 (clean) to 7 (spun throughout): the control token of the document."""
        return sum(self.density >= bound for bound in LEVEL_BOUNDS)

    @property
    def features(self) -> tuple[float, float, float]:
        """What the calibrated document score is a logistic function of."""
        root = math.sqrt(max(self.words, 1) / 100)
        return (math.log1p(self.density), math.log1p(self.kinds), self.density * root / (1 + root) / 4)


def gather(document: Document) -> Evidence:
    """Evidence of a whole document. Nobody writes look-alike letters by accident: they count in full."""
    strong = [(min(n, REPEATS), min(e, CLIP)) for n, e in document.strong_counts]
    total = math.fsum(n * e for n, e in strong)
    disguised = Counter(d.plain.lower() for d in document.disguised)
    total += CLIP * sum(min(n, REPEATS) for n in disguised.values())
    words = document.word_count
    return Evidence(100 * total / max(words, 20), total, len(strong) + len(disguised), words)
