"""The Llama architecture (Touvron et al. 2023), as much as one pass over given tokens needs.

transformers has it too, and the tests hold this one to that; but importing it there takes longer
than loading the weights and repairing a document.

Shapes: B sequences, T tokens, D width, H heads of size E, of which keys and values have K.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Of each layer, the keys and values (B, K, T, E) of tokens that were read.
Past = list[tuple[Tensor, Tensor]]


class Llama:
    """Weights by their names in transformers' `LlamaModel`; settings by those of its `LlamaConfig`."""

    def __init__(self, settings: dict[str, Any], weights: dict[str, Tensor]) -> None:
        self.weights = weights
        self._layers = int(settings["num_hidden_layers"])
        self._heads = int(settings["num_attention_heads"])
        self._kept = int(settings["num_key_value_heads"])
        self._size = int(settings["head_dim"])
        self._eps = float(settings["rms_norm_eps"])
        steps = torch.arange(0, self._size, 2, dtype=torch.float32) / self._size
        self._frequencies = float(settings["rope_theta"]) ** -steps
        self.vectors = weights["embed_tokens.weight"]  # (V, D), of the output as well

    def states(
        self, tokens: Tensor, positions: Tensor, mask: Tensor | None = None, past: Past | None = None
    ) -> tuple[Tensor, Past]:
        """States (B, T, D) of tokens (B, T) at positions (B, T), and their keys and values.

        past: what was returned for S tokens that were read before. mask (B, T, S + T) is True where a token
        sees another; without one, and then without a past, each sees itself and those before it.
        """
        x = functional.embedding(tokens, self.vectors)
        angles = positions.unsqueeze(-1).float() * self._frequencies.to(positions.device)
        angles = torch.cat((angles, angles), -1).unsqueeze(1)  # (B, 1, T, E)
        turn = (angles.cos().to(x.dtype), angles.sin().to(x.dtype))
        kept: Past = []
        for number in range(self._layers):
            layer = f"layers.{number}."
            before = past[number] if past else None
            seen, own = self._attend(
                layer + "self_attn.", self._norm(layer + "input_layernorm", x), turn, mask, before
            )
            x = x + seen
            x = x + self._transform(layer + "mlp.", self._norm(layer + "post_attention_layernorm", x))
            kept.append(own)
        return self._norm("norm", x), kept

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.weights[f"{name}.weight"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self._eps)
        return self.weights[f"{name}.weight"] * scaled.to(x.dtype)

    def _attend(
        self,
        name: str,
        x: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        past: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        def heads(part: str, count: int) -> Tensor:
            return self._linear(name + part, x).view(*x.shape[:2], count, self._size).transpose(1, 2)

        query = rotate(heads("q_proj", self._heads), turn)
        own = (rotate(heads("k_proj", self._kept), turn), heads("v_proj", self._kept))
        both = tuple(torch.cat(pair, 2) for pair in zip(past, own, strict=True)) if past else own
        key, value = (t.repeat_interleave(self._heads // self._kept, 1) for t in both)
        see = mask.unsqueeze(1) if mask is not None else None
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=see, is_causal=mask is None
        )
        return self._linear(name + "o_proj", seen.transpose(1, 2).reshape(*x.shape[:2], -1)), own

    def _transform(self, name: str, x: Tensor) -> Tensor:
        gate = functional.silu(self._linear(name + "gate_proj", x))
        return self._linear(name + "down_proj", gate * self._linear(name + "up_proj", x))


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of heads (B, H, T, E), halves paired."""
    cos, sin = turn
    low, high = x.chunk(2, -1)
    return x * cos + torch.cat((-high, low), -1) * sin


def adapt(weights: dict[str, Tensor], adapter: dict[str, Tensor]) -> None:
    """Change weights by low-rank products (LoRA, Hu et al. 2021): `name.up` (out, R), `name.down` (R, in)."""
    for name in (key.removesuffix(".down") for key in adapter if key.endswith(".down")):
        weight = weights[f"{name}.weight"]
        change = adapter[f"{name}.up"].float() @ adapter[f"{name}.down"].float()
        weight.copy_(weight.float() + change)  # in place: matrices made anew leave the heap in pieces
