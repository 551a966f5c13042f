"""Labelled passages: clean documents spun on the fly, each lexicon match told what it should be."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import IterableDataset, get_worker_info

from detrans.document import Document, Match
from detrans.encode import Encoder, Passage, collate
from detrans.evidence import gather
from detrans.lexicon import Lexicon, read_forms
from detrans.model import Batch
from detrans.ngrams import NgramModel
from detrans.segment import sentence_spans
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

    def __init__(self, corpora: Path, lexical: Path, tokenizer: Path, seed: int, budget: int) -> None:
        self.corpora, self.lexical, self.tokenizer = corpora, lexical, tokenizer
        self.seed, self.budget = seed, budget

    def __iter__(self) -> Iterator[tuple[Batch, Labels]]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        rng = random.Random(f"{self.seed}/{number}")
        forms = [f for f in read_forms(self.lexical / "lexicon.tsv") if not f.held_out]
        lexicon = Lexicon(forms)
        spinner = Spinner(lexicon)
        encoder = Encoder(self.tokenizer, NgramModel.load(self.lexical / "ngrams.safetensors"))
        streams = {name: self._documents(name, rng, number, workers) for name in MIX}
        pool: list[tuple[Passage, list[int], list[int]]] = []
        while True:
            name = rng.choices(list(MIX), list(MIX.values()))[0]
            pool += labelled(next(streams[name]), rng, lexicon, spinner, encoder)
            if sum(len(p.tokens) for p, _, _ in pool) > 12 * self.budget:
                yield from self._batches(pool, rng)
                pool = []

    def _documents(self, name: str, rng: random.Random, number: int, workers: int) -> Iterator[str]:
        skip = rng.randrange(3000)  # runs with different seeds begin at different documents
        while True:
            for i, text in enumerate(documents(self.corpora, name, size=6)):
                if i >= skip and i % workers == number:
                    yield text
            skip = 0

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


def labelled(
    text: str, rng: random.Random, lexicon: Lexicon, spinner: Spinner, encoder: Encoder
) -> list[tuple[Passage, list[int], list[int]]]:
    """A few passages of one document, spun or clean, with the choice per span and damage per token."""
    if len(text) > LONGEST_DOCUMENT:
        start = rng.randrange(len(text) - LONGEST_DOCUMENT)
        start = max(text.rfind("\n", 0, start) + 1, 0)
        text = text[start : start + LONGEST_DOCUMENT].rsplit("\n", 1)[0]
    if rng.random() < 0.3:  # short documents: a caption, a comment, a few paragraphs
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        text = "\n".join(lines[at : at + rng.choice((1, 1, 2, 3))])
    if not text.strip():
        return []
    clean = rng.random() < CLEAN
    seed = rng.getrandbits(48)
    spun = Spun(text, (), "clean") if clean else spinner.spin(text, seed)
    document = Document(spun.text, lexicon)
    level = gather(document).level
    passages = encoder.passages(document, sentence_spans(spun.text), level)
    rng.shuffle(passages)
    starts = [s.start for s in spun.spans]
    result = []
    for passage in passages[:3]:
        choices, spans = [], []
        for span in passage.spans:
            encoder.describe(document, span)
            choice = target(span.match, spun, starts, len(span.pieces) - 1)
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
