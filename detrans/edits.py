"""Edits: what a repair changes, and how to replay, join and store the changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from detrans.errors import EditError


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace [start, end) (characters of the input) by `replacement`.

    source: who proposed it, "lexicon:TABLE" or "rule:NAME". score: probability (0 to 1) that the
    edit is right. reason: one line for people.
    """

    start: int
    end: int
    replacement: str
    source: str
    score: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_dict` turns it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Edit:
        """The edit that `to_dict` made `data` from; EditError if it is no such dictionary."""
        try:
            return cls(**data)
        except TypeError as error:
            raise EditError(f"not an edit: {data!r} ({error})") from error


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Make `edits` in `text`. EditError if they overlap or reach beyond the text."""
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if not at <= edit.start <= edit.end <= len(text):
            raise EditError(f"edit [{edit.start}, {edit.end}) overlaps another or leaves the text")
        pieces += (text[at : edit.start], edit.replacement)
        at = edit.end
    return "".join((*pieces, text[at:]))


def compose(text: str, first: Sequence[Edit], second: Sequence[Edit]) -> list[Edit]:
    """One list of edits of `text` that does what `first` and then `second` do.

    `second` refers to the text that `first` leaves. Edits that touch each other become one.
    """
    middle = apply(text, first)
    # Both lists as intervals [low, high) of the middle text; `growth` leads back to the input.
    intervals: list[tuple[int, int, int, Edit | None, Edit]] = [(e.start, e.end, 0, e, e) for e in second]
    shift = 0
    for e in first:
        growth = len(e.replacement) - (e.end - e.start)
        intervals.append((e.start + shift, e.start + shift + len(e.replacement), growth, None, e))
        shift += growth
    intervals.sort(key=lambda i: (i[0], i[1]))

    result: list[Edit] = []
    at = shift = 0
    while at < len(intervals):
        low, high, growth, _, _ = intervals[at]
        group = [intervals[at]]
        at += 1
        while at < len(intervals) and intervals[at][0] <= high:
            high = max(high, intervals[at][1])
            growth += intervals[at][2]
            group.append(intervals[at])
            at += 1
        inner = [replace(e, start=e.start - low, end=e.end - low) for *_, e, _ in group if e is not None]
        replacement = apply(middle[low:high], inner)
        start, end = low - shift, high - shift - growth
        shift += growth
        if replacement != text[start:end]:
            edits = [e for *_, e in group]
            score = min(e.score for e in edits)
            reason = "; ".join(dict.fromkeys(e.reason for e in edits))
            result.append(Edit(start, end, replacement, edits[0].source, score, reason))
    return result
