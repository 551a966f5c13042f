"""Which places the judge reads, among what, and which once more; with a reader that only counts letters."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detrans import Detrans
from detrans.assets import model_directory, read_config
from detrans.document import Document, Match
from detrans.doubt import damage, doubt
from detrans.judge import RIVAL, UNCLEAR, Case, Judge, Proposed, Screen, doubtful, unclear
from detrans.lexicon import Form
from detrans.lm import Likelihood, Place, Wanted
from detrans.normalise import Scored

SPUN = (
    "The navy mentioned final week that it despatched ships to the overseas harbour. "
    "Officers mentioned that a variety of individuals had been detained on the identical evening."
)


class Letters:
    """Says that long phrases are less likely, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Place]]] = []

    def score(
        self, texts: Sequence[tuple[str, Sequence[Place]]], wanted: Wanted | None = None
    ) -> list[list[dict[int, Likelihood]]]:
        self.asked += [(text, list(places)) for text, places in texts]
        found = []
        for number, (_, places) in enumerate(texts):
            firsts = {i: [-float(len(p)) for p in place.phrases] for i, place in enumerate(places)}
            named = {i: list(range(len(each))) for i, each in firsts.items()}
            if wanted:
                named = wanted(number, firsts)
            found.append(
                [
                    {n: Likelihood(firsts[i][n], -5.0 + 0.1 * len(self.asked)) for n in named.get(i, [])}
                    for i in range(len(places))
                ]
            )
        return found


def judge_with(reader: Letters) -> Judge:
    directory = model_directory("base")
    return Judge(directory, read_config(directory), reader)


def proposed(lexical: Detrans, text: str) -> Proposed:
    document = Document(text, lexical._lexicon)
    return document, 5, lexical._counting.score(document, 5)


def test_places_stand_among_likely_repairs(lexical: Detrans) -> None:
    reader = Letters()
    one = proposed(lexical, SPUN)
    asked = doubtful(one[0], one[2])
    (cases,) = judge_with(reader).first([one])
    ((text, places),) = reader.asked
    assert text != SPUN  # something was repaired around them
    assert len(places) == len(asked) >= len(cases) > 5
    for case, place in zip(asked, places, strict=True):
        assert SPUN[case.place.start : case.place.end] == case.place.phrases[0] in place.phrases[0]
    before = {case.which: case for case in asked}
    for case in cases:
        assert len(case.likelihoods) == len(case.place.phrases) == 1 + len(case.candidates)
        # The screen takes candidates away, and leaves to each of the others its own phrase.
        whole = before[case.which]
        ways = dict(zip(whole.candidates, whole.place.phrases[1:], strict=True))
        assert case.place.phrases == (whole.place.phrases[0], *(ways[i] for i in case.candidates))


def test_the_screen_is_its_formula() -> None:
    forms = [Form("navy", o, 1.0, 1.0, 1.0, "any", "t") for o in ("military", "fleet")]
    match = Match(0, 4, 2, 3, forms)
    place = Place(0, 4, ("navy", "military", "fleet"))
    case = Case(0, Scored(match, 0.5, [0.4, 0.1]), (0, 1), place)
    rows = Screen.rows(case, [-8.0, -3.0, -9.0])
    assert rows[:, 2].tolist() == [5.0, -1.0]  # nats by which the first token is likelier than the phrase's
    assert rows[:, 4].tolist() == [0.0, -6.0]  # and than the best candidate's
    weights = [0.0] * rows.shape[1]
    weights[2] = 1.0
    assert Screen({"weights": weights, "least": 0.5}).choose(case, [-8.0, -3.0, -9.0]) == [0]
    assert Screen({"weights": weights, "least": 0.2}).choose(case, [-8.0, -3.0, -9.0]) == [0, 1]
    assert Screen({"weights": weights, "least": 0.999}).choose(case, [-8.0, -3.0, -9.0]) == []


def test_only_unclear_places_are_read_again(lexical: Detrans) -> None:
    reader = Letters()
    judge = judge_with(reader)
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
    judge = judge_with(Letters())
    assert judge.cases([]) == []
    assert judge.cases([proposed(lexical, "")]) == [[]]
    assert judge.score([proposed(lexical, "")]) == [[]]


def test_a_long_text_needs_more_doubt(lexical: Detrans) -> None:
    _, _, scored = proposed(lexical, SPUN)
    assert damage(scored) > 1
    assert doubt(scored, 30) > doubt(scored, 3000) > doubt([], 3000)
    assert doubt([], 0) == pytest.approx(-0.25 * 2.302585, abs=1e-6)


def test_later_stages_count_for_what_passed_the_gate(lexical: Detrans) -> None:
    document, _, prior = lexical._weigh(SPUN)
    gate = lexical._lexical["gate"]
    _, _, scored = proposed(lexical, SPUN)
    assert prior > gate
    # A later stage that finds nothing makes it less suspicious, but not less than what did not pass.
    assert gate <= lexical._document(document, prior, None) < lexical._document(document, prior, scored) <= 1
    below = gate / 2
    assert lexical._document(document, below, None) == round(below, 4)
