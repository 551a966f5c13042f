"""A pruned trigram model: how well does a word sequence sit between its neighbours?

The table holds log-probabilities of the n-grams seen often enough in clean English, under a
32-bit hash: sorted hashes as 16-bit gaps, values as one byte in steps of 1/16 nat. A hash
collision (one look-up in a thousand) costs a wrong probability, never an error. Backing off
costs a constant factor ("stupid backoff", Brants et al. 2007), which ranks as well as a
normalised model at this size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from detrans.growing import Growing

Hashes = npt.NDArray[np.uint64]
Keys = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEP = 1 / 16
BACKOFF = -0.9  # ln 0.4
UNKNOWN = -16.0
BOUNDARY = "."  # stands for any punctuation and for the ends of the text
MOST_WORDS = 100_000  # whose hashes are kept: bounds the memory of a long run
_SHIFT = np.uint32(11)  # the keys of a bucket differ in these bits alone
_BUCKETS = 1 << 21
_PRIME = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def word_hash(word: str) -> int:
    """FNV-1a over the UTF-8 bytes, 64 bits: stable across runs and machines."""
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value


BOUNDARY_HASH = np.uint64(word_hash(BOUNDARY))


def mix(value: Hashes, words: Hashes) -> Hashes:
    """The hash of sequences that go on with one more word each: (N,) from (N,) and (N,)."""
    value = (value ^ words) * np.uint64(_PRIME)
    value ^= value >> np.uint64(29)
    return value


def combine_arrays(*columns: Hashes) -> Keys:
    """The 32-bit keys of n-grams: one column of word hashes for each place in them."""
    value = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        value = mix(value, column)
    keys: Keys = (value >> np.uint64(32)).astype(np.uint32)
    return keys


# Of a word: its hash; ln of its share of clean text, nan where the table does not hold it.
_WORD = np.dtype([("hash", "u8"), ("share", "f8")])


class _Vocabulary:
    """What is known of words by themselves, worked out once: a number for each word, and a `_WORD` for each
    number, which is there before the number is."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.known = Growing(_WORD)


class NgramModel:
    """Log-probabilities of words after their one or two predecessors.

    Everything goes in and comes out by the array: one look-up costs about as much as a hundred.
    """

    def __init__(self, gaps: npt.NDArray[np.uint16], values: npt.NDArray[np.uint8]) -> None:
        self._keys: Keys = np.cumsum(gaps, dtype=np.uint32)
        self._values = values
        # Where the keys of each bucket begin. Most buckets have one key or none, so that hardly
        # anything is left to search: a third of the time of a binary search.
        self._starts = np.zeros(_BUCKETS + 1, np.int32)
        self._starts[(self._keys >> _SHIFT) + np.uint32(1)] = np.arange(1, len(self._keys) + 1)
        np.maximum.accumulate(self._starts, out=self._starts)
        self._vocabulary, self._lock = _Vocabulary(), Lock()

    @classmethod
    def load(cls, path: Path) -> NgramModel:
        """Read the table; raises what safetensors raises for a damaged file."""
        from safetensors.numpy import load_file

        tensors = load_file(path)
        return cls(tensors["gaps"], tensors["values"])

    def words(self, words: Sequence[str]) -> npt.NDArray[np.void]:
        """The `_WORD` of each word; shape (N,)."""
        vocabulary = self._vocabulary
        numbers = np.fromiter(map(vocabulary.numbers.get, words, repeat(-1)), np.int64, len(words))
        if len(numbers) and numbers.min() < 0:
            with self._lock:  # threads share one model
                if len(vocabulary.numbers) > MOST_WORDS:
                    vocabulary = self._vocabulary = _Vocabulary()
                new = [word for word in dict.fromkeys(words) if word not in vocabulary.numbers]
                known = np.empty(len(new), _WORD)
                known["hash"] = np.fromiter(map(word_hash, new), np.uint64, len(new))
                known["share"] = self.known(known["hash"])
                at = vocabulary.known.length
                vocabulary.known.extend(known)
                vocabulary.numbers.update(zip(new, range(at, at + len(new)), strict=True))
            numbers = np.fromiter(map(vocabulary.numbers.__getitem__, words), np.int64, len(words))
        return vocabulary.known.values[numbers]

    def hashes(self, words: Sequence[str]) -> Hashes:
        """`word_hash` of each word; shape (N,)."""
        result: Hashes = np.ascontiguousarray(self.words(words)["hash"])
        return result

    def _find(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], Numbers]:
        """Which keys the table holds, and the values of those."""
        bucket = keys >> _SHIFT
        at, end = self._starts.take(bucket), self._starts.take(bucket + np.uint32(1))
        found = np.zeros(len(keys), bool)
        left = np.flatnonzero(at < end)
        while len(left):
            same = self._keys.take(at[left]) == keys[left]
            found[left[same]] = True
            left = left[~same]
            at[left] += 1
            left = left[at[left] < end[left]]
        return found, -STEP * self._values[at[found]]

    def log_probs(self, before2: Hashes, before: Hashes, words: Hashes) -> Numbers:
        """ln P(word | before2 before) for columns of word hashes, backing off to shorter histories."""
        result = np.full(len(words), UNKNOWN + 2 * BACKOFF)
        left = np.arange(len(words))
        history = [before2, before, words]
        for skip in range(3):
            found, values = self._find(combine_arrays(*(column[left] for column in history[skip:])))
            result[left[found]] = skip * BACKOFF + values
            left = left[~found]
        return result

    def known(self, *columns: Hashes) -> Numbers:
        """ln P of the last word of each n-gram after the others, nan where the table does not hold it;
        (N,) from a column (N,) of word hashes for each place."""
        found, values = self._find(combine_arrays(*columns))
        result = np.full(len(found), np.nan)
        result[found] = values
        return result

    def score(self, words: Hashes, starts: Ints) -> Numbers:
        """ln P of word sequences, each after its own first two words; they lie end to end in `words`,
        none shorter than three."""
        told = np.ones(len(words), bool)
        told[starts] = told[starts + 1] = False
        at = np.flatnonzero(told)
        values = self.log_probs(words[at - 2], words[at - 1], words[at])
        return np.add.reduceat(values, starts - 2 * np.arange(len(starts)))

    def share(self, phrases: Sequence[str]) -> Numbers:
        """ln of how often each phrase begins at a word of clean text."""
        parts = [["", "", *phrase.lower().split(" ")] for phrase in phrases]
        starts = np.cumsum([0, *map(len, parts)])[:-1]
        return self.score(self.hashes([word for part in parts for word in part]), starts) - 2 * BACKOFF
