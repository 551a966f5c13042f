"""Clean documents spun on the fly, and what each lexicon match in them should be."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from detrans.document import Match
from detrans.judge import Case, narrowed
from detrans.spin import Spinner, Spun
from training.corpora import documents

MIX = {
    "news.train": 0.6,
    "news-more.train": 0.14,
    "science.train": 0.1,
    "wikipedia.train": 0.1,
    "textbooks": 0.06,
}
IGNORE = -100
LONGEST_DOCUMENT = 6000  # characters
CLEAN = 0.22  # of the documents stay clean
# Of the right candidates, how many are taken away: on real pages the lexicon lacks some originals,
# and the model must then keep the phrase rather than take the best of the wrong ones.
HIDDEN = 0.12


def restored(start: int, end: int, spun: Spun, starts: list[int]) -> str | None:
    """What the clean text had where [start, end) stands; None if a damaged span is cut in two."""
    i = bisect_right(starts, start) - 1
    if i >= 0 and spun.spans[i].end <= start:
        i += 1
    i = max(i, 0)
    pieces: list[str] = []
    at = start
    while i < len(spun.spans) and spun.spans[i].start < end:
        span = spun.spans[i]
        if span.start < at or span.end > end:
            return None
        pieces += (spun.text[at : span.start], span.original)
        at = span.end
        i += 1
    return "".join(pieces) + spun.text[at:end]


def plainly(text: str) -> str:
    """A text as the lexicon spells phrases."""
    return " ".join(text.lower().replace("’", "'").split())


def target(match: Match, spun: Spun, starts: list[int], most: int) -> int:
    """Number of the right candidate, 0 for *keep*, IGNORE where neither is right."""
    text = restored(match.start, match.end, spun, starts)
    if text is None:
        return IGNORE
    if text == spun.text[match.start : match.end]:
        return 0
    wanted = plainly(text)
    for i, candidate in enumerate(match.candidates[:most], 1):
        if candidate.original.lower() == wanted:
            return i
    # Damage, but a match that cannot mend it must not touch it.
    return 0


def labelled_by_spinner(
    cases: Iterable[Case], spun: Spun, rng: random.Random, hidden: float
) -> Iterator[tuple[Case, list[bool]]]:
    """The cases of a spun text with what is right at each, where one answer is. Of the right candidates a
    share is hidden; one that is alone stays, as nothing would be asked without it."""
    starts = [s.start for s in spun.spans]
    for case in cases:
        match = case.scored.match
        choice = target(match, spun, starts, len(match.candidates))
        if choice == IGNORE:
            continue
        if choice - 1 in case.candidates and len(case.candidates) > 1 and rng.random() < hidden:
            case = narrowed(case, [n for n, i in enumerate(case.candidates) if i != choice - 1])
        candidates = [i == choice - 1 for i in case.candidates]
        yield case, [not any(candidates), *candidates]


def cycle(corpora: Path, name: str, rng: random.Random) -> Iterator[str]:
    """A corpus over and over."""
    skip = rng.randrange(20_000)  # pieces of a run begin at different documents; too many is none
    while True:
        yield from islice(documents(corpora, name, size=6), skip, None)
        skip = 0


def stream(corpora: Path, rng: random.Random, spinner: Spinner) -> Iterator[Spun]:
    """Endless documents of all corpora, most of them spun, some short, some clean."""
    streams = {name: cycle(corpora, name, rng) for name in MIX}
    while True:
        text = next(streams[rng.choices(list(MIX), list(MIX.values()))[0]])
        if len(text) > LONGEST_DOCUMENT:
            start = rng.randrange(len(text) - LONGEST_DOCUMENT)
            start = max(text.rfind("\n", 0, start) + 1, 0)
            text = text[start : start + LONGEST_DOCUMENT].rsplit("\n", 1)[0]
        if rng.random() < 0.3:  # short documents: a caption, a comment, a few paragraphs
            lines = text.split("\n")
            at = rng.randrange(len(lines))
            text = "\n".join(lines[at : at + rng.choice((1, 1, 2, 3))])
        if not text.strip():
            continue
        clean = rng.random() < CLEAN
        seed = rng.getrandbits(48)
        yield Spun(text, (), "clean") if clean else spinner.spin(text, seed)
