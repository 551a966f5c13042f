"""Build `models/lexical/lexicon.safetensors` from the tables: inflect, weigh, report.

    python -m training.lexicon --corpora DIR

Inflected forms come from lemminflect, so nobody types them. The weight of evidence of a spun
phrase is ln(rate in spun text / rate in clean text): the clean rate is counted, the spun rate
follows from the clean rates of its originals and how often spinners choose this form. The share of each
original is learnt (`shares.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from detrans.fold import fold
from detrans.lexicon import TABLES, Entry, Form, Lexicon, read_table
from detrans.lexicon.compiled import write
from detrans.match import Matcher
from detrans.spin import FUNCTION_WORDS, RELUCTANCE, UNSEEN_FAMILY
from training import manifest
from training.corpora import DEFAULT, TRAIN, paragraphs
from training.inflect import forms_of
from training.shares import Pair, Pairs, learn, shares
from training.texts import OWN_SHARES, WRITTEN, table

REPLACED = 0.35  # of the words that a spinner knows, how many it replaces
CHOICE = {1: 1.0, 2: 3.0, 3: 9.0}  # how often a form of this weight is chosen
OBSERVED = 3.0  # times as often if seen in a spun text, a real page or one written like it
# How much a family's swaps weigh against the others': the crude and the scientific are rarer, and what a
# thesaurus merely allows is rarer still, each pair for itself.
SEEN = {"any": 1.0, "mentioned": 0.6, "stated": 0.6, "crude": 0.15, "sci": 0.2, "mt": 0.3, "thesaurus": 0.2}
EVERY = 2  # count every second paragraph: about 35 million words
# Occurrences per million words of a spun phrase, over which its pairs are left out: “in” for “at” cannot be
# told from sound text by any means here, and 25 such words would be a quarter of all matches.
COMMONEST = 2000
# Kept from the training stream for the `synthetic` test set: a share of the base pairs, and a family.
HELD_OUT = 0.2


def is_held_out(entry: Entry) -> bool:
    if entry.family == UNSEEN_FAMILY:
        return True
    key = hashlib.sha256(f"{entry.spun}\t{entry.original}".encode()).digest()
    return int.from_bytes(key[:4], "big") < HELD_OUT * 2**32


def count(phrases: list[str], corpora: Path) -> tuple[np.ndarray, int]:
    """Occurrences of each phrase in the clean corpora, and the words read."""
    matcher, total, words = Matcher(phrases), np.zeros(len(phrases), np.int64), 0
    for name in TRAIN:
        lines = islice(paragraphs(corpora, name), 0, None, EVERY)
        while batch := list(islice(lines, 5000)):
            folded = fold("\n.\n".join(batch))
            words += folded.data.count(b" ")
            which, _, _ = matcher.find(folded)
            total += np.bincount(which, minlength=len(phrases))
    return total, words


def weight(entries: Sequence[Entry]) -> float:
    """How often a pair is chosen, against the other pairs of its original."""
    return max(
        CHOICE[e.weight] * SEEN[e.family] * (OBSERVED if e.table.startswith(("observed", "written")) else 1.0)
        for e in entries
    )


def evidences(sources: Mapping[Pair, Sequence[Entry]], rate: Mapping[str, float]) -> dict[str, float]:
    """The weight of evidence of each spun phrase; `rate` is per million clean words."""
    weights = {pair: weight(entries) for pair, entries in sources.items()}
    chosen: defaultdict[str, float] = defaultdict(float)
    for (_, original), some in weights.items():
        chosen[original] += some
    made: defaultdict[str, float] = defaultdict(float)
    for (spun, original), some in weights.items():
        often = rate.get(original.lower(), 0.0) * (RELUCTANCE if original in FUNCTION_WORDS else 1.0)
        made[spun] += often * some / chosen[original] + 0.002
    result = {}
    for spun, amount in made.items():
        clean = rate[spun] + 0.02
        left = clean * ((1 - REPLACED) if spun in chosen else 1)
        result[spun] = math.log((left + REPLACED * amount) / clean)
    return result


def gathered(entries: Iterable[Entry]) -> dict[Pair, list[Entry]]:
    """All forms of base pairs, each with the base pairs that have it."""
    found: defaultdict[Pair, list[Entry]] = defaultdict(list)
    for entry in entries:
        for pair in forms_of(entry):
            found[pair].append(entry)
    # "Attorney General" beside "attorney general": the text around decides the capitals.
    return {(s, o): v for (s, o), v in sorted(found.items()) if o == o.lower() or (s, o.lower()) not in found}


def credited(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Of the base pairs that have a form those that make its weight. The judge learns from written texts:
    what they add must be gone without their table."""
    return [e for e in entries if not e.table.startswith("written")] or entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--output", type=Path, default=Path("models/lexical/lexicon.safetensors"))
    args = parser.parse_args()

    entries = [e for path in sorted(TABLES.glob("*.tsv")) for e in read_table(path)]
    sources = gathered(entries)
    phrases = sorted({s for s, _ in sources} | {o.lower() for _, o in sources if o.isascii()})
    totals, words = count(phrases, args.corpora)
    rate = {p: 1e6 * int(c) / words for p, c in zip(phrases, totals, strict=True)}
    sources = {pair: some for pair, some in sources.items() if rate[pair[0]] <= COMMONEST}
    makers = {pair: credited(some) for pair, some in sources.items()}
    evidence = evidences(makers, rate)
    held_out = {pair for pair, some in makers.items() if all(map(is_held_out, some))}
    pairs = Pairs(sources, rate)
    texts = sorted(WRITTEN.glob("*.gold"))
    network = learn(pairs, held_out, texts)
    forms = []
    for pair, share in zip(pairs.pairs, shares(pairs, network), strict=True):
        # In the precision of the file, so that the hash is the same before and after.
        share, evident, often = np.array([share, evidence[pair[0]], rate[pair[0]]], np.float32).tolist()
        maker = makers[pair][0]
        forms.append(Form(*pair, share, evident, often, maker.family, maker.table, pair in held_out))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    lexicon = Lexicon(forms)
    write(lexicon, args.output)
    manifest.write(args.output.parent)
    number = {pair: i for i, pair in enumerate(pairs.pairs)}
    order = [number[f.spun, f.original] for f in lexicon.forms]
    columns = {table(path): shares(pairs, network, table(path))[order].astype(np.float32) for path in texts}
    OWN_SHARES.parent.mkdir(parents=True, exist_ok=True)
    save_file(columns, OWN_SHARES, {"lexicon": lexicon.hash})

    phrase = {f.spun: f for f in forms}
    print(
        f"{len(entries):,} base pairs, {len(forms):,} forms, {len(phrase):,} spun phrases; "
        f"{words:,} clean words"
    )
    print("base pairs by table:", dict(Counter(e.table for e in entries)))
    print(f"never seen in clean text: {sum(f.rate == 0 for f in phrase.values()):,}")
    print(f"common there (over 20 per million, need context): {sum(f.rate > 20 for f in phrase.values()):,}")
    both = {(e.spun, e.original) for e in entries}
    cycles = sorted(p for p in both if p < p[::-1] and p[::-1] in both)
    print(f"pairs in both directions (context decides): {len(cycles):,}, such as {cycles[:5]}")
    families: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for e in entries:
        families[e.spun, e.original].add(e.family)
    apart = [p for p in cycles if not families[p] & families[p[::-1]]]
    print(f"of these, in conflict between families: {len(apart):,}, such as {apart[:5]}")


if __name__ == "__main__":
    main()
