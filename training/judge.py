"""Train the judge (`models/base/judge.safetensors`) on texts written as spinners write.

    python -m training.judge [--epochs 30]

The texts of `training/written` also gave the lexicon pairs; while one file's texts are judged, the
pairs that only this file gave are left out of the lexicon, so that the judge meets the gaps it will
meet elsewhere. Clean documents of the training corpora that pass the gate are judged as well. What
the language model says is kept in --cache and computed once for each lexicon and encoder.
"""

from __future__ import annotations

import argparse
import pickle
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from benchmarks.gold import located, plain, tokens
from benchmarks.testsets import passages
from detrans import Detrans
from detrans.document import Document, Match
from detrans.evidence import gather
from detrans.judge import FEATURES, Features, Judge
from training.corpora import DEFAULT, documents
from training.manifest import write

WRITTEN = Path(__file__).parent / "written"
MODEL = Path("models/base")
HIDDEN_UNITS = 48
CLEAN = 150  # clean documents, of those that pass the gate
Marks = list[tuple[int, int, bool, list[str]]]
Example = tuple[np.ndarray, list[bool]]  # rows of a case, and which of them are right


def right(match: Match, text: str, marks: Marks, candidates: tuple[int, ...]) -> list[bool]:
    """Whether *keep* and whether each candidate is right where `match` stands.

    Where a mark may stay, both are. A match that cannot mend the damage it covers must not touch it.
    """
    inside = [m for m in marks if m[0] < match.end and m[1] > match.start]
    allowed = [False] * len(candidates)
    if inside and all(match.start <= a and b <= match.end for a, b, _, _ in inside):
        accepted = {restored(match, text, inside, n) for n in range(max(len(m[3]) for m in inside))}
        allowed = [tokens(match.candidates[i].original) in accepted for i in candidates]
    required = any(m[2] for m in inside)
    return [not (required and any(allowed)), *allowed]


def restored(match: Match, text: str, inside: Marks, number: int) -> tuple[str, ...]:
    """Tokens of the match with each mark in it repaired by its alternative `number`, or its last."""
    pieces, at = [], match.start
    for start, end, _, accepted in inside:
        pieces += [text[at:start], accepted[min(number, len(accepted) - 1)]]
        at = end
    return tokens("".join((*pieces, text[at : match.end])))


def examples(detrans: Detrans, golds: list[str]) -> Iterator[Example]:
    """The cases of gold texts."""
    judge = detrans._scorer
    assert isinstance(judge, Judge)
    for gold in golds:
        document = Document(plain(gold), detrans._lexicon)
        level, marks = gather(document).level, located(gold)
        (judgement,), (cases,) = judge.cases([(document, level)])
        features = Features(document, level, judgement.scored, cases)
        for case in cases:
            labels = right(case.scored.match, document.text, marks, case.candidates)
            yield np.array(features.rows(case), np.float32), labels


def clean_texts(detrans: Detrans, corpora: Path, count: int) -> list[str]:
    """Clean documents that look damaged enough for the gate."""
    found: list[str] = []
    gate = detrans._lexical["gate"]
    for name in ("news.train", "wikipedia.train", "science.train"):
        texts = (t[:3000] for t in islice(documents(corpora, name), 3, 40_000, 11))
        found += islice((t for t in texts if detrans._weigh(t)[2] >= gate), count // 3)
    return [t.translate(str.maketrans("{}", "()")) for t in found]


def train(data: list[Example], epochs: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a `scorers.Network`; prints the loss on a tenth left out."""
    torch.manual_seed(seed)
    width = max(len(rows) for rows, _ in data)
    inputs = torch.zeros(len(data), width, FEATURES)
    labels = torch.zeros(len(data), width, dtype=torch.bool)
    present = torch.zeros(len(data), width, dtype=torch.bool)
    for i, (rows, correct) in enumerate(data):
        inputs[i, : len(rows)] = torch.from_numpy(rows)
        labels[i, : len(rows)] = torch.tensor(correct)
        present[i, : len(rows)] = True
    first, last = nn.Linear(FEATURES, HIDDEN_UNITS), nn.Linear(HIDDEN_UNITS, 1, bias=False)
    network = nn.Sequential(first, nn.ReLU(), last)
    order = torch.randperm(len(data))
    held, rest = order[: len(data) // 10], order[len(data) // 10 :]
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.02)
    size = 512
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 4e-3, total_steps=epochs * (len(rest) // size + 1)
    )

    def loss(rows: torch.Tensor) -> torch.Tensor:
        scores = network(inputs[rows]).squeeze(-1).masked_fill(~present[rows], float("-inf"))
        correct = scores.masked_fill(~labels[rows], float("-inf"))
        return torch.mean(scores.logsumexp(1) - correct.logsumexp(1))

    for epoch in range(epochs):
        for some in torch.split(rest[torch.randperm(len(rest))], size):
            value = loss(some)
            optimizer.zero_grad()
            torch.autograd.backward(value)
            optimizer.step()
            schedule.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                print(f"epoch {epoch + 1}: loss {loss(rest):.4f}, held out {loss(held):.4f}")
    return {
        "w1": first.weight.detach().numpy().T.copy(),
        "b1": first.bias.detach().numpy(),
        "w2": last.weight.detach().numpy().T.copy(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--cache", type=Path, default=Path(".cache/judge"))
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()

    args.cache.mkdir(parents=True, exist_ok=True)
    data: list[Example] = []
    for path in [*sorted(WRITTEN.glob("*.gold")), None]:
        table = f"written_{path.stem}" if path else "clean"
        detrans = Detrans(model=str(MODEL), without=(table,) if path else ())
        cached = args.cache / f"{table}-{detrans.signature.replace('|', '-').replace(':', '_')}.pickle"
        if not cached.exists():
            golds = passages(path) if path else clean_texts(detrans, args.corpora, CLEAN)
            cached.write_bytes(pickle.dumps(list(examples(detrans, golds))))
        found: list[Example] = pickle.loads(cached.read_bytes())
        print(
            f"{table}: {len(found):,} cases, {sum(not labels[0] for _, labels in found):,} to repair",
            flush=True,
        )
        data += found
    random.Random(0).shuffle(data)
    save_file(train(data, args.epochs), MODEL / "judge.safetensors")
    write(MODEL)


if __name__ == "__main__":
    main()
