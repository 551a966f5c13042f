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
    features = examples[0].rows.shape[1]
    width = max(len(e.rows) for e in examples)
    inputs = torch.zeros(len(examples), width, features)
    right, present = (torch.zeros(len(examples), width, dtype=torch.bool) for _ in range(2))
    weights = torch.tensor([e.weight for e in examples])
    for i, example in enumerate(examples):
        inputs[i, : len(example.rows)] = torch.from_numpy(example.rows)
        right[i, : len(example.rows)] = torch.tensor(example.right)
        present[i, : len(example.rows)] = True
    first, last = nn.Linear(features, units), nn.Linear(units, 1, bias=False)
    network = nn.Sequential(first, nn.ReLU(), last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = epochs * -(-(len(examples) - held) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)

    def loss(which: torch.Tensor) -> torch.Tensor:
        scores = network(inputs[which]).squeeze(-1).masked_fill(~present[which], float("-inf"))
        good = scores.masked_fill(~right[which], float("-inf"))
        each = scores.logsumexp(1) - good.logsumexp(1)
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
