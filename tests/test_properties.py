"""What holds for every text: nothing lost, edits replay, cleaning is idempotent, batch equals single."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detrans import Detrans, Edit, EditError, apply
from detrans.edits import compose
from detrans.fold import fold
from detrans.segment import sentence_spans
from detrans.spin import Spinner

CLEAN = (
    "The committee said on Monday that it would increase the number of inspectors, because several "
    "people had complained about the water. “We think the problem is serious,” its leader told "
    "reporters, and the government announced that it would send help next week.\n"
    "The company’s sales grew again last year. According to the report, about 3,000 workers will get "
    "training at the school, but the military has not said where the money will come from.\n"
)
WORDS = [
    "mentioned",
    "navy",
    "the",
    "a",
    "an",
    "variety",
    "of",
    "final week",
    "japanese",
    "three,000",
    "’s",
    ".",
]
texts = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*WORDS, " ", "\n", "\r\n", "\t", "\ufeff", "é", "\u200b"])).map(" ".join),
)


@given(st.text())
def test_sentences_join_to_the_text(text: str) -> None:
    assert "".join(text[a:b] for a, b in sentence_spans(text)) == text


@given(st.text())
def test_folding_keeps_its_way_back(text: str) -> None:
    folded = fold(text)
    assert len(folded.index) == len(folded.data) + 1 or not text
    assert all(a <= b for a, b in zip(folded.index, folded.index[1:], strict=False))
    assert folded.index[-1] == len(text)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_any_text_survives(lexical: Detrans, text: str) -> None:
    repair = lexical.repair(text)
    assert apply(text, repair.edits) == repair.text
    assert repair.text.count("\n") == text.count("\n")
    assert lexical.clean(repair.text) == repair.text


def spun_texts(spinner: Spinner) -> list[str]:
    return [spinner.spin(CLEAN * (1 + seed % 3), seed).text for seed in range(12)]


def test_cleaning_twice_changes_nothing_more(detrans: Detrans, spinner: Spinner) -> None:
    for text in spun_texts(spinner):
        once = detrans.clean(text)
        assert detrans.clean(once) == once


def test_batch_equals_single_in_any_order(detrans: Detrans, spinner: Spinner) -> None:
    several = spun_texts(spinner)
    single = [detrans.clean(text) for text in several]
    assert detrans.clean_batch(several) == single
    assert detrans.clean_batch(several[::-1]) == single[::-1]


def test_repairs_restore_much_of_the_clean_text(base: Detrans, spinner: Spinner) -> None:
    wanted, made = 0, 0
    for seed in range(12):
        spun = spinner.spin(CLEAN, seed, rate=0.8, family="any")
        wanted += len(spun.spans)
        made += len(base.repair(spun.text).edits)
    assert made > 0.4 * wanted


def test_edits_survive_json(lexical: Detrans, seeds: dict[str, str]) -> None:
    repair = lexical.repair(seeds["001"])
    again = [Edit.from_dict(e) for e in json.loads(json.dumps(repair.to_dict()))["edits"]]
    assert apply(seeds["001"], again) == repair.text


def edit(start: int, end: int, replacement: str) -> Edit:
    return Edit(start, end, replacement, "test", 1.0, "test")


@st.composite
def text_and_two_rounds(draw: st.DrawFn) -> tuple[str, list[Edit], list[Edit]]:
    text = draw(st.text("abc", min_size=1, max_size=12))

    def edits(source: str) -> list[Edit]:
        points = sorted(draw(st.lists(st.integers(0, len(source)), max_size=6)))
        return [
            edit(a, b, draw(st.text("xyz", max_size=3)))
            for a, b in zip(points[::2], points[1::2], strict=False)
        ]

    first = edits(text)
    return text, first, edits(apply(text, first))


@given(text_and_two_rounds())
def test_composed_edits_do_what_both_rounds_do(rounds: tuple[str, list[Edit], list[Edit]]) -> None:
    text, first, second = rounds
    assert apply(text, compose(text, first, second)) == apply(apply(text, first), second)


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(EditError, match="overlaps another or leaves"):
        apply("some text", [edit(0, 4, "a"), edit(3, 5, "b")])
    with pytest.raises(EditError, match="leaves the text"):
        apply("short", [edit(3, 9, "b")])
    with pytest.raises(EditError, match="not an edit"):
        Edit.from_dict({"start": 1})
