"""Fold text into the small alphabet in which phrases are matched.

A lexicon phrase has to be found whatever its case, quotation marks, accents or line breaks,
and what is found has to be cut out of the untouched input. So the text is folded to ASCII,
white space runs shrink to one space, zero-width characters vanish, and an index map leads
from every folded byte back to the character it came from. Everything is table look-up, linear in
the length of the text. Most text is clean and never asks for a way back, so the map is made when
it is first wanted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from detrans.lookalikes import ZERO_WIDTH, Disguise

SPACE, APOSTROPHE, HYPHEN, OTHER_LETTER = 32, 39, 45, 1
HARD = 2  # punctuation: a word boundary that no phrase may cross
_GONE = 3  # zero-width: dropped before matching
_BLOCK = 1 << 20  # characters looked up at once
_RUN = re.compile(b"  +")

_APOSTROPHES = "'\u2018\u2019\u02bc\u2032\uff07"
_HYPHENS = "-\u2010\u2011"
_BREAKS = "\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"  # of columns, lines, pages
_INVISIBLE = ZERO_WIDTH + "\u00ad"
_PLAIN = bytes.maketrans(bytes([HARD]), bytes([SPACE]))
# In order: three marks, space, joiners, digits, the underscore, letters.
_JOINER = range(SPACE + 1, ord("0"))
_SOLID = np.arange(256) >= ord("0")
_SOLID[OTHER_LETTER] = True

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Folded:
    """Folded text and its way back to the input.

    `marked` is the folded text with a space first and last; punctuation is still marked in it.
    """

    marked: bytes
    _codes: bytearray  # one byte a character of the input

    @cached_property
    def data(self) -> bytes:
        """What phrases are matched in: n bytes, punctuation written as spaces."""
        return self.marked.translate(_PLAIN)

    @cached_property
    def index(self) -> Offsets:
        """The character offset in the input of each folded byte; shape (n + 1,)."""
        codes = np.frombuffer(self._codes, np.uint8)
        index = np.arange(len(codes), dtype=_kind(len(codes)))
        visible = codes != _GONE
        if not visible.all():
            codes, index = codes[visible], index[visible]
        space = codes == SPACE
        repeated = np.zeros(len(codes), bool)
        repeated[1:] = space[1:] & space[:-1]
        ends = np.array([0, len(self._codes), len(self._codes)], index.dtype)
        return np.concatenate((ends[:1], index[~repeated], ends[1:]))

    @cached_property
    def hard(self) -> Offsets:
        """How many punctuation marks there are among the first i folded bytes; shape (n + 1,)."""
        marked = np.frombuffer(self.marked, np.uint8)
        hard = np.zeros(len(marked) + 1, _kind(len(marked)))
        np.cumsum(marked == HARD, out=hard[1:])
        return hard

    def broken(self, start: int, end: int) -> bool:
        """Whether punctuation stands in [start, end) of the folded text."""
        return self.marked.find(HARD, start, end) >= 0


def _kind(length: int) -> type[np.signedinteger[Any]]:
    """The smaller of two integer types where it suffices."""
    return np.int32 if length < 2**31 - 4 else np.int64


def _fold_char(ch: str) -> int:
    if ch in _INVISIBLE:
        return _GONE
    if ch in _APOSTROPHES:
        return APOSTROPHE
    if ch in _HYPHENS:
        return HYPHEN
    if ch in _BREAKS:
        return HARD
    if ch.isspace():
        return SPACE
    base = unicodedata.normalize("NFKD", ch)[:1]
    if base.isascii() and (base.isalnum() or base == "_"):
        return ord(base.lower())
    category = unicodedata.category(ch)
    if category == "Mn":  # a combining accent belongs to the letter before it
        return _GONE
    return OTHER_LETTER if category[0] in "LN" else HARD


@cache
def _table() -> Bytes:
    """One byte for each code point up to the mathematical letters, and one for all beyond U+1D7FF."""
    codes = np.full(0x1D801, HARD, np.uint8)
    codes[0x3040:0xD7A4] = OTHER_LETTER  # kana, ideographs, Hangul: letters, but none of ours
    for low, high in ((0, 0x3040), (0xF900, 0x10000), (0x1D400, 0x1D800)):
        for code in range(low, high):
            codes[code] = _fold_char(chr(code))
    return codes


@cache
def _ascii() -> bytes:
    return _table()[:128].tobytes() * 2


def _codes(text: str) -> bytearray:
    """One byte a character; block by block, as four bytes a character are too many for long texts."""
    if text.isascii():
        return bytearray(text.encode().translate(_ascii()))
    table = _table()
    codes = bytearray()
    for at in range(0, len(text), _BLOCK):
        points = np.frombuffer(text[at : at + _BLOCK].encode("utf-32-le", "surrogatepass"), np.uint32)
        codes += table.take(points, mode="clip").tobytes()
    return codes


def fold(text: str, masked: Iterable[tuple[int, int]] = (), disguised: Iterable[Disguise] = ()) -> Folded:
    """Fold `text`; the character ranges in `masked` become opaque, so nothing matches there, and
    `disguised` words are read as what they stand for."""
    codes = _codes(text)
    for disguise in disguised:
        for at, letter in disguise.letters:
            codes[at] = ord(letter.lower()) if letter else _GONE
    for start, end in masked:
        codes[start:end] = bytes([HARD]) * (end - start)
    marked = bytearray(b" %b " % bytes(codes).translate(None, bytes([_GONE])))
    # An apostrophe or hyphen inside a word belongs to it; elsewhere it is punctuation.
    letters = np.frombuffer(marked, np.uint8)
    joiners = np.flatnonzero(letters - _JOINER.start < len(_JOINER))  # below them it wraps round
    inner = _SOLID[letters[joiners - 1]] & _SOLID[letters[joiners + 1]]
    letters[joiners[~inner]] = HARD
    # White space runs shrink to their first character.
    return Folded(b" %b " % _RUN.sub(b" ", marked[1:-1]), codes)
