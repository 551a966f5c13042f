"""A text with some repairs made, and where the places of the source lie in it.

What stands around a place tells how a phrase fits there, and damaged surroundings tell less. So the
language model reads each place among the repairs that are likely elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from detrans.edits import Edit, apply
from detrans.lm import Place


class Repaired:
    """`source` with `edits` made (in order, none overlapping); its `text`."""

    def __init__(self, source: str, edits: Sequence[Edit]) -> None:
        self.text = apply(source, edits)
        self._source = source
        self._starts, self._ends = [e.start for e in edits], [e.end for e in edits]
        growth = (len(e.replacement) - (e.end - e.start) for e in edits)
        self._shifts = list(accumulate(growth, initial=0))

    def place(self, place: Place) -> Place:
        """A place of the source, in the repaired text; it takes in all of an edit that it touches, and
        there its phrases stand among the words of the source."""
        first, last = bisect_right(self._ends, place.start), bisect_left(self._starts, place.end)
        start, end = place.start, place.end
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        before, after = self._source[start : place.start], self._source[place.end : end]
        phrases = tuple(before + phrase + after for phrase in place.phrases)
        return Place(start + self._shifts[first], end + self._shifts[max(first, last)], phrases)
