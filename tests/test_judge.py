"""Which places the judge reads, among what, and which once more; with a reader that only counts letters."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detrans import Detrans
from detrans.assets import model_directory
from detrans.document import Document
from detrans.doubt import damage, doubt
from detrans.judge import RIVAL, UNCLEAR, Judge, Proposed, unclear
from detrans.lm import Likelihood, Place

SPUN = (
    "The navy mentioned final week that it despatched ships to the overseas harbour. "
    "Officers mentioned that a variety of individuals had been detained on the identical evening."
)


class Letters:
    """Says that long phrases are less likely, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Place]]] = []

    def score(self, texts: Sequence[tuple[str, Sequence[Place]]]) -> list[list[list[Likelihood]]]:
        self.asked += [(text, list(places)) for text, places in texts]
        return [
            [
                [Likelihood(-float(len(p)), -5.0 + 0.1 * len(self.asked)) for p in place.phrases]
                for place in places
            ]
            for _, places in texts
        ]


def proposed(lexical: Detrans, text: str) -> Proposed:
    document = Document(text, lexical._lexicon)
    return document, 5, lexical._counting.score(document, 5)


def test_places_stand_among_likely_repairs(lexical: Detrans) -> None:
    reader = Letters()
    one = proposed(lexical, SPUN)
    (cases,) = Judge(model_directory("base"), reader).first([one])
    ((text, places),) = reader.asked
    assert len(places) == len(cases) > 5
    assert text != SPUN  # something was repaired around them
    for case, place in zip(cases, places, strict=True):
        assert len(case.likelihoods) == len(place.phrases) == 1 + len(case.candidates)
        assert SPUN[case.place.start : case.place.end] == case.place.phrases[0] in place.phrases[0]


def test_only_unclear_places_are_read_again(lexical: Detrans) -> None:
    reader = Letters()
    judge = Judge(model_directory("base"), reader)
    one = proposed(lexical, SPUN)
    (first,) = judge.first([one])
    again = unclear(first, judge._judge(*one, first))
    reader.asked.clear()
    (cases,) = judge.cases([one])
    _, (_, places) = reader.asked
    assert len(places) == len(again)
    assert [c.which for c in cases] == [c.which for c in first]
    judged = judge._judge(*one, first)
    for number, (before, after) in enumerate(zip(first, cases, strict=True)):
        best = max(judged[before.which].probabilities)
        assert (number in again) == (UNCLEAR[0] < best < UNCLEAR[1])
        if number in again:
            assert set(after.candidates) <= set(before.candidates)
            assert all(judged[before.which].probabilities[i] >= RIVAL for i in after.candidates)
        else:
            assert after.candidates == before.candidates


def test_no_cases(lexical: Detrans) -> None:
    judge = Judge(model_directory("base"), Letters())
    assert judge.cases([]) == []
    assert judge.cases([proposed(lexical, "")]) == [[]]
    assert judge.score([proposed(lexical, "")]) == [[]]


def test_a_long_text_needs_more_doubt(lexical: Detrans) -> None:
    _, _, scored = proposed(lexical, SPUN)
    assert damage(scored) > 1
    assert doubt(scored, 30) > doubt(scored, 3000) > doubt([], 3000)
    assert doubt([], 0) == pytest.approx(-0.25 * 2.302585, abs=1e-6)
