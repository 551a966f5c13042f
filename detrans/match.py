"""Find many phrases at once in folded text, by whole words.

The automaton is `ahocorasick_rs`. Every pattern starts with the space before its first word,
which keeps it from matching inside words; whether a word also ends where the match ends, and
that no punctuation stands inside, is checked for all matches together in numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ahocorasick_rs
import numpy as np

from detrans.fold import APOSTROPHE, SPACE, Folded, Ints

_BLOCK = 1 << 22  # folded bytes searched at once: bounds the memory for matches not yet checked


class Matcher:
    """All whole-word occurrences of `phrases` (folded form: lower-case ASCII, single spaces)."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._longest = max((len(p) for p in phrases), default=0) + 1
        self._automaton = ahocorasick_rs.BytesAhoCorasick([b" " + p.encode("ascii") for p in phrases])

    def find(self, folded: Folded) -> tuple[Ints, Ints, Ints]:
        """Phrase numbers, starts and ends (folded offsets), overlapping matches included.

        Sorted by start, longest first. A possessive ending is no part of a word: "nation" is
        found in "nation's".
        """
        blocks = [self._whole(folded, at, hits) for at, hits in self._blocks(folded.data)]
        which, start, end = (np.concatenate(columns) for columns in zip(*blocks, strict=True))
        order = np.lexsort((which, -end, start))
        return which[order], start[order], end[order]

    def choice(self, folded: Folded) -> list[int]:
        """Phrase numbers of a leftmost-longest choice of matches, none overlapping another.

        For phrases that are rare in the text: it looks at one match after the other.
        """
        data = folded.data
        found = []
        for at, hits in self._blocks(data):
            for which, start, end in hits:
                begin, stop = at + start + 1, at + end
                ends = data[stop] == SPACE or data[stop : stop + 3] == b"'s "
                if ends and start < _BLOCK and not folded.broken(begin, stop):
                    found.append((begin, -stop, which))
        found.sort()
        chosen, free = [], -1
        for begin, stop, which in found:
            if begin >= free:
                chosen.append(which)
                free = -stop
        return chosen

    def _blocks(self, data: bytes) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
        """The offset of each block, and the phrase number, start and end in it of whatever begins there."""
        for at in range(0, len(data), _BLOCK):
            piece = data[at : at + _BLOCK + self._longest] if len(data) > _BLOCK else data
            yield at, self._automaton.find_matches_as_indexes(piece, overlapping=True)

    def _whole(self, folded: Folded, at: int, hits: list[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
        """Those of a block's matches that are whole words without punctuation among them."""
        which, start, end = np.array(hits, np.int64).reshape(-1, 3).T
        inside = start < _BLOCK
        which, start, end = which[inside], start[inside] + at + 1, end[inside] + at
        data = np.frombuffer(folded.data, np.uint8)
        after = data[end]
        possessive = (after == APOSTROPHE) & (data[np.minimum(end + 1, len(data) - 1)] == ord("s"))
        possessive &= data[np.minimum(end + 2, len(data) - 1)] == SPACE
        good = ((after == SPACE) | possessive) & (folded.hard[start] == folded.hard[end])
        return which[good], start[good], end[good]


def leftmost_longest(start: Ints, end: Ints) -> list[int]:
    """Positions of a non-overlapping choice among matches sorted as `Matcher.find` sorts them."""
    chosen, free = [], -1
    for i, (s, e) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        if s >= free:
            chosen.append(i)
            free = e
    return chosen
