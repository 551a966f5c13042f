"""Turn observed substitutions into a lexicon table, on standard output.

    python -m training.observed PATH.tsv [PATH.tsv ...] > detrans/lexicon/tables/observed.tsv
    python -m training.observed training/written/news.gold > detrans/lexicon/tables/written_news.tsv

A TSV list (spun, original[, count]) holds pairs seen on real spun pages; they stand as they were
seen. A gold text (see `benchmarks/gold.py`) gives its marks; where both sides of one are forms of
the same kind ("mentioned", "said"), the base pair is written, so that all its forms are known.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lemminflect import getAllLemmas

from benchmarks.gold import located, plain
from benchmarks.testsets import passages
from training.inflect import TAGS, inflect
from training.table import write_table

UPOS = {"v": "VERB", "n": "NOUN", "a": "ADJ"}
Pairs = dict[tuple[str, str], int]


def listed(path: Path) -> Pairs:
    """Pairs of a TSV list with their counts; pairs without one count as seen twice."""
    found: Pairs = {}
    for line in path.read_text(encoding="utf-8").split("\n")[1:]:
        cells = [" ".join(c.split()) for c in line.split("\t")]
        if len(cells) >= 2:
            count = int(cells[2]) if len(cells) > 2 and cells[2].isdigit() else 2
            found.setdefault((cells[0], cells[1]), count)
    return found


def marked(path: Path) -> Pairs:
    """Marks of a gold file (damaged side, first alternative) with how often each stands there."""
    found: Counter[tuple[str, str]] = Counter()
    for gold in passages(path):
        text = plain(gold)
        found.update((text[a:b], accepted[0]) for a, b, _, accepted in located(gold) if accepted[0])
    return found


def normal(pairs: Pairs) -> Pairs:
    """Lower case and plain apostrophes; originals that are names keep their capitals."""
    found: Pairs = {}
    for (spun, original), count in pairs.items():
        spun, original = (" ".join(s.replace("’", "'").split()) for s in (spun, original))
        if not spun.isascii() or spun.lower() == original.lower():
            continue
        # Sentence-initial capitals say nothing; names keep theirs.
        words = original.split()
        if len(words) < 2 or not all(w[:1].isupper() for w in words):
            original = original.lower()
        key = (spun.lower(), original)
        found[key] = found.get(key, 0) + count
    return found


def bases(spun: str, original: str) -> Iterator[tuple[str, str, str]]:
    """Base pairs (spun, original, part of speech) of which both words are the same inflected form."""
    if " " in spun + original or not (spun.isalpha() and original.isalpha()):
        return
    for pos, upos in UPOS.items():
        for tag in TAGS[pos]:
            pairs = [
                (s, o)
                for s in getAllLemmas(spun, upos=upos).get(upos, ())
                for o in getAllLemmas(original, upos=upos).get(upos, ())
                if spun in inflect(s, tag) and original in inflect(o, tag) and s != o
            ]
            if pairs:
                yield (*pairs[0], pos)
                break


def main() -> None:
    rows: Counter[tuple[str, str, str]] = Counter()
    for path in map(Path, sys.argv[1:]):
        gold = path.suffix == ".gold"
        for (spun, original), count in normal(marked(path) if gold else listed(path)).items():
            known = list(bases(spun, original)) if gold else []
            for base in known or [(spun, original, "x")]:
                rows[base] += count
    write_table(
        (spun, original, pos, 3 if count >= 4 else 2 if count >= 2 else 1, "any")
        for (spun, original, pos), count in sorted(rows.items())
    )


if __name__ == "__main__":
    main()
