"""Fold text into the small alphabet in which phrases are matched.

A lexicon phrase has to be found whatever its case, quotation marks, accents or line breaks,
and what is found has to be cut out of the untouched input. So the text is folded to ASCII,
white space runs shrink to one space, zero-width characters vanish, and an index map leads
from every folded byte back to the character it came from. Everything is table look-up in
numpy: linear in the length of the text, with no regular expression.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from detrans.lookalikes import ZERO_WIDTH, Disguise

SPACE, APOSTROPHE, HYPHEN, OTHER_LETTER = 32, 39, 45, 1
_HARD = 2  # punctuation: a word boundary that no phrase may cross
_GONE = 3  # zero-width: dropped before matching
_BLOCK = 1 << 20  # characters looked up at once

_APOSTROPHES = "'\u2018\u2019\u02bc\u2032\uff07"
_HYPHENS = "-\u2010\u2011"
_BREAKS = "\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"  # of columns, lines, pages
_INVISIBLE = ZERO_WIDTH + "\u00ad"

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.int32] | npt.NDArray[np.int64]  # the smaller where it suffices


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text: `data` (n bytes, a space first and last) and its way back to the input.

    `index[i]` is the character offset in the input of folded byte i; shape (n + 1,).
    `hard[i]` counts the punctuation marks among the first i folded bytes; shape (n + 1,).
    """

    data: bytes
    index: Offsets
    hard: Offsets


def _fold_char(ch: str) -> int:
    if ch in _INVISIBLE:
        return _GONE
    if ch in _APOSTROPHES:
        return APOSTROPHE
    if ch in _HYPHENS:
        return HYPHEN
    if ch in _BREAKS:
        return _HARD
    if ch.isspace():
        return SPACE
    base = unicodedata.normalize("NFKD", ch)[:1]
    if base.isascii() and (base.isalnum() or base == "_"):
        return ord(base.lower())
    category = unicodedata.category(ch)
    if category == "Mn":  # a combining accent belongs to the letter before it
        return _GONE
    return OTHER_LETTER if category[0] in "LN" else _HARD


@cache
def _table() -> Bytes:
    """One byte for each code point up to the mathematical letters, and one for all beyond U+1D7FF."""
    codes = np.full(0x1D801, _HARD, np.uint8)
    codes[0x3040:0xD7A4] = OTHER_LETTER  # kana, ideographs, Hangul: letters, but none of ours
    for low, high in ((0, 0x3040), (0xF900, 0x10000), (0x1D400, 0x1D800)):
        for code in range(low, high):
            codes[code] = _fold_char(chr(code))
    return codes


def _codes(text: str) -> Bytes:
    """One byte a character, block by block: four bytes a character are too many for long texts."""
    table = _table()
    codes = np.empty(len(text), np.uint8)
    for at in range(0, len(text), _BLOCK):
        block = text[at : at + _BLOCK].encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(block, np.uint32)
        codes[at : at + len(points)] = table[np.minimum(points, len(table) - 1)]
    return codes


def fold(text: str, masked: Iterable[tuple[int, int]] = (), disguised: Iterable[Disguise] = ()) -> Folded:
    """Fold `text`; the character ranges in `masked` become opaque, so nothing matches there, and
    `disguised` words are read as what they stand for."""
    codes = _codes(text)
    for disguise in disguised:
        for at, letter in disguise.letters:
            codes[at] = ord(letter.lower()) if letter else _GONE
    for start, end in masked:
        codes[start:end] = _HARD
    kind = np.int32 if len(text) < 2**31 - 4 else np.int64
    index = np.arange(len(text), dtype=kind)
    visible = codes != _GONE
    if not visible.all():
        codes, index = codes[visible], index[visible]
    # An apostrophe or hyphen inside a word belongs to it; elsewhere it is punctuation.
    solid = (codes > SPACE) & (codes != APOSTROPHE) & (codes != HYPHEN) | (codes == OTHER_LETTER)
    joiner = (codes == APOSTROPHE) | (codes == HYPHEN)
    inner = np.zeros(len(codes), bool)
    if len(codes) > 2:
        inner[1:-1] = solid[:-2] & solid[2:]
    codes[joiner & ~inner] = _HARD
    # White space runs shrink to their first character.
    space = codes == SPACE
    repeated = np.zeros(len(codes), bool)
    repeated[1:] = space[1:] & space[:-1]
    kept = ~repeated
    codes, index = codes[kept], index[kept]
    hard = np.zeros(len(codes) + 3, kind)
    np.cumsum(codes == _HARD, out=hard[2:-1])
    hard[-1] = hard[-2]
    codes[codes == _HARD] = SPACE
    data = b" " + codes.tobytes() + b" "
    ends = np.array([0, len(text), len(text)], kind)
    index = np.concatenate((ends[:1], index, ends[1:]))
    return Folded(data, index, hard)
