"""Labelled passages: clean documents spun on the fly, each lexicon match told what it should be."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from detrans.document import Document, Match
from detrans.encode import Encoder, Passage, collate
from detrans.evidence import gather
from detrans.features import Features, Phrasebook
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.model import Batch
from detrans.ngrams import NgramModel
from detrans.segment import sentence_spans
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


@dataclass(slots=True)
class Labels:
    """Targets of a batch: candidate number per span (0 is *keep*), damage (0, 1, -1) per token."""

    choice: torch.Tensor
    damage: torch.Tensor

    def to(self, device: torch.device) -> Labels:
        return Labels(self.choice.to(device), self.damage.to(device))


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


class Examples(IterableDataset[tuple[Batch, Labels]]):
    """An endless stream of labelled batches; the seed, the worker and the count decide each one."""

    def __init__(
        self,
        corpora: Path,
        lexical: Path,
        tokenizer: Path,
        seed: int,
        budget: int,
        roundtrip: Path | None = None,
    ) -> None:
        self.corpora, self.lexical, self.tokenizer = corpora, lexical, tokenizer
        self.roundtrip = roundtrip
        self.seed, self.budget = seed, budget

    def __iter__(self) -> Iterator[tuple[Batch, Labels]]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        rng = random.Random(f"{self.seed}/{number}")
        forms = [f for f in shipped_forms() if not f.held_out]
        lexicon = Lexicon(forms)
        spinner = Spinner(lexicon)
        encoder = Encoder(self.tokenizer)
        book = Phrasebook(NgramModel.load(self.lexical / "ngrams.safetensors"))
        pool: list[tuple[Passage, list[int], list[int]]] = []
        for spun in stream(self.corpora, rng, spinner, number, workers, self.roundtrip):
            pool += labelled(spun, rng, lexicon, book, encoder)
            if sum(len(p.tokens) for p, _, _ in pool) > 12 * self.budget:
                yield from self._batches(pool, rng)
                pool = []

    def _batches(
        self, pool: list[tuple[Passage, list[int], list[int]]], rng: random.Random
    ) -> Iterator[tuple[Batch, Labels]]:
        pool.sort(key=lambda e: len(e[0].tokens))
        groups: list[list[tuple[Passage, list[int], list[int]]]] = [[]]
        for example in pool:
            if groups[-1] and len(example[0].tokens) * (len(groups[-1]) + 1) > self.budget:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        for group in groups:
            batch = collate([p for p, _, _ in group])
            damage = torch.full(batch.tokens.shape, -1.0)
            for row, (_, _, labels) in enumerate(group):
                damage[row, : len(labels)] = torch.tensor(labels, dtype=torch.float32)
            choice = torch.tensor([c for _, choices, _ in group for c in choices], dtype=torch.int64)
            yield batch, Labels(choice, damage)


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


def labelled(
    spun: Spun, rng: random.Random, lexicon: Lexicon, book: Phrasebook, encoder: Encoder
) -> list[tuple[Passage, list[int], list[int]]]:
    """A few passages of one document with the choice per span and the damage per token."""
    document = Document(spun.text, lexicon)
    level = gather(document).level
    features = Features(document, level, book)
    passages = encoder.passages(document, sentence_spans(spun.text), level)
    rng.shuffle(passages)
    starts = [s.start for s in spun.spans]
    result = []
    for passage in passages[:3]:
        encoder.describe(features, passage.spans)
        choices, spans = [], []
        for span in passage.spans:
            choice = target(span.match, spun, starts, len(span.pieces) - 1)
            if choice > 0 and rng.random() < HIDDEN:
                del span.pieces[choice]
                span.features = np.delete(span.features, choice, 0)
                choice = 0
            if choice != IGNORE:
                spans.append(span)
                choices.append(choice)
        passage.spans = spans
        damage = [-1, -1]
        for a, b in passage.offsets:
            i = bisect_right(starts, a) - 1
            damage.append(int(i >= 0 and spun.spans[i].end >= b))
        result.append((passage, choices, [*damage, -1]))
    return result
