"""Derive the table of crude synonym swaps from WordNet.

    python -m training.wordnet --wordnet /usr/share/wordnet > detrans/lexicon/tables/wordnet.tsv

The old spinners put any member of a word's synset in its place, whatever the sense. Originals are
the frequent words of clean English (by the n-gram model); their common senses give the swaps.
WordNet 3.0 is Princeton University's, free to use with its notice (Debian: wordnet-base).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from detrans.ngrams import NgramModel
from training.table import write_table

PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "x"}
FREQUENT, TOO_FREQUENT = -11.3, -7.0  # ln of a word's share of clean text
MOST_SENSES, MOST_SWAPS = 3, 3


def synsets(wordnet: Path, part: str) -> dict[str, list[str]]:
    """The words of each synset, by its offset in the data file."""
    result = {}
    for line in (wordnet / f"data.{part}").read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith(" "):
            cells = line.split(" ")
            words = cells[4 : 4 + 2 * int(cells[3], 16) : 2]
            result[cells[0]] = [w.split("(")[0].replace("_", " ") for w in words]
    return result


def american(word: str) -> str:
    """A rough American spelling: two spellings of one word are no swap."""
    for british, ours in (("ise", "ize"), ("isa", "iza"), ("our", "or"), ("ll", "l"), ("tre", "ter")):
        word = word.replace(british, ours)
    return word.replace("-", "").replace(" ", "")


def swaps(wordnet: Path, part: str, ngrams: NgramModel) -> list[tuple[str, str, int]]:
    """(spun, original, weight) for one part of speech."""
    members = synsets(wordnet, part)
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for line in (wordnet / f"index.{part}").read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith(" "):
            continue
        cells = line.split()
        original, count, pointers = cells[0], int(cells[2]), int(cells[3])
        offsets, tagged = cells[-count:], int(cells[5 + pointers])
        share = float(ngrams.share([original])[0])
        if not (original.isalpha() and len(original) > 2 and FREQUENT < share < TOO_FREQUENT):
            continue
        for sense, offset in enumerate(offsets[:MOST_SENSES]):
            if sense and sense >= tagged:
                continue
            for spun in members[offset]:
                plain = spun.replace(" ", "").replace("-", "")
                known = [s for s, _ in found[original]]
                if not (plain.isascii() and plain.islower() and plain.isalpha() and len(plain) > 2):
                    continue
                # A swap for a word far more frequent is hardly ever seen, and never safe to undo.
                rarer = " " in spun or float(ngrams.share([spun])[0]) < share + 0.7
                if (
                    rarer
                    and american(spun) != american(original)
                    and spun not in known
                    and len(known) < MOST_SWAPS
                ):
                    found[original].append((spun, 2 if sense == 0 else 1))
    return [(spun, original, weight) for original, many in sorted(found.items()) for spun, weight in many]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--ngrams", type=Path, default=Path("models/lexical/ngrams.safetensors"))
    args = parser.parse_args()
    ngrams = NgramModel.load(args.ngrams)
    write_table(
        (spun, original, pos, weight, "crude")
        for part, pos in PARTS.items()
        for spun, original, weight in swaps(args.wordnet, part, ngrams)
    )


if __name__ == "__main__":
    main()
