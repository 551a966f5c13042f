"""What is known of a candidate besides the passage: its place among the n-grams, its
share among the originals, and how often the document has it."""

from __future__ import annotations

import math

from detrans.document import Document, Match
from detrans.ngrams import NgramModel

MOST_CANDIDATES = 10  # per span, by share


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


def candidate_features(document: Document, match: Match, ngrams: NgramModel) -> list[list[float]]:
    """`FEATURES` numbers of magnitude about one for *keep* and for each candidate, shape (C, 10)."""
    context = context_scores(document, match, ngrams)
    best = max(context)
    own = context[0]
    spun = match.candidates[0]
    common = math.log10(spun.rate + 0.01)
    here = habit(document, spun.spun, ngrams)
    rows = [[1.0, 0.0, (own - best) / 8, own / 40, 0.0, spun.evidence / 4, common / 3, 0.0, *here]]
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
            ]
        )
    return rows
