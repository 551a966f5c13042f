"""Turn the Problematic Paper Screener's list of tortured phrases into a lexicon table.

    python -m training.tortured PATH/tortured_phrases.csv > detrans/lexicon/tables/tortured.tsv

The list is made of search queries: "a" AND "b" NOT "c", "a b"~5. Taken are rows whose query
begins with one plain quoted phrase of two words or more and whose expected text is one clear
phrase; proximity queries, notes, questions and alternatives that say two things are left out.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

from training.table import write_table

_PHRASE = re.compile(r'"([^"]+)"(?!~)')
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_INNER = re.compile(r"\w[A-Z]")
_PLAIN = re.compile(r"[a-z][a-z0-9'-]*(?: [a-z0-9][a-z0-9'-]*){0,5}")


def rows(path: Path) -> list[tuple[str, str, str]]:
    """(spun, original, part of speech), sorted."""
    found: dict[tuple[str, str], str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            query, expected = row["tortured_phrase"].strip(), row["expected_phrase"]
            phrase = _PHRASE.match(query if query.startswith('"') else f'"{query}"')
            # Names and abbreviations with inner capitals would lose them here.
            if phrase is None or "?" in expected or "see " in expected or _INNER.search(expected):
                continue
            spun = " ".join(phrase[1].lower().split())
            original = re.split(r"\s*(?:,|;|/| or |\|)\s*", _ASIDE.sub(" ", expected).strip())[0]
            original = " ".join(original.lower().split())
            if not (_PLAIN.fullmatch(spun) and _PLAIN.fullmatch(original)) or " " not in spun:
                continue
            # A pair that shares no first letters but a wildly different length is a note, not a repair.
            if spun == original or abs(len(spun.split()) - len(original.split())) > 2:
                continue
            singular = len(original) > 3 and not any(
                p.endswith(("s", "ing", "ed", "ly")) for p in (spun, original)
            )
            found.setdefault((spun, original), "n" if singular else "x")
    return sorted((s, o, pos) for (s, o), pos in found.items())


def main() -> None:
    write_table((spun, original, pos, 1, "sci") for spun, original, pos in rows(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
