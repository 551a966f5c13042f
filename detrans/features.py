"""What is known of a candidate besides the passage: its place among the n-grams, its
share among the originals, and how often the document has it."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from detrans.document import Document, Match
from detrans.lexicon import Form
from detrans.ngrams import NgramModel

FEATURES = 26  # numbers for each candidate
MOST_CANDIDATES = 10  # per span, by share
NEAR = 25  # words to each side in which other matches speak for or against a match
CLIP = 4.0  # the most that a match's evidence counts, so that one phrase cannot shout down the rest


def context_scores(document: Document, match: Match, ngrams: NgramModel) -> list[float]:
    """ln P of the phrase as it stands, then with each candidate in its place."""
    words = document.words
    first, last = match.first, match.last
    left = (words[first - 2], words[first - 1])
    right = (words[last], words[last + 1])
    here = words[first:last]
    phrase = match.candidates[0].spun
    suffix = here[-1][len(phrase.rsplit(" ", 1)[-1]) :]  # a possessive ending stays
    scores = [ngrams.score(left, here, right)]
    for candidate in match.candidates[:MOST_CANDIDATES]:
        scores.append(ngrams.score(left, (candidate.original.lower() + suffix).split(" "), right))
    return scores


def habit(document: Document, phrase: str, ngrams: NgramModel) -> tuple[float, float]:
    """How often the document has a phrase, and how often clean text of its length would.

    A spinner that writes "stated" for "said" leaves many of the one and none of the other: what
    no single passage shows.
    """
    expected = document.word_count * math.exp(ngrams.share(phrase))
    return math.log1p(document.count(phrase)) / 2, math.log1p(expected) / 2


class Features:
    """Rows of `FEATURES` numbers of magnitude about one for the matches of one document."""

    def __init__(self, document: Document, level: int, ngrams: NgramModel) -> None:
        self._document, self._ngrams = document, ngrams
        self._level = level / 4 - 1
        mass = np.zeros(len(document.words) + 1)
        for match in document.matches:  # the strongest reading of each word
            at = match.first + 1
            mass[at] = max(mass[at], min(max(match.evidence, 0.0), CLIP) / CLIP)
        self._mass = np.cumsum(mass)
        self._family: defaultdict[str, float] = defaultdict(float)  # evidence by family of the likeliest pair
        for match in document.matches:
            self._family[match.candidates[0].family] += min(max(match.evidence, 0.0), CLIP)
        self._total = 1 + sum(self._family.values())

    def _near(self, match: Match) -> float:
        """Evidence of the matches around this one."""
        sums = self._mass
        low, high = max(match.first - NEAR, 0), min(match.last + NEAR, len(sums) - 1)
        around = sums[high] - sums[low] - (sums[match.last] - sums[match.first])
        return float(around) / math.sqrt(high - low)

    def _kin(self, candidate: Form) -> tuple[float, float]:
        """Whether only some spinners make this pair, and how much here looks like their work."""
        if candidate.family == "any":
            return 0.0, 0.0
        return 1.0, self._family[candidate.family] / self._total

    def rows(self, match: Match) -> list[list[float]]:
        """For *keep* and for each candidate: its own numbers, then those of *keep* and the place,
        shape (1 + candidates, FEATURES)."""
        document, ngrams = self._document, self._ngrams
        context = context_scores(document, match, ngrams)
        best = max(context)
        own = context[0]
        spun = match.candidates[0]
        common = math.log10(spun.rate + 0.01)
        here = habit(document, spun.spun, ngrams)
        rows = [
            [1.0, 0.0, (own - best) / 8, own / 40, 0.0, spun.evidence / 4, common / 3, 0.0, *here, 0.0, 0.0]
        ]
        length = spun.spun.count(" ")
        for candidate, score in zip(match.candidates, context[1:], strict=False):
            rows.append(
                [
                    0.0,
                    (score - own) / 8,
                    (score - best) / 8,
                    score / 40,
                    math.log(candidate.share + 1e-4) / 4,
                    0.0,
                    0.0,
                    (candidate.original.count(" ") - length) / 2,
                    *habit(document, candidate.original, ngrams),
                    *self._kin(candidate),
                ]
            )
        shared = [*rows[0], self._level, self._near(match)]
        return [[*row, *shared] for row in rows]
