"""The cheap stage takes short cuts; each must come to what the long way comes to, on every text."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detrans import Detrans
from detrans.fold import APOSTROPHE, HARD, HYPHEN, SPACE, Folded, _table, fold
from detrans.lexicon import STRONG, Form, Lexicon
from detrans.match import leftmost_longest
from detrans.names import LEAST, undoubled
from detrans.protect import protected_spans
from detrans.spin import Spinner
from tests.conftest import ROOT
from tests.test_hostile import texts
from tests.test_properties import CLEAN

DOUBLED = re.compile(r"\b([A-Z][a-z]+?([a-z]{2,3}))\2(?![\w-])")
GONE = 3


def folded_plainly(text: str, masked: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Folded codes, punctuation still marked, with the characters they came from."""
    table = _table()
    codes = [(int(table[min(ord(c), len(table) - 1)]), i) for i, c in enumerate(text)]
    codes = [(HARD if any(a <= i < b for a, b in masked) else c, i) for c, i in codes]
    codes = [(c, i) for c, i in codes if c != GONE]
    known = [c for c, _ in codes]

    def solid(at: int) -> bool:
        return 0 <= at < len(known) and known[at] not in (HARD, SPACE, APOSTROPHE, HYPHEN)

    joined = [
        (HARD if c in (APOSTROPHE, HYPHEN) and not (solid(at - 1) and solid(at + 1)) else c, i)
        for at, (c, i) in enumerate(codes)
    ]
    kept = [x for at, x in enumerate(joined) if not (at and x[0] == joined[at - 1][0] == SPACE)]
    return [(SPACE, 0), *kept, (SPACE, len(text))]


def strong_plainly(lexicon: Lexicon, folded: Folded) -> Counter[int]:
    """The strong phrases by matching all phrases."""
    which, start, end = lexicon.matcher.find(folded)
    chosen = Counter(which[leftmost_longest(start, end)].tolist())
    return Counter({n: c for n, c in chosen.items() if lexicon.candidates[n][0].evidence >= STRONG})


@given(texts, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=3))
@settings(max_examples=300, deadline=None)
def test_folding_is_what_it_says(text: str, masked: list[tuple[int, int]]) -> None:
    spans = [(a, min(a + n, len(text))) for a, n in masked if a < len(text)]
    folded = fold(text, spans)
    plain = folded_plainly(text, spans)
    assert list(folded.marked) == [c for c, _ in plain]
    assert folded.index[:-1].tolist() == [i for _, i in plain]
    assert list(folded.data) == [SPACE if c == HARD else c for c, _ in plain]
    assert folded.hard.tolist() == [sum(c == HARD for c, _ in plain[:i]) for i in range(len(plain) + 1)]


@st.composite
def phrases_and_text(draw: st.DrawFn) -> tuple[list[Form], str]:
    """Phrases, strong and weak, that overlap in all ways, and a text of their words."""
    words = st.sampled_from(["a", "b", "c", "a's", "b-c", "s"])
    phrases = draw(st.lists(st.lists(words, min_size=1, max_size=4).map(" ".join), unique=True))
    forms = [Form(p, "x", 1.0, draw(st.sampled_from([0.0, 3.0])), 0.0, "any", "test") for p in phrases]
    pieces = draw(st.lists(st.one_of(words, st.sampled_from([",", "’s", "\n"])), max_size=30))
    return forms, draw(st.sampled_from([" ", ""])).join(pieces) if draw(st.booleans()) else " ".join(pieces)


@given(phrases_and_text())
@settings(max_examples=500, deadline=None)
def test_weak_phrases_stand_in_the_way_of_strong_ones(case: tuple[list[Form], str]) -> None:
    forms, text = case
    lexicon = Lexicon(forms)
    folded = fold(text)
    assert lexicon.strong(folded) == strong_plainly(lexicon, folded)


@given(texts)
@settings(max_examples=300, deadline=None)
def test_strong_phrases_are_those_of_full_matching(lexicon: Lexicon, text: str) -> None:
    folded = fold(text, protected_spans(text))
    assert lexicon.strong(folded) == strong_plainly(lexicon, folded)


@given(st.text("ABaes-1é_ ", max_size=40))
@settings(max_examples=500)
def test_doubled_endings(text: str) -> None:
    from detrans.names import _LONG

    wanted = {m[0]: m[1] for m in DOUBLED.finditer(text) if m[2] != "es" and len(m[1]) > LEAST}
    assert {name: undoubled(name) for name in _LONG.findall(text) if undoubled(name)} == wanted


def odd_texts(spinner: Spinner) -> list[str]:
    """Spun, clean and mixed texts, disguises, other languages, markup, and what fuzzing found."""
    spun = [spinner.spin(CLEAN * (1 + seed % 3), seed).text for seed in range(20)]
    corpus = sorted((ROOT / "fuzz" / "corpus" / "text").iterdir())
    fuzzed = [p.read_bytes().decode("utf-8", "surrogateescape") for p in corpus]
    seeds = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "seeds").glob("*.txt"))]
    disguised = [t.replace("a", "а", 3).replace("o", "\u200bo", 2) for t in spun[:3]]
    return [*spun, CLEAN, *(CLEAN + t for t in spun[:4]), *fuzzed, *seeds, *disguised]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keep": ["mentioned", "final week", "the navy"]},
        {"without": ["sport", "mt"]},
        {"lookalikes": False},
        {"names": False},
        {"threshold": 0.2},
        {"lexicon": "own.tsv"},
    ],
    ids=str,
)
def test_repairs_are_those_of_full_matching(
    options: dict[str, object], spinner: Spinner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "lexicon" in options:
        path = tmp_path / "own.tsv"
        path.write_text("spun\toriginal\nthe committee\tthe board\nsaid on\ttold on\nwater\tbeer\n")
        options = {"lexicon": str(path)}
    detrans = Detrans(model="none", **options)
    several = odd_texts(spinner)
    quick = detrans.repair_batch(several), detrans.scores(several), [detrans.detect(t) for t in several]
    assert detrans.detect_batch(several) == quick[2]
    assert [detrans.examine(t) for t in several] == list(zip(quick[2], quick[0], strict=True))
    monkeypatch.setattr(Lexicon, "strong", strong_plainly)
    assert quick == (
        detrans.repair_batch(several),
        detrans.scores(several),
        [detrans.detect(t) for t in several],
    )
    assert any(r.edits for r in quick[0])
