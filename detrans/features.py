"""What is known of a candidate besides the passage: its place among the n-grams, its
share among the originals, and how often the document has it.

All candidates of a document are worked on together, as a document has hundreds of matches with some
candidates each, and numpy takes hardly longer for a thousand rows than for one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from detrans.document import Document
from detrans.growing import Growing
from detrans.lexicon import Form, Lexicon
from detrans.ngrams import BOUNDARY_HASH, Hashes, Ints, NgramModel, Numbers, mix

FEATURES = 26  # numbers for each candidate
MOST_CANDIDATES = 20  # per span, by share
NEAR = 25  # words to each side in which other matches speak for or against a match
CLIP = 4.0  # the most that a match's evidence counts, so that one phrase cannot shout down the rest

Rows = npt.NDArray[np.float32]

# A phrase: which rows are its own; its evidence, clipped, and its likeliest family.
_PHRASE = np.dtype([("first", "i8"), ("count", "i8"), ("evidence", "f8"), ("family", "i8")])
# A row: the features that no document changes (columns _FIXED); where its words are; its family; the hash of
# all words, and of the last with a possessive ending; their share of clean text.
# Narrow, as a long run meets most of the lexicon.
_FIXED = [0, 4, 5, 6, 7, 10]
_ROW = np.dtype(
    [
        ("fixed", "f4", len(_FIXED)),
        ("word", "i4"),
        ("length", "i2"),
        ("family", "i2"),
        ("hash", "u8"),
        ("possessive", "u8"),
        ("share", "f8"),
    ]
)


def _offsets(lengths: Ints) -> Ints:
    """Where each of some stretches begins that lie end to end."""
    return np.cumsum(lengths) - lengths


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """The numbers from each start on, as many as its length says, end to end."""
    return np.arange(lengths.sum()) + np.repeat(starts - _offsets(lengths), lengths)


def _fixed(forms: list[Form]) -> Iterator[tuple[float, ...]]:
    """The features in columns _FIXED of *keep* and of each candidate."""
    spun = forms[0]
    yield 1.0, 0.0, spun.evidence / 4, math.log10(spun.rate + 0.01) / 3, 0.0, 0.0
    length = spun.spun.count(" ")
    for form in forms:
        longer = form.original.count(" ") - length
        yield 0.0, math.log(form.share + 1e-4) / 4, 0.0, 0.0, longer / 2, family_kind(form.family)


def family_kind(family: str) -> float:
    """0 for a pair of many spinners, 1 for one of a family, -1 for one that a thesaurus merely allows."""
    return {"any": 0.0, "thesaurus": -1.0}.get(family, 1.0)


class Phrasebook:
    """What the lexicon and the n-grams say of phrases whatever the document: worked out when a phrase
    is first met, then kept. Row by row for *keep* and each candidate of a phrase."""

    def __init__(self, ngrams: NgramModel) -> None:
        self.ngrams = ngrams
        self._lock = Lock()
        self.longest = 1  # words of a phrase
        self.families = {"any": 0}
        # Of each lexicon the place of its phrases here, by their number there; -1 for one not yet met.
        self._places: WeakKeyDictionary[Lexicon, Ints] = WeakKeyDictionary()
        self._phrases, self._rows = Growing(_PHRASE), Growing(_ROW)
        self._words = Growing(np.uint64)

    def phrases(self, lexicon: Lexicon, numbers: Ints) -> npt.NDArray[Any]:
        """The `_PHRASE` of each of a lexicon's phrases with these numbers."""
        with self._lock:  # threads share one book
            places = self._places.get(lexicon)
            if places is None:
                places = self._places[lexicon] = np.full(len(lexicon.phrases), -1)
            if len(new := np.unique(numbers[places[numbers] < 0])):
                at = self._phrases.length
                self._learn([lexicon.candidates[n] for n in new.tolist()])
                places[new] = at + np.arange(len(new))  # last: what fails is not taken for known
            return self._phrases.values[places[numbers]]

    def rows(self, phrases: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The `_ROW`s of phrases, end to end."""
        return self._rows.values[_ranges(phrases["first"], phrases["count"])]

    def words(self, which: Ints) -> Hashes:
        """The hashes of words by their number."""
        hashes: Hashes = self._words.values[which]
        return hashes

    def _learn(self, new: list[list[Form]]) -> None:
        forms = [candidates[:MOST_CANDIDATES] for candidates in new]
        phrases = np.empty(len(new), _PHRASE)
        phrases["count"] = [1 + len(some) for some in forms]
        phrases["first"] = self._rows.length + _offsets(phrases["count"])
        phrases["evidence"] = np.clip([some[0].evidence for some in forms], 0.0, CLIP)
        phrases["family"] = [self._family(some[0]) for some in forms]
        self._add_rows(forms)
        self._phrases.extend(phrases)

    def _add_rows(self, forms: list[list[Form]]) -> None:
        spelt = [p.lower() for some in forms for p in (some[0].spun, *(f.original for f in some))]
        split = [phrase.split(" ") for phrase in spelt]
        words = self.ngrams.hashes([word for one in split for word in one])
        rows = np.empty(len(spelt), _ROW)
        rows["fixed"] = [row for some in forms for row in _fixed(some)]
        rows["length"] = [len(one) for one in split]
        starts = _offsets(rows["length"])
        rows["word"] = self._words.length + starts
        rows["hash"] = self._hash(words, starts, rows["length"])
        rows["possessive"] = self.ngrams.hashes([one[-1] + "'s" for one in split])
        rows["share"] = np.exp(self.ngrams.share(spelt))
        rows["family"] = [f for some in forms for f in (0, *map(self._family, some))]
        self._words.extend(words)
        self._rows.extend(rows)

    def _hash(self, words: Hashes, starts: Ints, lengths: Ints) -> Hashes:
        """One hash for each of the phrases that lie end to end in `words`."""
        value = np.zeros(len(starts), np.uint64)
        self.longest = max(self.longest, int(lengths.max()))
        for i in range(self.longest):
            longer = lengths > i
            value[longer] = mix(value[longer], words[starts[longer] + i])
        return value

    def _family(self, form: Form) -> int:
        return self.families.setdefault(form.family, len(self.families))


class Features:
    """Rows of `FEATURES` numbers of magnitude about one for the matches of one document."""

    def __init__(self, document: Document, level: int, book: Phrasebook) -> None:
        self._document, self._book = document, book
        self._level = level / 4 - 1
        phrases = book.phrases(document.lexicon, document.found.number)
        mass = np.zeros(len(document.words) + 1)
        # The strongest reading of each word.
        np.maximum.at(mass, document.found.first + 1, phrases["evidence"] / CLIP)
        self._mass = np.cumsum(mass)
        # How much here looks like the work of the spinners of a family, of those that are told apart.
        family = np.bincount(phrases["family"], phrases["evidence"], len(book.families))
        # Summed by size: which family was met first is another document's doing.
        self._family = family / (1 + np.sort(family).sum())
        self._family[book.families["any"]] = 0.0

    def rows(self, which: slice = slice(None)) -> tuple[Rows, Ints]:
        """For each of these matches of the document *keep* and the candidates, each with its own
        numbers, then those of *keep* and the place, (N, FEATURES); and the row of each *keep*."""
        number, _, _, first, last = (column[which] for column in self._document.found)
        phrases = self._book.phrases(self._document.lexicon, number)
        rows = self._book.rows(phrases)
        starts = _offsets(phrases["count"])
        match = np.repeat(np.arange(len(number)), phrases["count"])
        context = self._context(rows, starts, match, first, last)
        best = np.maximum.reduceat(context, starts)
        result = np.empty((len(rows), FEATURES), np.float32)
        result[:, _FIXED] = rows["fixed"]
        result[:, 1] = (context - context[starts][match]) / 8
        result[:, 2] = (context - best[match]) / 8
        result[:, 3] = context / 40
        # A spinner that writes "stated" for "said" leaves many of the one and none of the other,
        # which no single passage shows: how often a phrase is here, and would be in clean text.
        result[:, 8] = np.log1p(self._counts(rows["hash"])) / 2
        result[:, 9] = np.log1p(self._document.word_count * rows["share"]) / 2
        result[:, 11] = self._family[rows["family"]]
        result[:, 12:24] = result[starts, :12][match]
        result[:, 24] = self._level
        result[:, 25] = self._near(first, last)[match]
        return result, starts

    @cached_property
    def _hashes(self) -> Hashes:
        return self._book.ngrams.hashes(self._document.words)

    def _context(self, rows: npt.NDArray[Any], starts: Ints, match: Ints, first: Ints, last: Ints) -> Numbers:
        """ln P of each row's words between the two words before the match and the two after."""
        here, length = self._hashes, rows["length"]
        end = np.cumsum(length + 4)
        begin = end - length - 4
        words = np.empty((length + 4).sum(), np.uint64)
        words[begin], words[begin + 1] = here[first - 2][match], here[first - 1][match]
        words[_ranges(begin + 2, length)] = self._book.words(_ranges(rows["word"], length))
        words[end - 2], words[end - 1] = here[last][match], here[last + 1][match]
        # A possessive ending is no part of the phrase and stays.
        possessive = (words[end[starts] - 3] != here[last - 1])[match]
        words[end[possessive] - 3] = rows["possessive"][possessive]
        return self._book.ngrams.score(words, begin)

    @cached_property
    def _windows(self) -> Hashes:
        """The hashes of all the document's word sequences without punctuation, sorted."""
        words, hashes = self._document.words, self._hashes
        inside = hashes != BOUNDARY_HASH
        possessive = np.fromiter((w.endswith("'s") for w in words), bool, len(words))
        plain = np.zeros(len(words), np.uint64)
        plain[possessive] = self._book.ngrams.hashes([w[:-2] for w in words if w.endswith("'s")])
        at = np.flatnonzero(inside)
        value = np.zeros(len(at), np.uint64)
        found = []
        for _ in range(self._book.longest):
            short = possessive[at]
            found.append(mix(value[short], plain[at[short]]))
            value = mix(value, hashes[at])
            found.append(value)
            more = inside[at + 1]
            at, value = at[more] + 1, value[more]
        return np.sort(np.concatenate(found))

    def _counts(self, phrases: Hashes) -> Ints:
        """How often the document has each phrase by whole words, possessives included."""
        windows = self._windows
        return windows.searchsorted(phrases, "right") - windows.searchsorted(phrases)

    def _near(self, first: Ints, last: Ints) -> Numbers:
        """Evidence of the matches around each."""
        sums = self._mass
        low, high = np.maximum(first - NEAR, 0), np.minimum(last + NEAR, len(sums) - 1)
        around: Numbers = (sums[high] - sums[low] - (sums[last] - sums[first])) / np.sqrt(high - low)
        return around
