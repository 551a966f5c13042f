"""Turn a list of observed substitutions (spun, original[, count]) into a lexicon table.

    python -m training.observed PATH.tsv [PATH.tsv ...] > detrans/lexicon/tables/observed.tsv

These pairs were seen on real spun pages; they stand as they were seen, without inflection.
"""

from __future__ import annotations

import sys
from pathlib import Path


def rows(paths: list[Path]) -> list[tuple[str, str, int]]:
    """(spun, original, weight), the first spelling of a pair winning."""
    found: dict[tuple[str, str], int] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").split("\n")[1:]:
            cells = [" ".join(c.split()) for c in line.replace("’", "'").split("\t")]
            if len(cells) < 2 or not cells[0].isascii() or cells[0].lower() == cells[1].lower():
                continue
            spun, original = cells[0].lower(), cells[1]
            # Sentence-initial capitals say nothing; names keep theirs.
            words = original.split()
            if len(words) < 2 or not all(w[:1].isupper() for w in words):
                original = original.lower()
            count = int(cells[2]) if len(cells) > 2 and cells[2].isdigit() else 2
            weight = 3 if count >= 4 else 2 if count >= 2 else 1
            found.setdefault((spun, original), weight)
    return sorted((s, o, w) for (s, o), w in found.items())


def main() -> None:
    print("spun\toriginal\tpos\tweight\tfamily")
    for spun, original, weight in rows([Path(a) for a in sys.argv[1:]]):
        print(f"{spun}\t{original}\tx\t{weight}\tany")


if __name__ == "__main__":
    main()
