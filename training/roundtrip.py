"""Machine translation out and back through apertium: real damage, aligned with its original.

    python -m training.roundtrip damage --corpora DIR --pair eng-spa --output .cache/roundtrip/spa.jsonl
    python -m training.roundtrip table .cache/roundtrip/*.jsonl > detrans/lexicon/tables/roundtrip.tsv

Debian's packages apertium, apertium-eng-spa, apertium-eo-en and apertium-en-gl translate offline;
apertium-eng-cat is for the test set `catalan` only. `table` keeps the word and phrase swaps that
several texts show.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path

from detrans.fold import fold
from detrans.spin import FUNCTION_WORDS, Span, Spun
from training.corpora import DEFAULT, paragraphs
from training.table import write_table

_TOKEN = re.compile(r"\w+(?:[’'\-]\w+)*|[^\w\s]")
LONGEST = 3  # words to each side of a swap in the table
SEEN = 6  # texts that show a swap


def translate(lines: list[str], mode: str) -> list[str]:
    """One paragraph a line through one apertium mode; unknown words stay as they are."""
    # Blank lines keep apertium from running paragraphs together.
    done = subprocess.run(
        ["apertium", "-u", mode], input="\n\n".join(lines), capture_output=True, text=True, check=True
    )
    result = done.stdout.rstrip("\n").split("\n\n")
    return [" ".join(r.split()) for r in result]


def out_and_back(lines: list[str], pair: str) -> Iterator[tuple[str, str]]:
    """(clean, damaged) paragraphs; `pair` names the mode there ("eng-spa"), whose reverse leads back."""
    there, _, back = pair.partition("-")
    for i in range(0, len(lines), 500):
        part = lines[i : i + 500]
        damaged = translate(translate(part, pair), f"{back}-{there}")
        if len(damaged) == len(part):  # else apertium lost a paragraph and nothing lines up
            yield from zip(part, damaged, strict=True)


def align(clean: str, damaged: str) -> Spun:
    """The damaged text with the stretch of clean text that each changed stretch stands for."""
    old, new = ([(m.start(), m.end(), m[0]) for m in _TOKEN.finditer(t)] for t in (clean, damaged))
    matcher = SequenceMatcher(None, [w.lower() for *_, w in old], [w.lower() for *_, w in new], False)
    spans: list[Span] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        # An insertion or deletion takes in its neighbour: a span is never empty.
        if (a == b or c == d) and a > 0:
            a, c = a - 1, c - 1
        elif a == b or c == d:
            b, d = min(b + 1, len(old)), min(d + 1, len(new))
        if a < b and c < d and (not spans or new[c][0] >= spans[-1].end):
            spans.append(Span(new[c][0], new[d - 1][1], clean[old[a][0] : old[b - 1][1]]))
    return Spun(damaged, tuple(spans), "mt")


def swaps(spun: Spun) -> set[tuple[str, str]]:
    """Short swaps of one text in folded form."""
    found = set()
    for span in spun.spans:
        pair = [
            " ".join(fold(t).data.decode("ascii").split())
            for t in (spun.text[span.start : span.end], span.original)
        ]
        words = [p.split() for p in pair]
        if (
            all(0 < len(w) <= LONGEST and all(x.isalpha() for x in w) for w in words)
            # A word more or less is a matter of grammar, which a lexicon cannot put right.
            and not set(words[0]) <= set(words[1])
            and not set(words[1]) <= set(words[0])
            and pair[0][:3] != pair[1][:3]
            and not set(words[0]) <= FUNCTION_WORDS
            and not set(words[1]) <= FUNCTION_WORDS
            and span.original[:1].islower()
        ):
            found.add((pair[0], pair[1]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    damage = commands.add_parser("damage")
    damage.add_argument("--corpora", type=Path, default=DEFAULT)
    damage.add_argument("--name", default="news.train")
    damage.add_argument("--pair", required=True)
    damage.add_argument("--count", type=int, default=5000, help="paragraphs")
    damage.add_argument("--skip", type=int, default=0)
    damage.add_argument("--output", type=Path, required=True)
    table = commands.add_parser("table")
    table.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args()

    if args.command == "damage":
        lines = (p for p in paragraphs(args.corpora, args.name) if 80 < len(p) < 1200)
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with args.output.open("w", encoding="utf-8") as file:
            for clean, damaged in out_and_back(
                list(islice(lines, args.skip, args.skip + args.count)), args.pair
            ):
                file.write(json.dumps({"clean": clean, "damaged": damaged}, ensure_ascii=False) + "\n")
        return
    seen: Counter[tuple[str, str]] = Counter()
    for path in args.files:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            seen.update(swaps(align(record["clean"], record["damaged"])))
    write_table(
        (spun, original, "x", 2 if count >= 30 else 1, "mt")
        for (spun, original), count in sorted(seen.items())
        if count >= SEEN
    )


if __name__ == "__main__":
    main()
