"""How much of real damage the lexicon could repair: is the right original among the candidates?

    python -m benchmarks.coverage [--observed shared/data/substitutions.tsv]

Prints the share of required spans of `wild` whose accepted repair the lexicon proposes for the span
as it stands or as part of a longer match, by domain and for the whole, and that for `programs`. With
--observed, a TSV of pairs seen on real pages (spun, original), also the share of those that each table
holds; `observed.tsv` was made from such a list and is left out.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.gold import located, plain
from benchmarks.testsets import DATA, passages
from detrans.document import Document
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms


def covered(gold: str, lexicon: Lexicon) -> tuple[int, int]:
    """(spans the lexicon can repair, required spans) of one gold text."""
    text = plain(gold)
    repairs: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for match in Document(text, lexicon).matches:
        repairs[match.start, match.end].update(c.original.lower() for c in match.candidates)
    found = total = 0
    for start, end, required, accepted in located(gold):
        if not required:
            continue
        total += 1
        found += any(
            f"{text[start:a]}{original}{text[b:end]}".lower() == f"{text[a:start]}{want}{text[end:b]}".lower()
            for want in accepted
            for (a, b), originals in repairs.items()
            if a < end and start < b
            for original in originals
        )
    return found, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observed", type=Path)
    args = parser.parse_args()

    forms = shipped_forms()
    lexicon = Lexicon(forms)
    domains: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    texts: list[tuple[tuple[str, ...], str]] = [
        (("programs",), gold) for gold in passages(DATA / "programs.gold")
    ]
    for path in sorted((DATA / "wild").glob("*.gold")):
        domain = path.stem.partition("_")[2].replace("_", " ")
        texts += (((domain, "wild"), gold) for gold in passages(path))
    for names, gold in texts:
        found, total = covered(gold, lexicon)
        for name in names:
            domains[name][0] += found
            domains[name][1] += total
    print("| domain | required spans | lexicon has the repair |\n|---|---|---|")
    for name, (found, total) in sorted(domains.items()):
        print(f"| {name} | {total} | {found / max(total, 1):.2f} |")
    print(f"\n`lexicon:{lexicon.hash}`")
    if args.observed:
        rows = [line.split("\t")[:2] for line in args.observed.read_text(encoding="utf-8").split("\n")[1:]]
        pairs = {(r[0].lower(), r[1].lower()) for r in rows if len(r) == 2}
        known = [f for f in forms if (f.spun, f.original.lower()) in pairs and f.table != "observed"]
        tables = Counter(f.table for f in known)
        print(f"\nof {len(pairs)} observed pairs, by the first table that holds them: {dict(tables)}")


if __name__ == "__main__":
    main()
