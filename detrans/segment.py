"""Cut text into sentences, by lines first, so that joining the pieces gives the text back."""

from __future__ import annotations

from itertools import pairwise

_LONGEST = 20_000  # characters handed to the segmenter at once; a longer line is cut at a space


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every sentence: [start, end) in characters, in order, covering all of `text`.

    White space and line breaks belong to the sentence before them. Lines are never joined.
    """
    import nupunkt  # deferred: reads its model when first used

    spans: list[tuple[int, int]] = []
    at = 0
    for line in text.splitlines(keepends=True):
        offset = 0
        while offset < len(line):
            piece = line[offset : offset + _LONGEST]
            if offset + _LONGEST < len(line) and (cut := piece.rfind(" ")) > 0:
                piece = piece[: cut + 1]
            starts = [s for s, _ in nupunkt.sent_spans(piece)] if piece.strip() else []
            bounds = [0, *starts[1:], len(piece)]
            spans += [(at + offset + a, at + offset + b) for a, b in pairwise(bounds) if a < b]
            offset += len(piece)
        at += len(line)
    return spans
