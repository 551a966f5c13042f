"""Turn observed substitutions into a lexicon table, on standard output.

    python -m training.observed PATH.tsv [PATH.tsv ...] > detrans/lexicon/tables/observed.tsv
    python -m training.observed training/written/news.gold > detrans/lexicon/tables/written_news.tsv

A TSV list (spun, original[, count[, part of speech]]) holds pairs seen on real spun pages, a gold text (see
`benchmarks/gold.py`) gives its marks. Where both sides of a pair are forms of the same kind ("mentioned",
"said"), the base pair is written, so that all its forms are known; one of a list only where the list says
which kind, or the words can be of no other.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lemminflect import getAllLemmas

from benchmarks.gold import located, plain
from benchmarks.testsets import passages
from training.inflect import TAGS, inflect_phrase
from training.table import write_table

UPOS = {"v": "VERB", "n": "NOUN", "a": "ADJ"}
# Many a word is a verb and a noun in the same form ("store"); what stands before it mostly tells which.
BEFORE = {
    "n": "a an the this these those my your his her its our their of in for with at by from on into no "
    "each every some any another both many few several such own 's",
    "v": "to i you we they he she it who will would can could must should may might shall not don't didn't "
    "doesn't won't can't couldn't wouldn't shouldn't never let's let",
}
KIND = {word: pos for pos, words in BEFORE.items() for word in words.split()}
IS = {"it's", "he's", "she's", "that's", "there's", "here's", "what's", "who's", "where's", "how's"}
LAST_WORD = re.compile(r"([\w’']+|’s|'s)\s+$")
Pairs = dict[tuple[str, str, str], int]  # spun, original, part of speech where it is known


def listed(path: Path) -> Pairs:
    """Pairs of a TSV list with their counts; pairs without one count as seen twice."""
    found: Pairs = {}
    for line in path.read_text(encoding="utf-8").split("\n")[1:]:
        cells = [" ".join(c.split()) for c in line.split("\t")]
        if len(cells) >= 2:
            count = int(cells[2]) if len(cells) > 2 and cells[2].isdigit() else 2
            found.setdefault((cells[0], cells[1], cells[3] if len(cells) > 3 else ""), count)
    return found


def marked(path: Path) -> Pairs:
    """Marks of a gold file (damaged side, first alternative) with how often each stands there."""
    found: Counter[tuple[str, str, str]] = Counter()
    for gold in passages(path):
        text = plain(gold)
        found.update(
            # What stands before says too little of a phrase.
            (text[a:b], accepted[0], "" if " " in text[a:b] + accepted[0] else kind(text[:a]))
            for a, b, _, accepted in located(gold)
            if accepted[0]
        )
    return found


def kind(before: str) -> str:
    """Whether a noun or a verb follows, "n" or "v"; "" where what stands before does not tell."""
    last = LAST_WORD.search(before)
    word = last[1].lower().replace("’", "'") if last else ""
    if word in KIND or word in IS:
        return KIND.get(word, "")
    return "n" if word.endswith("'s") else ""


def normal(pairs: Pairs) -> Pairs:
    """Lower case and plain apostrophes; originals that are names or initials keep their capitals."""
    found: Pairs = {}
    for (spun, original, pos), count in pairs.items():
        spun, original = (" ".join(s.replace("’", "'").split()) for s in (spun, original))
        if not spun.isascii() or spun.lower() == original.lower():
            continue
        # Sentence-initial capitals say nothing; names and initials (DNA) keep theirs.
        words = original.split()
        if len(words) < 2 or not all(w[:1].isupper() for w in words):
            initials = not spun.isupper()
            original = " ".join(w if initials and w.isupper() and len(w) > 1 else w.lower() for w in words)
        key = (spun.lower(), original, pos)
        found[key] = found.get(key, 0) + count
    return found


def lemmas(phrase: str, pos: str, upos: str) -> Iterator[str]:
    """A phrase with its head (see `inflect_phrase`) in the base forms that it can be a form of."""
    words = phrase.split(" ")
    head = 0 if pos == "v" else -1
    if words[head].isalpha():
        for lemma in getAllLemmas(words[head], upos=upos).get(upos, ()):
            yield " ".join([lemma, *words[1:]] if head == 0 else [*words[:-1], lemma])


def bases(spun: str, original: str, known: str) -> Iterator[tuple[str, str, str]]:
    """Base pairs (spun, original, part of speech) of which both words are the same inflected form.

    known: the part of speech, "n" or "v", of words that could be both; "" if it could be either. Phrases
    have bases only where it is known.
    """
    if " " in spun + original and known not in ("n", "v"):
        return
    for pos, upos in UPOS.items():
        if known in ("n", "v") and pos in ("n", "v") and pos != known:
            continue
        for tag in TAGS[pos]:
            pairs = [
                (s, o)
                for s in lemmas(spun, pos, upos)
                for o in lemmas(original, pos, upos)
                if spun in inflect_phrase(s, pos, tag) and original in inflect_phrase(o, pos, tag) and s != o
            ]
            if pairs:
                yield (*pairs[0], pos)
                break


def main() -> None:
    rows: Counter[tuple[str, str, str]] = Counter()
    for path in map(Path, sys.argv[1:]):
        gold = path.suffix == ".gold"
        for (spun, original, pos), count in normal(marked(path) if gold else listed(path)).items():
            found = list(bases(spun, original, pos))
            if gold:
                # What stands before misleads where no such form exists ("in store" is no verb's).
                found = found or list(bases(spun, original, ""))
            else:
                fitting = [base for base in found if pos in ("", base[2])]
                found = fitting if len(fitting) == 1 else []
            for base in found or [(spun, original, "x")]:
                rows[base] += count
    write_table(
        (spun, original, pos, 3 if count >= 4 else 2 if count >= 2 else 1, "any")
        for (spun, original, pos), count in sorted(rows.items())
    )


if __name__ == "__main__":
    main()
