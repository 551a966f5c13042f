"""A place read among repairs: the text with one of its phrases there is what editing the source gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detrans.context import Repaired
from detrans.edits import Edit, apply
from detrans.lm import Place


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[Edit], Place]:
    source = draw(st.text("abc de", min_size=1, max_size=30))
    bounds = draw(st.lists(st.integers(0, len(source)), unique=True, max_size=8).map(sorted))
    edits = [
        Edit(start, end, draw(st.text("xyz", max_size=4)), "test", 1.0, "")
        for start, end in zip(bounds[::2], bounds[1::2], strict=False)
    ]
    start = draw(st.integers(0, len(source) - 1))
    end = draw(st.integers(start + 1, len(source)))
    return source, edits, Place(start, end, (source[start:end], draw(st.text("XYZ", max_size=4))))


@given(cases())
def test_place_among_repairs(case: tuple[str, list[Edit], Place]) -> None:
    source, edits, place = case
    context = Repaired(source, edits)
    moved = context.place(place)
    elsewhere = [e for e in edits if e.end <= place.start or e.start >= place.end]
    for phrase, written in zip(place.phrases, moved.phrases, strict=True):
        expected = apply(source, [*elsewhere, Edit(place.start, place.end, phrase, "test", 1.0, "")])
        assert context.text[: moved.start] + written + context.text[moved.end :] == expected


def test_an_edit_is_taken_in_whole() -> None:
    source = "to take a look at the vaccine"
    context = Repaired(source, [Edit(3, 17, "test", "lexicon:core", 0.9, "")])
    assert context.text == "to test the vaccine"
    assert context.place(Place(10, 14, ("look", "glance"))) == Place(
        3, 7, ("take a look at", "take a glance at")
    )
    assert context.place(Place(22, 29, ("vaccine", "jab"))) == Place(12, 19, ("vaccine", "jab"))
