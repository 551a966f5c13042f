"""A pruned trigram model: how well does a word sequence sit between its neighbours?

The table holds log-probabilities of the n-grams seen often enough in clean English, under a
32-bit hash: sorted hashes as 16-bit gaps, values as one byte in steps of 1/16 nat. A hash
collision (one look-up in a thousand) costs a wrong probability, never an error. Backing off
costs a constant factor ("stupid backoff", Brants et al. 2007), which ranks as well as a
normalised model at this size.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

STEP = 1 / 16
BACKOFF = -0.9  # ln 0.4
UNKNOWN = -16.0
BOUNDARY = "."  # stands for any punctuation and for the ends of the text
_PRIME = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def word_hash(word: str) -> int:
    """FNV-1a over the UTF-8 bytes, 64 bits: stable across runs and machines."""
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value


def combine(*hashes: int) -> int:
    """The 32-bit key of an n-gram from its words' hashes."""
    value = 0
    for h in hashes:
        value = ((value ^ h) * _PRIME) & _MASK
        value ^= value >> 29
    return value >> 32


def combine_arrays(*columns: Hashes) -> npt.NDArray[np.uint32]:
    """`combine` over arrays: one column of word hashes for each place in the n-gram."""
    value = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        value = (value ^ column) * np.uint64(_PRIME)
        value ^= value >> np.uint64(29)
    keys: npt.NDArray[np.uint32] = (value >> np.uint64(32)).astype(np.uint32)
    return keys


class NgramModel:
    """Log-probabilities of words after their one or two predecessors."""

    def __init__(self, gaps: npt.NDArray[np.uint16], values: npt.NDArray[np.uint8]) -> None:
        keys = np.cumsum(gaps, dtype=np.uint32)
        # Single numbers come out of a memoryview faster than out of an array.
        self._keys = keys.data
        self._values = (-STEP * values.astype(np.float32)).data
        # Where the keys with each first half begin: what is left to search is short.
        halves = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
        self._starts: list[int] = [*keys.searchsorted(halves).tolist(), len(keys)]
        self._cache: dict[tuple[str, ...], float] = {}
        self._hashes: dict[str, int] = {}

    @classmethod
    def load(cls, path: Path) -> NgramModel:
        """Read the table; raises what safetensors raises for a damaged file."""
        from safetensors.numpy import load_file

        tensors = load_file(path)
        return cls(tensors["gaps"], tensors["values"])

    def _lookup(self, words: tuple[str, ...]) -> float | None:
        hashes = []
        for word in words:
            known = self._hashes.get(word)
            if known is None:
                known = self._hashes[word] = word_hash(word)
            hashes.append(known)
        key = combine(*hashes)
        half = key >> 16
        at = bisect_left(self._keys, key, self._starts[half], self._starts[half + 1])
        if at < len(self._keys) and self._keys[at] == key:
            return self._values[at]
        return None

    def log_prob(self, word: str, before: str, before2: str) -> float:
        """ln P(word | before2 before), backing off to shorter histories."""
        gram = (before2, before, word)
        known = self._cache.get(gram)
        if known is not None:
            return known
        penalty = 0.0
        result = UNKNOWN + 2 * BACKOFF
        for skip in range(3):
            found = self._lookup(gram[skip:])
            if found is not None:
                result = penalty + found
                break
            penalty += BACKOFF
        if len(self._cache) > 500_000:  # bounds the memory of a long run
            self._cache.clear()
            self._hashes.clear()
        self._cache[gram] = result
        return result

    def share(self, phrase: str) -> float:
        """ln of how often the phrase begins at a word of clean text, the words told by unigram first."""
        first, *rest = phrase.lower().split(" ")
        total = self.log_prob(first, "", "") - 2 * BACKOFF
        before2, before = "", first
        for word in rest:
            total += self.log_prob(word, before, before2)
            before2, before = before, word
        return total

    def score(self, left: tuple[str, str], words: list[str], right: tuple[str, str]) -> float:
        """ln P(words right | left): what the sequence and its two followers cost together.

        `left` is (second word before, word before); `right` the two words after.
        """
        sequence = [*left, *words, *right]
        return sum(
            self.log_prob(sequence[i], sequence[i - 1], sequence[i - 2]) for i in range(2, len(sequence))
        )
