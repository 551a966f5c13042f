"""Clean documents spun on the fly, and what each lexicon match in them should be."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from detrans.document import Match
from detrans.spin import Span, Spinner, Spun
from training.corpora import documents
from training.roundtrip import align

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
TRANSLATED = 0.05  # of the documents went through a translator and back, where there are any
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


def target(match: Match, spun: Spun, starts: list[int], most: int) -> int:
    """Number of the right candidate, 0 for *keep*, IGNORE where neither is right."""
    text = restored(match.start, match.end, spun, starts)
    if text is None:
        return IGNORE
    if text == spun.text[match.start : match.end]:
        return 0
    folded = " ".join(text.lower().replace("’", "'").split())
    for i, candidate in enumerate(match.candidates[:most], 1):
        if candidate.original.lower() == folded:
            return i
    # Damage, but a match that cannot mend it must not touch it.
    return 0


def cycle(corpora: Path, name: str, rng: random.Random, number: int, workers: int) -> Iterator[str]:
    """A corpus over and over: those documents that fall to worker `number`."""
    skip = rng.randrange(20_000)  # pieces of a run begin at different documents; too many is none
    while True:
        for i, text in enumerate(documents(corpora, name, size=6)):
            if i >= skip and i % workers == number:
                yield text
        skip = 0


def translated(folder: Path, rng: random.Random) -> Iterator[Spun]:
    """Endless documents of some paragraphs that `training.roundtrip damage` has left in `folder`."""
    files = [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
    ]
    while True:
        records = rng.choice(files)
        at, count = rng.randrange(len(records)), rng.choice((1, 2, 4, 6))
        text, spans = "", []
        for record in records[at : at + count]:
            spun = align(record["clean"], record["damaged"])
            text += "\n" if text else ""
            spans += [Span(s.start + len(text), s.end + len(text), s.original) for s in spun.spans]
            text += spun.text
        yield Spun(text, tuple(spans), "mt")


def stream(
    corpora: Path,
    rng: random.Random,
    spinner: Spinner,
    number: int = 0,
    workers: int = 1,
    roundtrip: Path | None = None,
) -> Iterator[Spun]:
    """Endless documents of all corpora, most of them spun, some translated, some short, some clean."""
    streams = {name: cycle(corpora, name, rng, number, workers) for name in MIX}
    machine = translated(roundtrip, rng) if roundtrip is not None else None
    while True:
        if machine is not None and rng.random() < TRANSLATED:
            yield next(machine)
            continue
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
