"""Count the n-grams of the clean corpora and write `models/lexical/ngrams.safetensors`.

python -m training.ngrams --corpora DIR
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from detrans.fold import SPACE, fold
from detrans.ngrams import BOUNDARY, STEP, UNKNOWN, Hashes, combine_arrays, word_hash
from training.corpora import DEFAULT, TRAIN, paragraphs

VOCABULARY = 100_000
BITS = 17  # of a word number: 2^17 > VOCABULARY


def tokens(text: str) -> list[str]:
    """The words of folded text with BOUNDARY where punctuation stood, as the normaliser sees them."""
    folded = fold(text)
    data = np.frombuffer(folded.data, np.uint8).copy()
    marks = (np.diff(folded.hard) > 0) & (data == SPACE)
    data[marks] = ord(BOUNDARY)
    words: list[str] = data.tobytes().replace(BOUNDARY.encode(), b" . ").decode("ascii").split()
    return words


def read(corpora: Path) -> tuple[list[str], np.ndarray]:
    """The vocabulary (BOUNDARY is word 0, rare words are word 1) and all text as word numbers."""
    numbers: dict[str, int] = {BOUNDARY: 0}
    chunks: list[np.ndarray] = []
    for name in TRAIN:
        batch: list[str] = []
        for paragraph in paragraphs(corpora, name):
            batch.append(paragraph)
            if len(batch) == 2000:
                chunks.append(number(batch, numbers))
                batch = []
        chunks.append(number(batch, numbers))
        print(f"{name}: {sum(map(len, chunks)):,} tokens so far", flush=True)
    stream = np.concatenate(chunks)
    counts = np.bincount(stream, minlength=len(numbers))
    order = np.argsort(-counts, kind="stable")[:VOCABULARY]
    order = np.concatenate(([0], order[order != 0]))
    words = list(numbers)
    renumber = np.ones(len(numbers), np.int32)
    renumber[order] = np.concatenate(([0], np.arange(2, len(order) + 1)))
    return [BOUNDARY, "<rare>", *(words[i] for i in order[1:])], renumber[stream]


def number(batch: list[str], numbers: dict[str, int]) -> np.ndarray:
    words = tokens(" . . \n".join(batch) + " . . ")
    return np.fromiter((numbers.setdefault(w, len(numbers)) for w in words), np.int32, len(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--output", type=Path, default=Path("models/lexical/ngrams.safetensors"))
    parser.add_argument("--bigrams", type=int, default=4, help="least count of a kept bigram")
    parser.add_argument("--trigrams", type=int, default=6, help="least count of a kept trigram")
    args = parser.parse_args()

    words, stream = read(args.corpora)
    hashes = np.array([word_hash(w) for w in words], np.uint64)
    stream = stream.astype(np.int64)
    keys: list[np.ndarray] = []
    values: list[np.ndarray] = []

    def keep(columns: list[Hashes], logs: np.ndarray) -> None:
        keys.append(combine_arrays(*columns))
        values.append(np.clip(np.rint(-logs / STEP), 0, 255).astype(np.uint8))

    one = np.bincount(stream, minlength=len(words)).astype(np.int64)
    known = np.arange(len(words)) != 1
    keep([hashes[known]], np.maximum(np.log(np.maximum(one[known], 1) / len(stream)), UNKNOWN))

    pair = stream[:-1] << BITS | stream[1:]
    pairs, pair_counts = np.unique(pair, return_counts=True)
    good = (pair_counts >= args.bigrams) & (pairs >> BITS != 1) & (pairs & (1 << BITS) - 1 != 1)
    first, second = pairs[good] >> BITS, pairs[good] & (1 << BITS) - 1
    keep([hashes[first], hashes[second]], np.log(pair_counts[good] / one[first]))

    # A slice at a time: sorting all trigrams at once would take several gigabytes.
    base = np.searchsorted(pairs, pair[:-1])
    for part in range(16):
        chosen = base % 16 == part
        key = base[chosen] << BITS | stream[2:][chosen]
        trigrams, counts = np.unique(key, return_counts=True)
        history, third = trigrams >> BITS, trigrams & (1 << BITS) - 1
        first, second = pairs[history] >> BITS, pairs[history] & (1 << BITS) - 1
        good = (counts >= args.trigrams) & (first != 1) & (second != 1) & (third != 1)
        keep(
            [hashes[first[good]], hashes[second[good]], hashes[third[good]]],
            np.log(counts[good] / pair_counts[history[good]]),
        )
    key, value = np.concatenate(keys), np.concatenate(values)
    key, at = np.unique(key, return_index=True)
    gaps = np.diff(key.astype(np.int64), prepend=0)
    # A gap too wide for 16 bits is bridged by entries that no word hashes to on purpose.
    while (gaps > 65535).any():
        wide = np.flatnonzero(gaps > 65535)
        gaps = np.insert(gaps, wide, 65535)
        at = np.insert(at, wide, 0)
        gaps[wide + np.arange(1, len(wide) + 1)] -= 65535
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_file({"gaps": gaps.astype(np.uint16), "values": value[at]}, args.output)
    kinds = Counter({f"{n + 1}-grams": len(k) for n, k in enumerate(keys[:2])})
    kinds["3-grams"] = sum(len(k) for k in keys[2:])
    print(dict(kinds), f"{args.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
