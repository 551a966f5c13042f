"""Turn documents into the network's input: passages of word pieces and the spans in them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from detrans.document import Document, Match
from detrans.features import FEATURES, MOST_CANDIDATES, Features, Rows

if TYPE_CHECKING:
    from detrans.model import Batch

LONGEST = 192  # word pieces of a passage, control tokens included
MOST_PIECES = 6  # of a candidate
CLS, SEP, FIRST_LEVEL = 101, 102, 1  # of the BERT vocabulary; [unused0] marks level 0
_SURROGATE = re.compile("[\ud800-\udfff]")
NO_ROWS: Rows = np.empty((0, FEATURES), np.float32)
_CONTROL = 2  # tokens before the text: CLS and the document's level


def plain_characters(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate: none is a character to a tokenizer; offsets stay."""
    return _SURROGATE.sub("\ufffd", text)


@dataclass(slots=True)
class Span:
    """One match in a passage: its word pieces [first, last], its candidates (*keep* first)."""

    match: Match
    first: int
    last: int
    pieces: list[list[int]]
    features: Rows


@dataclass(slots=True)
class Passage:
    """Some sentences of a document: [start, end) in characters, tokens with CLS, level and SEP.

    offsets: for each token of the text, [start, end) in characters of the document.
    """

    start: int
    end: int
    tokens: list[int]
    offsets: list[tuple[int, int]]
    spans: list[Span]


class Encoder:
    """Word pieces of passages and of candidates."""

    def __init__(self, tokenizer: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.pieces = lru_cache(maxsize=200_000)(self._pieces)

    def _pieces(self, phrase: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(phrase, add_special_tokens=False).ids
        return ids[:MOST_PIECES]

    def passages(self, document: Document, sentences: list[tuple[int, int]], level: int) -> list[Passage]:
        """Cut a document at sentence ends into passages of at most LONGEST tokens, with their spans."""
        encoding = self._tokenizer.encode(plain_characters(document.text), add_special_tokens=False)
        ids, offsets = encoding.ids, encoding.offsets
        starts = [a for a, _ in offsets]
        room = LONGEST - _CONTROL - 1
        # Token number at which each sentence ends; passages end at the last one that fits.
        ends = [bisect_left(starts, b) for _, b in sentences]
        bounds, low = [0], 0
        while low < len(ids):
            fit = bisect_right(ends, low + room) - 1
            high = ends[fit] if fit >= 0 and ends[fit] > low else min(low + room, len(ids))
            bounds.append(high)
            low = high
        result = []
        for low, high in pairwise(bounds):
            tokens = [CLS, FIRST_LEVEL + level, *ids[low:high], SEP]
            end = starts[high] if high < len(ids) else len(document.text)
            result.append(Passage(starts[low] if low else 0, end, tokens, offsets[low:high], []))
        self._add_spans(document, result)
        return result

    def _add_spans(self, document: Document, passages: list[Passage]) -> None:
        at = 0
        for match in document.matches:
            while at < len(passages) and passages[at].end <= match.start:
                at += 1
            if at == len(passages):
                return
            passage = passages[at]
            first = bisect_right(passage.offsets, match.start, key=lambda o: o[1])
            last = bisect_left(passage.offsets, match.end, key=lambda o: o[0]) - 1
            if match.end > passage.end or not first <= last < len(passage.offsets):
                continue
            passage.spans.append(Span(match, first + _CONTROL, last + _CONTROL, [], NO_ROWS))

    def describe(self, features: Features, spans: Sequence[Span]) -> None:
        """Fill in the candidates' pieces and features of spans."""
        rows, starts = features.rows([span.match for span in spans])
        for span, own in zip(spans, np.split(rows, starts)[1:], strict=True):
            candidates = span.match.candidates
            phrases = [candidates[0].spun, *(c.original for c in candidates[:MOST_CANDIDATES])]
            span.pieces = [self.pieces(p) for p in phrases]
            span.features = own


def collate(passages: list[Passage]) -> Batch:
    """Pad passages and their described spans to one batch."""
    import torch

    from detrans.model import Batch

    length = max(len(p.tokens) for p in passages)
    tokens = np.zeros((len(passages), length), np.int64)
    for row, p in enumerate(passages):
        tokens[row, : len(p.tokens)] = p.tokens
    spans = [(row, s) for row, p in enumerate(passages) for s in p.spans]
    width = max((len(s.pieces) for _, s in spans), default=1)
    deep = max((len(c) for _, s in spans for c in s.pieces), default=1)
    pieces = np.zeros((len(spans), width, deep), np.int64)
    features = np.zeros((len(spans), width, FEATURES), np.float32)
    for i, (_, s) in enumerate(spans):
        for j, c in enumerate(s.pieces):
            pieces[i, j, : len(c)] = c
        features[i, : len(s.features)] = s.features
    where = np.array([(row, s.first, s.last) for row, s in spans], np.int64).reshape(-1, 3)
    ids = torch.from_numpy(tokens)
    return Batch(
        tokens=ids,
        attention=(ids != 0).long(),
        passage=torch.from_numpy(where[:, 0].copy()),
        first=torch.from_numpy(where[:, 1].copy()),
        last=torch.from_numpy(where[:, 2].copy()),
        pieces=torch.from_numpy(pieces),
        features=torch.from_numpy(features),
    )
