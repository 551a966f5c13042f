"""Cut text into sentences, by lines first, so that joining the pieces gives the text back."""

from __future__ import annotations

import re
from itertools import pairwise

_LONGEST = 5_000  # characters handed to the segmenter at once: its time grows faster than linearly
_SURROGATE = re.compile("[\ud800-\udfff]")  # undecodable bytes; the segmenter reads UTF-8 only


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every sentence: [start, end) in characters, in order, covering all of `text`.

    White space and line breaks belong to the sentence before them. Lines are never joined, and what
    stands in quotation marks or brackets is not cut.
    """
    from sentencex import get_sentence_boundaries

    readable = _SURROGATE.sub("?", text)
    spans: list[tuple[int, int]] = []
    at = 0
    for line in readable.splitlines(keepends=True):
        offset = 0
        while offset < len(line):
            piece = line[offset : offset + _LONGEST]
            if offset + _LONGEST < len(line) and (cut := piece.rfind(" ")) > 0:
                piece = piece[: cut + 1]
            starts = [b["start_index"] for b in get_sentence_boundaries("en", piece)]
            bounds = [0, *starts[1:], len(piece)]
            spans += [(at + offset + a, at + offset + b) for a, b in pairwise(bounds) if a < b]
            offset += len(piece)
        at += len(line)
    return spans
