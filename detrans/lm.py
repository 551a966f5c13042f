"""A small language model that says how likely a text is with one phrase or another in a place.

All variants of a text are scored in one pass. The text as it stands is the trunk; every other
variant is a branch of a few tokens, the phrase and what follows it, that sees the trunk up to its
place and itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from detrans.batches import batches
from detrans.errors import ModelError
from detrans.fourbit import unpack_all
from detrans.llama import Llama, adapt

BEGIN = 1  # the token before a text
FOLLOWING = 5  # tokens after the phrase that speak for or against it
BEFORE = 64  # tokens that the first place of a trunk sees, where the text has as many
TRUNK = 128  # tokens from a trunk's first to the last place on it, at most
TOKENS = 1100  # of trunk and branches, unless one place alone has more: attention grows with the square
ROWS = 512  # of logits at once, each as long as the vocabulary; smaller blocks leave the heap in pieces
GPU_TOKENS = 65_536  # of a batch of trunks on a GPU, padding included


_LINE = re.compile(r"[^\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain_characters(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate: none is a character to a tokenizer; offsets stay."""
    return _SURROGATE.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch [start, end) of a text (characters) and the phrases that might stand there."""

    start: int
    end: int
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """ln P of a phrase after all that precedes it, and of the tokens that follow it."""

    phrase: float
    following: float

    @property
    def total(self) -> float:
        return self.phrase + self.following


@dataclass(slots=True)
class Branch:
    """Tokens of one variant from token `at` of the text on; the first `own` are the phrase's.

    trunk: whether the text itself has these tokens, so that nothing grows here.
    """

    place: int
    at: int
    tokens: list[int]
    own: int
    trunk: bool


@dataclass(slots=True)
class Tree:
    """Tokens [low, high) of a text, and the branches that leave them: one sequence of the batch."""

    low: int
    high: int
    trunk: list[int] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)

    def on(self, ids: list[int]) -> Tree:
        """The tree with its trunk cut from the tokens of the text."""
        self.trunk = [BEGIN, *ids[self.low : self.high]]
        return self

    def reach(self, branches: list[Branch]) -> int:
        """Where the trunk must end to carry these branches too."""
        return max([self.high, *(b.at + (len(b.tokens) - 1) * b.trunk for b in branches)])

    def size(self, more: list[Branch] | None = None) -> int:
        """Tokens to read; of a branch all but the last, which foretells nothing that is asked for."""
        branches = [*self.branches, *(more or [])]
        return 1 + self.reach(branches) - self.low + sum(len(b.tokens) - 1 for b in branches if not b.trunk)


@dataclass(frozen=True, slots=True)
class Layout:
    """Trees as tensors: tokens and positions (B, T), seen (B, T, T), True where a token sees another;
    for each token of a branch (N): its row, the place of the token that foretells it, and its number."""

    tokens: Tensor
    positions: Tensor
    seen: Tensor
    row: Tensor
    before: Tensor
    target: Tensor

    def to(self, device: torch.device) -> Layout:
        return Layout(*(getattr(self, f.name).to(device) for f in fields(self)))


def lay_out(trees: Sequence[Tree]) -> Layout:
    """Each tree a row, its trunk before its branches."""
    length = max(tree.size() for tree in trees)
    tokens = torch.zeros(len(trees), length, dtype=torch.long)
    positions = torch.zeros(len(trees), length, dtype=torch.long)
    seen = torch.eye(length, dtype=torch.bool).repeat(len(trees), 1, 1)
    row: list[int] = []
    before: list[int] = []
    target: list[int] = []
    for number, tree in enumerate(trees):
        trunk = len(tree.trunk)
        ids, places = list(tree.trunk), list(range(trunk))
        seen[number, :trunk, :trunk] = torch.ones(trunk, trunk, dtype=torch.bool).tril()
        for branch in tree.branches:
            size, leaves = len(branch.tokens), branch.at - tree.low + 1
            at = leaves if branch.trunk else len(ids)
            row += [number] * size
            before += [leaves - 1, *range(at, at + size - 1)]
            target += branch.tokens
            if not branch.trunk:
                ids += branch.tokens[:-1]
                grown = slice(at, at + size - 1)
                places += range(leaves, leaves + size - 1)
                seen[number, grown, :leaves] = True
                seen[number, grown, grown] = torch.ones(size - 1, size - 1, dtype=torch.bool).tril()
        tokens[number, : len(ids)] = torch.tensor(ids)
        positions[number, : len(ids)] = torch.tensor(places)
    return Layout(tokens, positions, seen, *map(torch.tensor, (row, before, target)))


class LanguageModel:
    """The weights in `directory` (language.safetensors, language.json), on one device.

    config: the model's settings; its "language" entry is that of a `Llama`.
    """

    def __init__(
        self, directory: Path, config: dict[str, Any], device: str | None = None, adapted: bool = True
    ) -> None:
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            dtype = torch.bfloat16 if fast_bfloat16(self.device) else torch.float32
            stored = load_file(directory / "language.safetensors", str(self.device))
            weights = unpack_all(stored, dtype)
            if adapted:
                weights = adapt(weights, load_file(directory / "adapter.safetensors", str(self.device)))
            self.network = Llama(config["language"], weights)
            self._tokenizer = Tokenizer.from_file(str(directory / "language.json"))
        except Exception as error:  # the tokenizer raises nothing narrower
            raise ModelError(
                f"cannot load the language model in {directory} onto {device or 'the device'}: {error}"
            ) from error
        self._length = lru_cache(maxsize=100_000)(lambda phrase: len(self._encode(plain_characters(phrase))))

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def score(self, texts: Sequence[tuple[str, Sequence[Place]]]) -> list[list[list[Likelihood]]]:
        """For each text, each place, each phrase: how likely it is there.

        On the CPU one tree at a time, so that a batch changes no bit.
        """
        result: list[list[list[Likelihood]]] = []
        jobs: list[tuple[int, Tree]] = []
        for number, (text, places) in enumerate(texts):
            result.append([[] for _ in places])
            jobs += ((number, tree) for tree in self.trees(plain_characters(text), places))
        for group in self._batches(jobs):
            for (number, tree), values in zip(group, self._run([t for _, t in group]), strict=True):
                for branch, likelihood in zip(tree.branches, values, strict=True):
                    result[number][branch.place].append(likelihood)
        return result

    def trees(self, text: str, places: Sequence[Place]) -> Iterator[Tree]:
        if not places:
            return
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids, ends = encoding.ids, [b for _, b in encoding.offsets]
        starts = [a for a, _ in encoding.offsets]
        tree: Tree | None = None
        for number in sorted(range(len(places)), key=lambda i: places[i].start):
            place = places[number]
            spaced = text[place.start - 1 : place.start] == " "  # the space is part of a word's first token
            at = bisect_right(ends, place.start - spaced)
            after = bisect_left(starts, place.end)
            rest = _LINE.match(text, place.end, ends[min(after + FOLLOWING, len(ids)) - 1])
            following = rest[0] if rest else ""
            branches = []
            for phrase in place.phrases:
                tokens, own = self._variant(" " * spaced + phrase, following)
                branches.append(Branch(number, at, tokens, own, tokens == ids[at : at + len(tokens)]))
            if tree and (at - tree.low > TRUNK or tree.size(branches) > TOKENS):
                yield tree.on(ids)
                tree = None
            tree = tree or Tree(max(at - BEFORE, 0), at)
            tree.high = tree.reach(branches)
            tree.branches += branches
        if tree:
            yield tree.on(ids)

    def _variant(self, phrase: str, rest: str) -> tuple[list[int], int]:
        """Tokens of a phrase and what follows it, and how many are the phrase's."""
        tokens = self._encode(plain_characters(phrase) + rest)
        # Where the phrase's last token swallows what follows, it is the phrase's.
        return tokens, min(self._length(phrase), len(tokens))

    def _batches(self, jobs: list[tuple[int, Tree]]) -> Iterator[list[tuple[int, Tree]]]:
        return batches(jobs, lambda job: job[1].size(), None if self.device.type == "cpu" else GPU_TOKENS)

    @torch.inference_mode()
    def _run(self, trees: list[Tree]) -> Iterator[list[Likelihood]]:
        values = iter(self.log_probabilities(lay_out(trees).to(self.device)).tolist())
        for tree in trees:
            result = []
            for branch in tree.branches:
                each = [next(values) for _ in branch.tokens]
                result.append(Likelihood(sum(each[: branch.own]), sum(each[branch.own :])))
            yield result

    def log_probabilities(self, layout: Layout) -> Tensor:
        """ln P (N,) of each token of the branches, in order."""
        states = self.network.states(layout.tokens, layout.positions, layout.seen.unsqueeze(1))
        wanted = states[layout.row, layout.before]
        some = zip(torch.split(wanted, ROWS), torch.split(layout.target, ROWS), strict=True)
        return torch.cat([log_probability(x, ids, self.network.vectors) for x, ids in some])


def log_probability(states: Tensor, target: Tensor, vectors: Tensor) -> Tensor:
    """ln P (N,) of target tokens (N,) from the states (N, D) that foretell them."""
    return -functional.cross_entropy(functional.linear(states, vectors).float(), target, reduction="none")


def fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself; elsewhere that is slower than float32."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cuda" or any(getattr(torch.cpu, name, bool)() for name in known)
