"""Write a lexicon table that a script derives: on standard output, without what a reader refused.

`rejected.tsv` (spun, original, part of speech) holds the rows that a second reader took out of the
derived tables: wrong parts of speech, cut-off phrases, pairs whose repair would spoil sound text.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

REJECTED = Path(__file__).parent / "rejected.tsv"
Row = tuple[str, str, str, int, str]  # spun, original, part of speech, weight, family


def rejected() -> set[tuple[str, ...]]:
    lines = REJECTED.read_text(encoding="utf-8").splitlines()
    return {tuple(line.split("\t")) for line in lines[1:]}


def write_table(rows: Iterable[Row]) -> None:
    """Print a table, rows in the order given."""
    refused = rejected()
    print("spun\toriginal\tpos\tweight\tfamily")
    for row in rows:
        if row[:3] not in refused:
            print(*row, sep="\t")
