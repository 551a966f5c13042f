"""Propose, then score: a small network weighs what the proposer and the language model think.

The proposer (any scorer; the lexical one is cheap) names the places where something may be wrong and
the candidates worth a look; the language model says how well each fits there; how the document
treats the same phrase elsewhere, and what it looks like as a whole, count as well.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detrans.document import Document
from detrans.lm import LanguageModel, Likelihood, Place
from detrans.normalise import Scored
from detrans.scorers import Judgement, Network, Scorer
from detrans.segment import sentence_spans

DOUBTFUL = 0.92  # the proposer's probability of *keep*, under which a place is looked at again
LIKELY = 0.02  # its probability of a candidate, from which that is looked at
FEATURES = 20
CLIP = 12.0  # nats; beyond that a difference says no more

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Case:
    """A doubtful place: the proposer's view, the candidates in question (numbers in the match), and
    what the language model says of the phrase as it stands and of each of them."""

    scored: Scored
    candidates: tuple[int, ...]
    likelihoods: tuple[Likelihood, ...]


def doubtful(document: Document, scored: Iterable[Scored]) -> list[tuple[Scored, tuple[int, ...], Place]]:
    """The places of a document worth the language model's time, and the candidates there."""
    found = []
    for s in scored:
        m = s.match
        candidates = tuple(i for i, p in enumerate(s.probabilities) if p >= LIKELY)
        if s.keep < DOUBTFUL and candidates:
            phrases = (document.text[m.start : m.end], *(m.candidates[i].original for i in candidates))
            found.append((s, candidates, Place(m.start, m.end, phrases)))
    return found


def log(p: float) -> float:
    """ln of a probability, none below e^-9."""
    return math.log(max(p, 1.2e-4))


class Features:
    """Rows of `FEATURES` numbers of magnitude about one for the cases of one document."""

    def __init__(
        self, document: Document, level: int, scored: Sequence[Scored], cases: Sequence[Case]
    ) -> None:
        self._document, self._level = document, level
        # What the proposer doubts, sentence by sentence: a spinner leaves some of them untouched.
        self._sentences = sentence_spans(document.text)
        self._ends = np.array([end for _, end in self._sentences])
        self._doubt = np.zeros(len(self._sentences))
        for s in scored:
            self._doubt[self._sentence(s.match.start)] += 1 - s.keep
        # Each pair's other occurrences: one program made them all.
        self._pairs: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for case in cases:
            for number, (i, likelihood) in enumerate(zip(case.candidates, case.likelihoods[1:], strict=True)):
                form = case.scored.match.candidates[i]
                self._pairs[form.spun, form.original].append(self._views(case, number, likelihood))

    def _sentence(self, offset: int) -> int:
        return min(int(np.searchsorted(self._ends, offset, side="right")), len(self._ends) - 1)

    @staticmethod
    def _views(case: Case, number: int, likelihood: Likelihood) -> tuple[float, float]:
        """How far the proposer and the language model prefer a candidate to the phrase."""
        i = case.candidates[number]
        gain = likelihood.total - case.likelihoods[0].total
        return (
            (log(case.scored.probabilities[i]) - log(case.scored.keep)) / 4,
            max(-CLIP, min(CLIP, gain)) / 5,
        )

    def rows(self, case: Case) -> list[list[float]]:
        """For *keep* and for each candidate in question: shape (1 + candidates, FEATURES)."""
        s, m, text = case.scored, case.scored.match, self._document.text
        totals = [x.total for x in case.likelihoods]
        here = case.likelihoods[0]
        sentence = self._sentence(m.start)
        start, end = self._sentences[sentence]
        mass = max(self._doubt[sentence] - (1 - s.keep), 0.0)
        words = max(text.count(" ", start, end), 4)
        spun = m.candidates[0]
        shared = [
            log(s.keep) / 4,
            here.phrase / 10,
            spun.evidence / 4,
            math.log10(spun.rate + 0.01) / 3,
            self._level / 4 - 1,
            float(mass) / words * 8,
            len(case.candidates) / 4,
            float(m.start > start and text[m.start].isupper()),
        ]
        rows = [[1.0, *(FEATURES - len(shared) - 1) * [0.0], *shared]]
        length = spun.spun.count(" ")
        for number, i in enumerate(case.candidates):
            form, fits = m.candidates[i], case.likelihoods[number + 1]
            rivals = max(t for k, t in enumerate(totals) if k != number + 1)
            own = self._views(case, number, fits)
            others = self._pairs[form.spun, form.original]
            count = len(others) - 1
            rows.append(
                [
                    0.0,
                    log(s.probabilities[i]) / 4,
                    own[1],
                    max(-CLIP, min(CLIP, fits.total - rivals)) / 5,
                    max(-CLIP, min(CLIP, fits.phrase - here.phrase)) / 5,
                    max(-CLIP, min(CLIP, fits.following - here.following)) / 5,
                    log(form.share) / 4,
                    (form.original.count(" ") - length) / 2,
                    *(((sum(v[k] for v in others) - own[k]) / count) if count else own[k] for k in (0, 1)),
                    math.log1p(count),
                    float(form.family != "any"),
                    *shared,
                ]
            )
        return rows


class Judge:
    """A scorer over another and a language model; weights in `directory`/judge.safetensors."""

    def __init__(self, directory: Path, proposer: Scorer, language: LanguageModel) -> None:
        self._proposer, self._language = proposer, language
        self._network = Network.load(directory / "judge.safetensors")

    def score(self, documents: Sequence[tuple[Document, int]]) -> list[Judgement]:
        judgements, cases = self.cases(documents)
        return [
            self._judge(document, level, judgement, some)
            for (document, level), judgement, some in zip(documents, judgements, cases, strict=True)
        ]

    def cases(self, documents: Sequence[tuple[Document, int]]) -> tuple[list[Judgement], list[list[Case]]]:
        """The proposer's judgement of each document, and its doubtful places."""
        judgements = self._proposer.score(documents)
        found = [doubtful(d, j.scored) for (d, _), j in zip(documents, judgements, strict=True)]
        texts = [
            (d.text, [place for *_, place in some]) for (d, _), some in zip(documents, found, strict=True)
        ]
        fits = self._language.score(texts)
        return judgements, [
            [Case(s, candidates, tuple(fit)) for (s, candidates, _), fit in zip(some, scores, strict=True)]
            for some, scores in zip(found, fits, strict=True)
        ]

    def _judge(self, document: Document, level: int, judgement: Judgement, cases: list[Case]) -> Judgement:
        features = Features(document, level, judgement.scored, cases)
        verdicts: dict[tuple[int, int], Scored] = {}
        for case in cases:
            keep, *rest = self._network.probabilities(features.rows(case))
            likely = len(case.scored.probabilities) * [0.0]
            for i, p in zip(case.candidates, rest, strict=True):
                likely[i] = p
            m = case.scored.match
            verdicts[m.start, m.end] = Scored(m, keep, likely)
        scored = [verdicts.get((s.match.start, s.match.end), s) for s in judgement.scored]
        return replace(judgement, scored=scored)
