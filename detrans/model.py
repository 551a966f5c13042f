"""The network: one encoder pass over a passage, a damage head on every token, and a candidate
head that scores each lexicon candidate (and *keep*) from the encoder's states at the span.

Shapes: B passages, T word pieces, S spans, C candidates per span (the first is *keep*), D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from detrans.features import FEATURES

LEVELS = 8  # spin levels of the document, one control token each
FIRST_LEVEL_TOKEN = 1  # [unused0] of the BERT vocabulary


@dataclass
class Batch:
    """Padded tensors for one forward pass.

    tokens, attention: (B, T). passage, first, last: (S,) where each span sits.
    pieces: (S, C, P) word pieces of each candidate, 0-padded. features: (S, C, FEATURES).
    """

    tokens: Tensor
    attention: Tensor
    passage: Tensor
    first: Tensor
    last: Tensor
    pieces: Tensor
    features: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(**{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})


class SpanModel(nn.Module):
    """Encoder, damage head and candidate head."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.damage = nn.Linear(width, 1)
        self.query = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.key = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.plain = nn.Sequential(nn.Linear(FEATURES, 64), nn.GELU(), nn.Linear(64, 1))
        self.trust = nn.Linear(width, FEATURES)  # how far each feature counts here
        self.scale = width**-0.5

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Damage logits (B, T) and candidate scores (S, C); absent candidates score -inf."""
        states = self.encoder(input_ids=batch.tokens, attention_mask=batch.attention).last_hidden_state
        damage = self.damage(states).squeeze(-1).float()
        ends = torch.cat((states[batch.passage, batch.first], states[batch.passage, batch.last]), -1)
        query = self.query(ends)
        lengths = (batch.pieces != 0).sum(-1)
        present = lengths.nonzero(as_tuple=True)  # most spans have few candidates, so work on those only
        vectors = nn.functional.embedding_bag(
            batch.pieces[present], self.encoder.embeddings.word_embeddings.weight, mode="mean", padding_idx=0
        )
        fit = (self.key(vectors.to(query.dtype)) * query[present[0]]).sum(-1).float() * self.scale
        features = batch.features[present].to(query.dtype)
        fit = fit + self.plain(features).squeeze(-1).float()
        fit = fit + (self.trust(query)[present[0]] * features).sum(-1).float()
        scores = torch.full(lengths.shape, float("-inf"), device=fit.device)
        return damage, scores.index_put(present, fit)
