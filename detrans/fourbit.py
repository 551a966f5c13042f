"""Matrices in four bits: how the language model's weights are stored.

A row is cut into groups of 32 numbers; each group keeps its smallest number and its step as one
byte each, as shares of the largest in the row. That is 4.5 bits a weight, and costs the model
0.11 nats a word, most of it in the word vectors (docs/decisions.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

GROUP = 32
BLOCK = 2048  # rows unpacked at once: bounds the memory for them in float32
PARTS = ("codes", "steps", "step_unit", "lows", "low_unit")


def pack(matrix: Tensor) -> dict[str, Tensor]:
    """A float matrix (R, C), C a multiple of 32, as codes (R, C/2), steps and lows (R, C/32), and
    their units (R, 1)."""
    rows, columns = matrix.shape
    groups = matrix.float().view(rows, columns // GROUP, GROUP)
    low, high = groups.amin(-1), groups.amax(-1)
    step = ((high - low) / 15).clamp(min=1e-8)
    # The units are rounded first: steps and lows are fitted to what will be read.
    step_unit = (step.amax(1, keepdim=True) / 255).half().float().clamp(min=6e-8)
    low_unit = (low.abs().amax(1, keepdim=True) / 127).half().float().clamp(min=6e-8)
    steps = (step / step_unit).ceil().clamp(1, 255)
    lows = (low / low_unit).round().clamp(-127, 127)
    codes = (
        ((groups - (lows * low_unit).unsqueeze(-1)) / (steps * step_unit).unsqueeze(-1)).round().clamp(0, 15)
    )
    flat = codes.to(torch.uint8).view(rows, columns)
    return {
        "codes": flat[:, 0::2] | (flat[:, 1::2] << 4),
        "steps": steps.to(torch.uint8),
        "step_unit": step_unit.half(),
        "lows": lows.to(torch.int8),
        "low_unit": low_unit.half(),
    }


def unpack(parts: dict[str, Tensor], dtype: torch.dtype) -> Tensor:
    """The matrix (R, C) that `pack` stored, as near as four bits come."""
    rows, half = parts["codes"].shape
    matrix = torch.empty(rows, 2 * half, dtype=dtype, device=parts["codes"].device)
    for at in range(0, rows, BLOCK):
        some = {name: part[at : at + BLOCK] for name, part in parts.items()}
        codes = torch.stack((some["codes"] & 15, some["codes"] >> 4), -1).view(len(some["codes"]), -1, GROUP)
        step = (some["steps"].float() * some["step_unit"].float()).unsqueeze(-1)
        low = (some["lows"].float() * some["low_unit"].float()).unsqueeze(-1)
        matrix[at : at + BLOCK] = torch.addcmul(low, codes.float(), step).view(-1, 2 * half)
    return matrix


def pack_all(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every matrix of whole groups packed, its parts named `name.part`; the rest as fp16."""
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() == 2 and weight.shape[1] % GROUP == 0:
            stored |= {f"{name}.{part}": t.contiguous() for part, t in pack(weight).items()}
        else:
            stored[name] = weight.half()
    return stored


def unpack_all(stored: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """What `pack_all` stored, in `dtype`."""
    weights: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        base, _, part = name.rpartition(".")
        if part == PARTS[0]:
            weights[base] = unpack({p: stored[f"{base}.{p}"] for p in PARTS}, dtype)
        elif part not in PARTS:
            weights[name] = tensor.to(dtype)
    return weights
