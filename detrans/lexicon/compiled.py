"""The built lexicon as it is read at run time: columns of numbers, forms made when they are asked for.

Most forms are never wanted in the life of a process. `training/lexicon.py` writes the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from detrans.assets import model_directory
from detrans.lexicon import Form, Lexicon

NUMBERS = ("share", "evidence", "rate")
NAMES = ("family", "table")


KEPT = 10_000  # phrases whose forms are kept: bounds the memory of a long run


class Candidates(Sequence[list[Form]]):
    """The forms of each phrase by its number, made when they are asked for; the last ones are kept."""

    def __init__(self, phrases: list[str], columns: dict[str, Any], names: dict[str, list[str]]) -> None:
        self._phrases = phrases
        self._starts = columns["starts"].tolist()
        self._originals = _lines(columns["originals"])
        self._columns, self._names = columns, names
        self._kept = lru_cache(maxsize=KEPT)(self._make)

    def __len__(self) -> int:
        return len(self._phrases)

    def __getitem__(self, number: Any) -> Any:
        return self._kept(number)

    def _make(self, number: int) -> list[Form]:
        rows = slice(self._starts[number], self._starts[number + 1])
        # Whole stretches of the columns: single numbers come out of an array slowly.
        numbers = (self._columns[name][rows].tolist() for name in NUMBERS)
        names = ([self._names[name][i] for i in self._columns[name][rows].tolist()] for name in NAMES)
        held_out = self._columns["held_out"][rows].astype(bool).tolist()
        phrase, originals = self._phrases[number], self._originals[rows]
        return [Form(phrase, *rest) for rest in zip(originals, *numbers, *names, held_out, strict=True)]


class CompiledLexicon(Lexicon):
    """The lexicon in a file that `write` made."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="numpy") as file:
            columns = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
            metadata = file.metadata()
        names = {name: metadata[name].split(" ") for name in NAMES}
        self.phrases = _lines(columns["phrases"])
        self.candidates = Candidates(self.phrases, columns, names)
        self.evidence = columns["evidence"][columns["starts"][:-1]].tolist()
        self.hash = metadata["hash"]


def shipped_forms() -> list[Form]:
    """All forms of the lexicon that comes with the package."""
    return CompiledLexicon(model_directory("lexical") / "lexicon.safetensors").forms


def write(lexicon: Lexicon, path: Path) -> None:
    """Write a lexicon for `CompiledLexicon` to read."""
    forms = lexicon.forms
    names = {name: sorted({getattr(f, name) for f in forms}) for name in NAMES}
    columns = {name: np.array([getattr(f, name) for f in forms], np.float32) for name in NUMBERS}
    for name, known in names.items():
        columns[name] = np.array([known.index(getattr(f, name)) for f in forms], np.uint8)
    columns["held_out"] = np.array([f.held_out for f in forms], np.uint8)
    columns["starts"] = np.cumsum([0, *map(len, lexicon.candidates)], dtype=np.int32)
    columns["phrases"] = _text(lexicon.phrases)
    columns["originals"] = _text([f.original for f in forms])
    metadata = {name: " ".join(known) for name, known in names.items()} | {"hash": lexicon.hash}
    save_file(columns, path, metadata)


def _text(lines: list[str]) -> Any:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


def _lines(text: Any) -> list[str]:
    lines: list[str] = text.tobytes().decode().split("\n")
    return lines
