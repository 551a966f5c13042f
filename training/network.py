"""Train a `scorers.Network`: one hidden layer that scores the rows of a case, which compete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from detrans.features import Rows

RATE = 4e-3  # of learning, at its peak
DECAY = 0.02  # of the weights


class Example(NamedTuple):
    """The rows (N, F) of a case, *keep* first; which of them are right; how much it counts."""

    rows: Rows
    right: Sequence[bool]
    weight: float = 1.0


def train(
    examples: Sequence[Example], held: int, units: int, epochs: int, batch: int
) -> dict[str, npt.NDArray[np.float32]]:
    """The weights for all but the first `held` examples, by which the loss is told."""
    torch.manual_seed(0)
    rows = torch.from_numpy(np.concatenate([e.rows for e in examples]))
    right = torch.tensor([good for e in examples for good in e.right])
    weights = torch.tensor([e.weight for e in examples])
    counts = torch.tensor([len(e.rows) for e in examples])
    starts = counts.cumsum(0) - counts
    features = rows.shape[1]
    first, last = nn.Linear(features, units), nn.Linear(units, 1, bias=False)
    optimizer = torch.optim.AdamW([*first.parameters(), *last.parameters()], lr=RATE, weight_decay=DECAY)
    steps = epochs * -(-(len(examples) - held) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)

    def loss(which: torch.Tensor) -> torch.Tensor:
        size = counts[which]
        case = torch.repeat_interleave(torch.arange(len(which)), size)
        row = torch.arange(len(case)) + (starts[which] - (size.cumsum(0) - size))[case]
        scores = last(first(rows[row]).relu()).squeeze(-1)
        each = logsumexp(scores, case) - logsumexp(scores.masked_fill(~right[row], -1e4), case)
        mean: torch.Tensor = (each * weights[which]).sum() / weights[which].sum()
        return mean

    for epoch in range(epochs):
        for some in torch.split(held + torch.randperm(len(examples) - held), batch):
            value = loss(some)
            optimizer.zero_grad()
            torch.autograd.backward(value)
            optimizer.step()
            schedule.step()
        if (epoch + 1) % max(epochs // 6, 1) == 0:
            with torch.no_grad():
                print(f"epoch {epoch + 1}: held-out loss {loss(torch.arange(held)):.4f}", flush=True)
    tensors = {"w1": first.weight.T, "b1": first.bias, "w2": last.weight.T}
    return {k: np.ascontiguousarray(v.detach().numpy()) for k, v in tensors.items()}


def logsumexp(scores: torch.Tensor, case: torch.Tensor) -> torch.Tensor:
    """ln of the sum of e^score over the rows of each case; `case` (R,) numbers them from 0 on."""
    count = int(case[-1]) + 1
    top = torch.full((count,), -torch.inf).scatter_reduce(0, case, scores.detach(), "amax")
    return torch.zeros(count).index_add(0, case, (scores - top[case]).exp()).log() + top
