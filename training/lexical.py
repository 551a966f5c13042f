"""Train the lexical scorer (`models/lexical/scorer.safetensors`) on spun text.

python -m training.lexical --corpora DIR [--documents 3000]
"""

from __future__ import annotations

import argparse
import random
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from detrans.document import Document
from detrans.evidence import gather
from detrans.features import FEATURES, MOST_CANDIDATES, Features, Phrasebook
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.ngrams import NgramModel
from detrans.spin import Spinner
from training.corpora import DEFAULT
from training.examples import HIDDEN, IGNORE, stream, target

LEXICAL = Path("models/lexical")
HIDDEN_UNITS = 32
WIDTH = 1 + MOST_CANDIDATES
EPOCHS = 6


def examples(corpora: Path, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (N, WIDTH, FEATURES), absent candidates all zero, and the number of the right row (N,)."""
    rng = random.Random(3)
    lexicon = Lexicon([f for f in shipped_forms() if not f.held_out])
    spinner = Spinner(lexicon)
    book = Phrasebook(NgramModel.load(LEXICAL / "ngrams.safetensors"))
    inputs: list[np.ndarray] = []
    targets: list[int] = []
    for spun in islice(stream(corpora, rng, spinner), count):
        document = Document(spun.text, lexicon)
        starts = [s.start for s in spun.spans]
        features = Features(document, gather(document).level, book)
        matches = document.matches
        table, first = features.rows(matches)
        for match, rows in zip(matches, np.split(table, first)[1:], strict=True):
            choice = target(match, spun, starts, len(rows) - 1)
            if choice == IGNORE:
                continue
            if choice > 0 and rng.random() < HIDDEN:
                rows, choice = np.delete(rows, choice, 0), 0
            if choice == 0 and rng.random() < 0.5:
                continue  # most phrases stay; half of them say as much, see the correction below
            inputs.append(np.pad(rows, ((0, WIDTH - len(rows)), (0, 0))))
            targets.append(choice)
    return torch.tensor(np.stack(inputs)), torch.tensor(targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--documents", type=int, default=3000)
    args = parser.parse_args()

    torch.manual_seed(0)
    inputs, targets = examples(args.corpora, args.documents)
    held = len(inputs) // 20
    first, last = nn.Linear(FEATURES, HIDDEN_UNITS), nn.Linear(HIDDEN_UNITS, 1, bias=False)
    network = nn.Sequential(first, nn.ReLU(), last)
    absent = (inputs == 0).all(-1)
    # Half of the kept phrases were left out: each that is in counts twice.
    weights = torch.where(targets == 0, 2.0, 1.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    batches = (len(inputs) - held) // 1024
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * batches)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        scores = network(inputs[rows]).squeeze(-1).masked_fill(absent[rows], float("-inf"))
        each = nn.functional.cross_entropy(scores, targets[rows], reduction="none")
        return (each * weights[rows]).sum() / weights[rows].sum()

    for epoch in range(EPOCHS):
        order = held + torch.randperm(len(inputs) - held)
        for i in range(batches):
            value = loss(order[1024 * i : 1024 * (i + 1)])
            optimizer.zero_grad()
            torch.autograd.backward(value)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            print(f"epoch {epoch + 1}: held-out loss {loss(torch.arange(held)):.4f} of {len(inputs):,}")
    save_file(
        {
            "w1": first.weight.detach().numpy().T.copy(),
            "b1": first.bias.detach().numpy(),
            "w2": last.weight.detach().numpy().T.copy(),
        },
        LEXICAL / "scorer.safetensors",
    )


if __name__ == "__main__":
    main()
