"""One document as the detector and the normaliser see it: folded text and lexicon matches."""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

import numpy as np

from detrans.fold import SPACE, Folded, Ints, fold
from detrans.language import foreign_spans
from detrans.lexicon import Form, Lexicon
from detrans.lookalikes import Disguise, disguises
from detrans.ngrams import BOUNDARY
from detrans.protect import Spans, merge, protected_spans, touches

_LINE_BREAK = re.compile(r"[\r\n]")


class Match(NamedTuple):
    """A lexicon phrase in a document: [start, end) in characters, its words, its originals.

    `first` and `last` number the words in `Document.words`; `last` is exclusive.
    """

    start: int
    end: int
    first: int
    last: int
    candidates: list[Form]

    @property
    def evidence(self) -> float:
        return self.candidates[0].evidence


class Found(NamedTuple):
    """Matches by columns: the number of the phrase in the lexicon, then as in `Match`. Most of a
    document's matches are nothing but numbers to anybody."""

    number: Ints
    start: Ints
    end: Ints
    first: Ints
    last: Ints


class Document:
    """Text with its matches (overlapping ones too) and its words for the n-gram model.

    keep: folded phrases never to touch. skipped: stretches to leave out beside those that
    `protect.py` finds.
    """

    def __init__(
        self, text: str, lexicon: Lexicon, keep: frozenset[str] = frozenset(), skipped: Spans | None = None
    ) -> None:
        self.text = text
        self._protected = protected_spans(text)
        if skipped:
            self._protected = merge(self._protected + skipped)
        self.disguised: list[Disguise] = [
            d for d in disguises(text) if self.touchable(d.start, d.end) and d.plain.lower() not in keep
        ]
        self.folded: Folded = fold(text, self._protected, self.disguised)
        self.lexicon = lexicon
        self.keep = keep

    @cached_property
    def _foreign(self) -> Spans:
        # Asked for only where something would be changed: most text never gets here.
        return foreign_spans(self.text)

    def touchable(self, start: int, end: int) -> bool:
        """Whether [start, end) is English and free of what is never touched."""
        return not touches(self._protected, start, end) and not touches(self._foreign, start, end)

    def english(self) -> Document:
        """The document without its stretches in other languages; itself if there are none."""
        if not self._foreign:
            return self
        return Document(self.text, self.lexicon, self.keep, self._foreign)

    def head(self, size: int) -> Document:
        """The document's first characters, so many, by themselves; the document if it has no more."""
        if len(self.text) <= size:
            return self
        skipped = [(start, min(end, size)) for start, end in self._protected if start < size]
        return Document(self.text[:size], self.lexicon, self.keep, skipped)

    @cached_property
    def _begins(self) -> Ints:
        """The folded offset of each word."""
        data = np.frombuffer(self.folded.data, np.uint8)
        return 1 + np.flatnonzero((data[1:] != SPACE) & (data[:-1] == SPACE))

    @property
    def word_count(self) -> int:
        return len(self._begins)

    @property
    def strong_counts(self) -> list[tuple[int, float]]:
        """(count, evidence) of each strong phrase in a leftmost-longest choice of non-overlapping matches."""
        counts = self.lexicon.strong(self.folded)
        return [(c, self.lexicon.evidence[n]) for n, c in counts.items() if not self._kept(n)]

    def _kept(self, number: int) -> bool:
        return bool(self.keep) and self.lexicon.phrases[number] in self.keep

    @cached_property
    def _words(self) -> tuple[list[str], Ints]:
        """Folded words with BOUNDARY where punctuation stood, and the folded offset of each."""
        begins = self._begins
        marks = self.folded.hard[begins]
        parted = np.diff(marks, prepend=0) > 0  # from the word before
        at = 2 + np.arange(len(begins)) + np.cumsum(parted)
        words = np.full(4 + len(begins) + int(parted.sum()), BOUNDARY, object)
        words[at] = np.array(self.folded.data.decode("ascii").split(), object)
        offsets = np.full(len(words) - 2, -1, np.int64)
        offsets[at] = begins
        offsets[at[parted] - 1] = begins[parted] - 1
        return words.tolist(), offsets

    @property
    def words(self) -> list[str]:
        return self._words[0]

    @cached_property
    def found(self) -> Found:
        """All matches that may be repaired, by start, longest first."""
        number, start, end = self.lexicon.matcher.find(self.folded)
        begin, stop = self.folded.index[start], self.folded.index[end - 1] + 1
        # A repair over a line break would have to move it.
        breaks = np.array([m.start() for m in _LINE_BREAK.finditer(self.text)], np.int64)
        good = breaks.searchsorted(begin) == breaks.searchsorted(stop)
        if self.keep:
            good &= ~np.fromiter(map(self._kept, number.tolist()), bool, len(number))
        offsets = self._words[1]
        first, last = offsets.searchsorted(start[good]), offsets.searchsorted(end[good])
        return Found(number[good], begin[good], stop[good], first, last)

    def matches_at(self, which: Ints) -> list[Match]:
        """Those of `found` with these numbers."""
        number, *columns = (column[which].tolist() for column in self.found)
        return list(map(Match, *columns, map(self.lexicon.candidates.__getitem__, number)))

    @cached_property
    def matches(self) -> list[Match]:
        """`found`, each match by itself."""
        return self.matches_at(np.arange(len(self.found.number)))
