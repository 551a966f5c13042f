"""A small encoder that reads a passage once and tells of every candidate how well it suits its place.

The architecture is BERT's (Devlin et al. 2019) in torch's own layers, without its token types. A place is
seen in the states of its first and last token, a phrase in the mean of its tokens' vectors.

Shapes: B passages of T tokens, S places, N rows (*keep* and the candidates of each place), D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from detrans.features import Rows
from detrans.judge import CASE_FEATURES

FIRST, LAST, MASK = 101, 102, 103  # the tokens around a passage, and that which hides one
DOTS = 16  # products of a place and a phrase, each of so many parts of both
PARTS = 48  # numbers of a place, and of a phrase, that the last layer sees as they are
HIDDEN = 96


@dataclass(frozen=True, slots=True)
class Passage:
    """Tokens; the first and last of each place (S,); the rows (N, CASE_FEATURES) of all places, *keep* first,
    and where each place's begin (S,); the tokens of each row's phrase."""

    tokens: Sequence[int]
    first: Sequence[int]
    last: Sequence[int]
    rows: Rows
    starts: Sequence[int]
    phrases: Sequence[tuple[int, ...]]


class Batch(NamedTuple):
    """Passages as tensors: tokens and whether each is padding (B, T); of each place its passage, first and
    last token and its row of *keep* (S,); of each row its place, numbers and phrase (N,); the phrases' tokens
    end to end, and where each begins."""

    tokens: Tensor
    padding: Tensor
    passage: Tensor
    first: Tensor
    last: Tensor
    keep: Tensor
    place: Tensor
    rows: Tensor
    phrase: Tensor
    pieces: Tensor
    begins: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(*(t.to(device, non_blocking=True) for t in self))


def collate(passages: Sequence[Passage]) -> Batch:
    """Some passages as one batch."""
    length = max(len(p.tokens) for p in passages) + 2
    tokens = torch.zeros(len(passages), length, dtype=torch.long)
    for line, p in zip(tokens, passages, strict=True):
        line[: len(p.tokens) + 2] = torch.tensor([FIRST, *p.tokens, LAST])
    sizes = [len(p.tokens) + 2 for p in passages]
    numbers: dict[tuple[int, ...], int] = {}  # of the phrases: many places share some
    phrase = [numbers.setdefault(x, len(numbers)) for p in passages for x in p.phrases]
    lengths = np.array([len(x) for x in numbers])
    counts = [len(p.first) for p in passages]
    rows = np.concatenate([p.rows for p in passages])
    before = np.cumsum([0, *(len(p.rows) for p in passages[:-1])])
    keep = np.concatenate([np.asarray(p.starts) + n for p, n in zip(passages, before, strict=True)])
    return Batch(
        tokens,
        torch.arange(length) >= torch.tensor(sizes).unsqueeze(1),
        torch.arange(len(passages)).repeat_interleave(torch.tensor(counts)),
        torch.tensor([x + 1 for p in passages for x in p.first]),
        torch.tensor([x + 1 for p in passages for x in p.last]),
        torch.from_numpy(keep),
        torch.from_numpy(np.repeat(np.arange(len(keep)), np.diff(keep, append=len(rows)))),
        torch.from_numpy(rows),
        torch.tensor(phrase),
        torch.tensor(list(chain.from_iterable(numbers))),
        torch.from_numpy(np.cumsum(lengths) - lengths),
    )


class Encoder(nn.Module):
    """settings: the encoder's "layers", "heads", "width", "vocabulary", "positions". dropout: in training."""

    def __init__(self, settings: Mapping[str, Any], dropout: float = 0.0) -> None:
        super().__init__()
        width = int(settings["width"])
        self.vectors = nn.Embedding(int(settings["vocabulary"]), width)
        self.positions = nn.Embedding(int(settings["positions"]), width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, int(settings["heads"]), 4 * width, dropout, "gelu", 1e-12, batch_first=True
            )
            for _ in range(int(settings["layers"]))
        )
        self.dropout = nn.Dropout(dropout)
        self.query = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.key = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.place, self.phrase = nn.Linear(width, PARTS), nn.Linear(width, PARTS)
        self.hidden = nn.Linear(CASE_FEATURES + 2 * DOTS + 2 * PARTS, HIDDEN)
        self.score = nn.Linear(HIDDEN, 1, bias=False)

    def states(self, tokens: Tensor, padding: Tensor) -> Tensor:
        """States (B, T, D) of tokens (B, T)."""
        x: Tensor = self.norm(self.vectors(tokens) + self.positions.weight[: tokens.shape[1]])
        x = self.dropout(x)
        # Without padding, as with each passage alone on a CPU, there is nothing to hide.
        mask = padding if len(tokens) > 1 else None
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=mask)
        return x

    def scores(self, states: Tensor, batch: Batch) -> Tensor:
        """Logits (N,) of the rows; those of a place compete."""
        ends = torch.cat((states[batch.passage, batch.first], states[batch.passage, batch.last]), -1)
        query = self.query(ends)
        vectors = functional.embedding_bag(batch.pieces, self.vectors.weight, batch.begins, mode="mean")
        key = self.key(vectors.to(query.dtype))
        here, keys = query[batch.place], key[batch.phrase]
        fit = products(here, keys)
        near = products(keys[batch.keep][batch.place], keys)
        known = (self.place(query)[batch.place], self.phrase(key)[batch.phrase])
        rows = torch.cat((batch.rows.to(fit.dtype), fit, near, *known), -1)
        result: Tensor = self.score(self.dropout(functional.relu(self.hidden(rows)))).squeeze(-1).float()
        return result + fit.float().sum(-1) / 5


def products(a: Tensor, b: Tensor) -> Tensor:
    """Products (N, DOTS) of the parts of rows (N, D)."""
    return (a * b).view(len(a), DOTS, -1).sum(-1) / 5
