"""Propose, then score: a small network weighs what the proposer and the language model think.

The proposer, the lexical scorer, is cheap; it names the places where something may be wrong and
the candidates that might mend it. What stands before a place tells the language model the first token of
each, and most candidates are given up for that (`Screen`). For the others it says how well each fits
there; how the document treats the same phrase elsewhere, and what it looks like as a whole, count as
well. It reads each place among the repairs that seem likely elsewhere, and where the verdict is not
clear it reads once more, among those that then seem likely.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detrans.articles import agreeing_article
from detrans.context import Repaired
from detrans.document import Document
from detrans.errors import ModelError
from detrans.features import Rows, family_kind
from detrans.lm import Likelihood, Place, Wanted
from detrans.ngrams import Numbers
from detrans.normalise import Scored, choose, in_place
from detrans.scorers import Network
from detrans.segment import sentence_spans

LIKELY = 0.003  # the proposer's probability of a candidate, from which that is looked at
PROPOSED = 0.6  # the proposer's probability of a repair, from which other places are read with it made
JUDGED = 0.5  # the judge's
UNCLEAR = (0.2, 0.9)  # the judge's probability of the best candidate, between which a place is read again
RIVAL = 0.02  # and of a candidate, from which that is read again
CASE_FEATURES = 22
NATS = 12.0  # beyond that a difference says no more
LEAST = 1.2e-4  # a probability's, before its logarithm is taken
# A document, its spin level, and its matches with the proposer's probabilities.
Proposed = tuple[Document, int, list[Scored]]


@dataclass(frozen=True, slots=True)
class Case:
    """A doubtful place: number `which` of the proposer's matches, the candidates in question (numbers
    in the match), the place with the text as it stands and with each of them, and what the language
    model says of these, once it was asked."""

    which: int
    scored: Scored
    candidates: tuple[int, ...]
    place: Place
    likelihoods: tuple[Likelihood, ...] = ()


def doubtful(document: Document, scored: Sequence[Scored], least: float = LIKELY) -> list[Case]:
    """The matches of a document that have a candidate of at least this probability, with all such."""
    found = []
    for which, s in enumerate(scored):
        m = s.match
        ways = {
            i: in_place(document, m, m.candidates[i]) for i, p in enumerate(s.probabilities) if p >= least
        }
        source = (m.start, document.text[m.start : m.end])
        ways = {i: way for i, way in ways.items() if way != source}
        if ways:
            # Where one candidate needs another article, all variants begin there.
            start = min(a for a, _ in ways.values())
            variants = (document.text[start:a] + phrase for a, phrase in ways.values())
            phrases = (document.text[start : m.end], *variants)
            found.append(Case(which, s, tuple(ways), Place(start, m.end, phrases)))
    return found


def unclear(cases: Sequence[Case], judged: Sequence[Scored]) -> dict[int, Case]:
    """The cases worth a second reading, by their number among `cases`, with the candidates that are
    still in question."""
    low, high = UNCLEAR
    found = {}
    for number, case in enumerate(cases):
        probabilities = judged[case.which].probabilities
        if low < max(probabilities) < high:
            found[number] = narrowed(
                case, [n for n, i in enumerate(case.candidates) if probabilities[i] >= RIVAL]
            )
    return found


def narrowed(case: Case, left: Sequence[int]) -> Case:
    """A case with some of its candidates only, by their numbers among them."""
    phrases = (case.place.phrases[0], *(case.place.phrases[n + 1] for n in left))
    candidates = tuple(case.candidates[n] for n in left)
    return replace(case, candidates=candidates, place=replace(case.place, phrases=phrases))


def settled(proposed: Sequence[Scored], cases: Sequence[Case], probabilities: Numbers) -> list[Scored]:
    """What was proposed, with new probabilities (N,) of *keep* and the candidates of each case, in order."""
    scored = list(proposed)
    values = iter(probabilities.tolist())
    for case in cases:
        keep, likely = next(values), len(case.scored.probabilities) * [0.0]
        for i in case.candidates:
            likely[i] = next(values)
        scored[case.which] = Scored(case.scored.match, keep, likely)
    return scored


class Screen:
    """Which candidates of a case are worth a whole reading, once the first token of each is foretold.

    weights: of `rows`, in a model's config, with the least probability of being right ("least") that is
    worth it (see `training/screen.py`).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        least = float(settings["least"])
        self._weights, self._least = np.array(settings["weights"]), math.log(least / (1 - least))

    @staticmethod
    def rows(case: Case, firsts: Sequence[float]) -> npt.NDArray[np.float64]:
        """Of each candidate (N, 9), from ln P of the first tokens of the phrase and of the candidates."""
        here, *others = firsts
        keep = log(case.scored.keep)
        likely = [log(case.scored.probabilities[i]) for i in case.candidates]
        table = [
            (1, p - keep, first - here, here, first - max(others), p - max(likely), keep, p, len(likely) / 5)
            for p, first in zip(likely, others, strict=True)
        ]
        return np.array(table, np.float64)

    def choose(self, case: Case, firsts: Sequence[float]) -> list[int]:
        """The numbers of the candidates that are worth it."""
        score = self.rows(case, firsts) @ self._weights
        return [int(n) for n in np.flatnonzero(score >= self._least)]


def log(p: float) -> float:
    """ln of a probability, none below that of `LEAST`."""
    return math.log(max(p, LEAST))


def clip(nats: float) -> float:
    return max(-NATS, min(NATS, nats))


class CaseFeatures:
    """Rows of `CASE_FEATURES` numbers of magnitude about one for the cases of one document."""

    def __init__(self, document: Document, level: int, scored: Sequence[Scored], cases: list[Case]) -> None:
        self._document, self._level, self._cases = document, level, cases
        # What the proposer doubts, sentence by sentence: a spinner leaves some of them untouched.
        self._sentences = sentence_spans(document.text)
        self._ends = np.array([end for _, end in self._sentences])
        self._doubt = np.zeros(len(self._sentences))
        for s in scored:
            self._doubt[self._sentence(s.match.start)] += 1 - s.keep
        # Each pair's occurrences: one program made them all. Count, and sums of both preferences.
        self._pairs: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        for case in cases:
            for number, i in enumerate(case.candidates):
                form = case.scored.match.candidates[i]
                seen = self._pairs[form.spun, form.original]
                proposed, fits = preferences(case, number)
                seen[0] += 1
                seen[1] += proposed
                seen[2] += fits

    def _sentence(self, offset: int) -> int:
        return min(int(np.searchsorted(self._ends, offset, side="right")), len(self._ends) - 1)

    def rows(self) -> tuple[Rows, list[int]]:
        """All cases' rows (N, CASE_FEATURES), for *keep* and each candidate, and where each case begins."""
        rows: list[list[float]] = []
        starts = []
        for case in self._cases:
            starts.append(len(rows))
            rows += self._rows(case)
        return np.array(rows, np.float32).reshape(-1, CASE_FEATURES), starts

    def _rows(self, case: Case) -> list[list[float]]:
        s, m, text = case.scored, case.scored.match, self._document.text
        totals = [x.total for x in case.likelihoods]
        here = case.likelihoods[0]
        sentence = self._sentence(m.start)
        start, end = self._sentences[sentence]
        mass = max(self._doubt[sentence] - (1 - s.keep), 0.0)
        words = max(text.count(" ", start, end), 4)
        spun = m.candidates[0]
        # An article that does not suit the phrase was left behind by what stood there.
        before = text[max(m.start - 10, 0) : m.start]
        left = agreeing_article(before, text[m.start : m.end]) is not None
        shared = [
            float(left),
            log(s.keep) / 4,
            here.phrase / 10,
            spun.evidence / 4,
            math.log10(spun.rate + 0.01) / 3,
            self._level / 4 - 1,
            float(mass) / words * 8,
            len(case.candidates) / 4,
            float(m.start > start and text[m.start].isupper()),
        ]
        rows = [[1.0, *(CASE_FEATURES - len(shared) - 1) * [0.0], *shared]]
        length = spun.spun.count(" ")
        for number, i in enumerate(case.candidates):
            form, fit = m.candidates[i], case.likelihoods[number + 1]
            rivals = max(t for k, t in enumerate(totals) if k != number + 1)
            own = preferences(case, number)
            count, *sums = self._pairs[form.spun, form.original]
            others = count - 1
            rows.append(
                [
                    0.0,
                    log(s.probabilities[i]) / 4,
                    own[1],
                    clip(fit.total - rivals) / 5,
                    clip(fit.phrase - here.phrase) / 5,
                    clip(fit.following - here.following) / 5,
                    log(form.share) / 4,
                    (form.original.count(" ") - length) / 2,
                    *((total - x) / others if others else x for total, x in zip(sums, own, strict=True)),
                    math.log1p(others),
                    float(left) - float(agreeing_article(before, form.original) is not None),
                    family_kind(form.family),
                    *shared,
                ]
            )
        return rows


def preferences(case: Case, number: int) -> tuple[float, float]:
    """How far the proposer and the language model prefer candidate `number` of a case to the phrase."""
    proposed = log(case.scored.probabilities[case.candidates[number]]) - log(case.scored.keep)
    return proposed / 4, clip(case.likelihoods[number + 1].total - case.likelihoods[0].total) / 5


class Reader(Protocol):
    """What a judge asks of a `LanguageModel`."""

    def score(
        self, texts: Sequence[tuple[str, Sequence[Place]]], wanted: Wanted | None = None
    ) -> list[list[dict[int, Likelihood]]]: ...


class Judge:
    """Judges anew what a proposer doubts; weights in `directory`/judge.safetensors.

    config: the model's settings; of these it wants "screen".
    """

    def __init__(self, directory: Path, config: Mapping[str, Any], language: Reader) -> None:
        self._directory, self._language = directory, language
        if "screen" not in config:
            raise ModelError(f"{directory}/config.json has no “screen”: it was made for an older detrans")
        self._screen = Screen(config["screen"])

    @cached_property
    def _network(self) -> Network:
        # Read when first wanted: training asks for cases before there are weights.
        path = self._directory / "judge.safetensors"
        try:
            return Network.load(path, CASE_FEATURES)
        except Exception as error:  # safetensors raises nothing narrower for a damaged file
            raise ModelError(f"cannot load {path}: {error}") from error

    def score(self, proposed: Sequence[Proposed]) -> list[list[Scored]]:
        """The matches of each document with the probabilities that hold now, in order."""
        return [self._judge(*one, some) for one, some in zip(proposed, self.cases(proposed), strict=True)]

    def cases(self, proposed: Sequence[Proposed]) -> list[list[Case]]:
        """The doubtful places of each document, each as last read."""
        return self._again(proposed, self.first(proposed))

    def first(self, proposed: Sequence[Proposed]) -> list[list[Case]]:
        """The doubtful places of each document as read among the proposer's own repairs."""
        texts = [
            (Repaired(document.text, choose(document, scored, PROPOSED)), doubtful(document, scored))
            for document, _, scored in proposed
        ]

        def wanted(number: int, firsts: dict[int, list[float]]) -> dict[int, list[int]]:
            cases = texts[number][1]
            some = {which: self._screen.choose(cases[which], each) for which, each in firsts.items()}
            return {which: [0, *(n + 1 for n in left)] for which, left in some.items() if left}

        return self._read(texts, wanted)

    def _again(self, proposed: Sequence[Proposed], found: list[list[Case]]) -> list[list[Case]]:
        """`found` with the unclear cases read again, among the repairs that it leads to."""
        again, contexts = [], []
        for one, cases in zip(proposed, found, strict=True):
            document, judged = one[0], self._judge(*one, cases)
            again.append(unclear(cases, judged))
            contexts.append(Repaired(document.text, choose(document, judged, JUDGED)))
        read = self._read([(c, list(some.values())) for c, some in zip(contexts, again, strict=True)])
        result = []
        for cases, some, new in zip(found, again, read, strict=True):
            latest = dict(enumerate(cases)) | dict(zip(some, new, strict=True))
            result.append(list(latest.values()))
        return result

    def _read(
        self, texts: list[tuple[Repaired, list[Case]]], wanted: Wanted | None = None
    ) -> list[list[Case]]:
        """The cases of each text, and of each case the candidates, that are wanted, with what the language
        model says of them there."""

        asked = [(context.text, [context.place(case.place) for case in cases]) for context, cases in texts]
        return [
            [
                replace(narrowed(case, [n - 1 for n in fit if n]), likelihoods=tuple(fit.values()))
                for case, fit in zip(cases, fits, strict=True)
                if fit
            ]
            for (_, cases), fits in zip(texts, self._language.score(asked, wanted), strict=True)
        ]

    def _judge(
        self, document: Document, level: int, proposed: list[Scored], cases: list[Case]
    ) -> list[Scored]:
        if not cases:
            return proposed
        rows, starts = CaseFeatures(document, level, proposed, cases).rows()
        return settled(proposed, cases, self._network.cases(rows, np.array(starts)))
