"""Hostile input: fuzzed inputs replayed, properties, linear time, bounded memory, nothing lost."""

from __future__ import annotations

import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detrans import Detrans, fold, match
from detrans.lexicon import Lexicon
from detrans.spin import Spinner
from fuzz.checks import check_files, check_text, eager
from tests.conftest import ROOT

PIECES = [
    "mentioned", "navy", "final week", "variety of", "the", "an", "army's", "three,000", "said",
    "Moscow", " ", "\n", "\r\n", "\t", "\u2028", "\x1c", "\x00", "\ufeff", "\u200b", "\u202e", "e\u0301",
    "\U0001f469\u200d\U0001f469", "\U0001d41a", "ｗ", "о", "mеntioned", "α", "`", "```\n", "<b>", "</b>",
    '<a href="', ">", "<!--", "-->", "&amp;", "[a]: b\n", "](", ")", "@", "#", "https://a.b/", ".", ". ",
    "“", "”", "el ejército dijo que no", "\n\n    ",
]  # fmt: skip
UNITS = [
    "a", "navy ", "mentioned. ", "e\u0301", "\u0301", "\U0001f469\u200d", "\u202e\u05d0", "\udc80",
    "\x00", "'", "-", "an ", "о", "aо", "\u200b", "“", "<a ='", "three,000 ", "three,000,",

]  # fmt: skip
texts = st.one_of(
    st.text(st.characters()),  # lone surrogates too
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
)


@pytest.mark.parametrize("path", sorted((ROOT / "fuzz" / "corpus" / "text").iterdir()), ids=lambda p: p.name)
def test_fuzzed_texts(path: Path) -> None:
    check_text(path.read_bytes())


@pytest.mark.parametrize("path", sorted((ROOT / "fuzz" / "corpus" / "files").iterdir()), ids=lambda p: p.name)
def test_fuzzed_files(path: Path) -> None:
    check_files(path.read_bytes())


@given(texts)
@settings(max_examples=150, deadline=None)
def test_any_text_survives_eager_repair(text: str) -> None:
    check_text(text.encode("utf-8", "surrogatepass"))


@given(st.one_of(st.binary(), st.text().map(str.encode)))
@settings(max_examples=60, deadline=None)
def test_any_file_is_read_or_refused(data: bytes) -> None:
    check_files(data)


def test_every_control_character_and_every_kind_of_character_stays() -> None:
    kinds = {unicodedata.category(chr(c)): chr(c) for c in range(0x110000)}
    odd = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *kinds.values(), "\u061c", "\u2066"]
    text = " ".join(f"The navy{c} despatched final{c}week {c} individuals, he mentioned." for c in odd)
    repair = eager().repair(text)
    assert len(repair.edits) > len(odd)
    for c in odd:
        # Letters may go with their words, and a space of any kind within a phrase with the phrase.
        if unicodedata.category(c) not in ("Ll", "Lu", "Zs"):
            assert repair.text.count(c) == text.count(c), ascii(c)
    check_text(text.encode("utf-8", "surrogatepass"))


@given(texts, st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_blocks_change_nothing(lexicon: Lexicon, text: str, size: int) -> None:
    whole = fold.fold(text)
    found = lexicon.matcher.find(whole)
    before = fold._BLOCK, match._BLOCK
    fold._BLOCK = match._BLOCK = size
    try:
        assert fold.fold(text).data == whole.data
        for a, b in zip(lexicon.matcher.find(whole), found, strict=True):
            np.testing.assert_array_equal(a, b)
    finally:
        fold._BLOCK, match._BLOCK = before


def repeat(unit: str) -> Callable[[int], str]:
    return lambda size: unit * (size // len(unit))


def test_time_is_linear_on_spun_text(lexical: Detrans, lexicon: Lexicon, spinner: Spinner) -> None:
    """Ever new phrases, all of them scored: what a whole corpus in one line would be."""

    def seconds(size: int) -> float:
        words = iter(lexicon.phrases)
        pieces: list[str] = []
        while sum(map(len, pieces)) < size:
            pieces.append(" ".join(f"The {next(words)} of the {next(words)}." for _ in range(50)))
        text = " ".join(pieces)
        eager().detect(text[:100])
        started = time.process_time()
        eager().detect(text)
        return time.process_time() - started

    seconds(5_000)
    for _ in range(3):
        small, large = seconds(20_000), seconds(80_000)
        if large < 8 * small:  # 4 is linear, 16 quadratic
            return
    pytest.fail(f"{small:.2f} s, four times as much {large:.2f} s")


@pytest.mark.parametrize("unit", UNITS)
def test_time_is_linear_on_repetition(unit: str) -> None:
    def seconds(size: int) -> float:
        started = time.process_time()
        eager().repair(repeat(unit)(size))
        return time.process_time() - started

    seconds(1000)
    for _ in range(3):
        small, large = seconds(5_000), seconds(20_000)
        if large < 0.1 or large < 8 * small:
            return
    pytest.fail(f"{small:.2f} s, four times as much {large:.2f} s")


def test_ten_megabytes_in_one_line() -> None:
    code = (
        "import resource, time, detrans\n"
        "d = detrans.Detrans(model='none'); d.clean('The lexicon is read.')\n"
        "line = 'The committee met on Tuesday and said that the people of Łódź were “good”. '\n"
        "text = line * (10_000_000 // len(line))\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before, started = used(), time.process_time()\n"
        "assert d.clean(text) == text\n"
        "print(time.process_time() - started, (used() - before) / len(text))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    seconds, bytes_per_character = map(float, out.stdout.split())
    assert seconds < 40
    assert bytes_per_character < 60
