"""A small language model that says how likely a text is with one phrase or another in a place.

The text as it stands is the trunk, which is read first and remembered; every other variant is a
branch of a few tokens, the phrase and what follows it, that sees the trunk up to its place and
itself. The trunk alone foretells the first token of every phrase, and that is enough to tell most of
those that are not worth a branch.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
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
from detrans.llama import Llama, Past, adapt
from detrans.threads import Each, separately

BEGIN = 1  # the token before a text
FOLLOWING = 7  # tokens after the phrase that speak for or against it
BEFORE = 64  # tokens that the first place of a trunk sees, where the text has as many
TRUNK = 320  # tokens from a trunk's first to the last place on it, at most
GROUP = 192  # tokens of branches read at once, unless one alone has more: attention grows with the square
WORDS = 2048  # of the vocabulary at once, by which logits are worked out: bounds the memory for them
GPU_TOKENS = 65_536  # of a batch on a GPU, padding included


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
class Variant:
    """Tokens of phrase `phrase` of a place from token `at` of the text on; the first `own` are the phrase's.

    trunk: whether the text itself has these tokens, so that the trunk says all about them.
    """

    place: int
    phrase: int
    at: int
    tokens: list[int]
    own: int
    trunk: bool

    @property
    def told(self) -> int:
        """Tokens that the trunk foretells."""
        return len(self.tokens) if self.trunk else 1

    @property
    def left(self) -> int:
        """Tokens that a branch must foretell, and so must read: of them all but the last."""
        return len(self.tokens) - self.told


@dataclass(slots=True)
class Window:
    """Tokens [low, high) of a text, read as one trunk after a token of beginning, and what is asked on it."""

    low: int
    high: int
    tokens: list[int] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)

    def on(self, ids: list[int]) -> Window:
        """The window with its tokens, cut from those of the text."""
        self.tokens = [BEGIN, *ids[self.low : self.high]]
        return self

    def add(self, variants: list[Variant]) -> None:
        self.variants += variants
        self.high = max([self.high, *(v.at + (len(v.tokens) - 1) * v.trunk for v in variants)])

    def leaves(self, variant: Variant) -> int:
        """Tokens of the trunk before the variant."""
        return variant.at - self.low + 1

    def size(self) -> int:
        """Tokens to read where nothing is left out."""
        return 1 + self.high - self.low + sum(v.left for v in self.variants)


@dataclass(slots=True)
class Asked:
    """Tokens whose ln P is asked for, each with its row: of the state that foretells it; and what it counts
    for: 2 n for the phrase of variant n, 2 n + 1 for what follows that."""

    row: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    part: list[int] = field(default_factory=list)

    def add(self, n: int, variant: Variant, tokens: range, row: int) -> None:
        """Some tokens of variant n, the first foretold by the state in `row`, the others by the next."""
        self.row += range(row, row + len(tokens))
        self.target += variant.tokens[tokens.start : tokens.stop]
        self.part += [2 * n + (j >= variant.own) for j in tokens]


@dataclass(slots=True)
class Group:
    """Branches of one window that are read together: their numbers among all variants."""

    window: int
    numbers: list[int] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Trunks:
    """Windows that were read together: their variants in order, each with the number of its window; the
    trunks' keys and values; ln P of each variant's first token (N,); as much as the trunks alone foretell
    of its phrase and of what follows that (N, 2)."""

    windows: list[Window]
    variants: list[tuple[int, Variant]]
    past: Past
    first: Tensor
    told: Tensor


# What the trunk of a text (its number) foretells: for each of some places, of each phrase the ln P of its
# first token. In return: the numbers of those phrases of each place that are to be read whole.
Wanted = Callable[[int, dict[int, list[float]]], dict[int, list[int]]]


class LanguageModel:
    """The weights in `directory` (language.safetensors, language.json), on one device.

    config: the model's settings; its "language" entry is that of a `Llama`.
    """

    def __init__(
        self, directory: Path, config: dict[str, Any], device: str | None = None, adapted: bool = True
    ) -> None:
        try:
            self.device, dtype = placed(device)
            stored = load_file(directory / "language.safetensors", str(self.device))
            weights = unpack_all(stored, dtype)
            if adapted:
                adapt(weights, load_file(directory / "adapter.safetensors", str(self.device)))
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

    def score(
        self, texts: Sequence[tuple[str, Sequence[Place]]], wanted: Wanted | None = None
    ) -> list[list[dict[int, Likelihood]]]:
        """For each text, each place: how likely each phrase is there, by its number.

        Where `wanted` is given, only what it names is read whole, and the result has nothing else.
        On the CPU one window at a time, so that a batch changes no bit.
        """
        result: list[list[dict[int, Likelihood]]] = []
        jobs: list[tuple[int, Window]] = []
        for number, (text, places) in enumerate(texts):
            result.append([{} for _ in places])
            jobs += ((number, window) for window in self.windows(plain_characters(text), places))
        pieces = list(batches(jobs, lambda job: len(job[1].tokens), self._budget))
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        # No more at once than the threads have to do: what a window sees takes some megabytes.
        size = 2 * threads if threads > 1 else 1
        with separately(threads) as each:
            for at in range(0, len(pieces), size):
                for number, variant, likelihood in self._read(pieces[at : at + size], wanted, each):
                    result[number][variant.place][variant.phrase] = likelihood
        return result

    def windows(self, text: str, places: Sequence[Place]) -> Iterator[Window]:
        """The windows of a text that its places need, each with the variants of some of them."""
        if not places:
            return
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids, ends = encoding.ids, [b for _, b in encoding.offsets]
        starts = [a for a, _ in encoding.offsets]
        window: Window | None = None
        for number in sorted(range(len(places)), key=lambda i: places[i].start):
            place = places[number]
            spaced = text[place.start - 1 : place.start] == " "  # the space is part of a word's first token
            at = bisect_right(ends, place.start - spaced)
            after = bisect_left(starts, place.end)
            rest = _LINE.match(text, place.end, ends[min(after + FOLLOWING, len(ids)) - 1])
            following = rest[0] if rest else ""
            variants = []
            for which, phrase in enumerate(place.phrases):
                tokens, own = self._variant(" " * spaced + phrase, following)
                same = tokens == ids[at : at + len(tokens)]
                variants.append(Variant(number, which, at, tokens, own, same))
            if window and (at - window.low > TRUNK or at - window.high > BEFORE):
                yield window.on(ids)
                window = None
            window = window or Window(max(at - BEFORE, 0), at)
            window.add(variants)
        if window:
            yield window.on(ids)

    def _variant(self, phrase: str, rest: str) -> tuple[list[int], int]:
        """Tokens of a phrase and what follows it, and how many are the phrase's."""
        tokens = self._encode(plain_characters(phrase) + rest)
        # Where the phrase's last token swallows what follows, it is the phrase's.
        return tokens, min(self._length(phrase), len(tokens))

    @property
    def _budget(self) -> int | None:
        return None if self.device.type == "cpu" else GPU_TOKENS

    def _read(
        self, pieces: list[list[tuple[int, Window]]], wanted: Wanted | None, each: Each
    ) -> Iterator[tuple[int, Variant, Likelihood]]:
        """The variants of windows, each with the number of its text and its likelihood. The windows of a
        piece are read together."""
        trunks = each(lambda piece: self._trunks([window for _, window in piece]), pieces)
        chosen = [self._chosen(*one, wanted) for one in zip(pieces, trunks, strict=True)]
        groups = [list(self._groups(*one)) for one in zip(trunks, chosen, strict=True)]
        tasks = [(t, group) for t, some in zip(trunks, groups, strict=True) for group in some]
        read = iter(each(lambda task: self._branches(*task), tasks))
        for piece, t, named, some in zip(pieces, trunks, chosen, groups, strict=True):
            values = sum(islice(read, len(some)), t.told).tolist()
            for n in sorted(named):
                window, variant = t.variants[n]
                yield piece[window][0], variant, Likelihood(*values[n])

    @staticmethod
    def _chosen(jobs: list[tuple[int, Window]], trunks: Trunks, wanted: Wanted | None) -> set[int]:
        """The numbers of the variants that are to be read whole."""
        if not wanted:
            return set(range(len(trunks.variants)))
        chosen: set[int] = set()
        firsts, numbers = trunks.first.tolist(), iter(range(len(trunks.variants)))
        for number, window in jobs:
            told: dict[int, list[int]] = {}  # of each place its variants' numbers, phrase by phrase
            for v in window.variants:
                told.setdefault(v.place, []).append(next(numbers))
            named = wanted(number, {place: [firsts[n] for n in some] for place, some in told.items()})
            chosen |= {told[place][phrase] for place, some in named.items() for phrase in some}
        return chosen

    def log_probabilities(self, windows: list[Window]) -> Tensor:
        """ln P of each variant's phrase and of what follows it (N, 2), for all variants in order."""
        trunks = self._trunks(windows)
        groups = self._groups(trunks, set(range(len(trunks.variants))))
        return sum((self._branches(trunks, some) for some in groups), trunks.told)

    def _trunks(self, windows: list[Window]) -> Trunks:
        length = max(len(window.tokens) for window in windows)
        tokens = torch.zeros(len(windows), length, dtype=torch.long)
        variants = [(number, v) for number, window in enumerate(windows) for v in window.variants]
        for number, window in enumerate(windows):
            tokens[number, : len(window.tokens)] = torch.tensor(window.tokens)
        asked = Asked()
        first: list[int] = []
        for n, (number, v) in enumerate(variants):
            first.append(len(asked.row))
            asked.add(n, v, range(v.told), number * length + windows[number].leaves(v) - 1)
        positions = torch.arange(length, device=self.device).expand(len(windows), -1)
        states, past = self.network.states(tokens.to(self.device), positions)
        values = self._foretold(states.flatten(0, 1), asked)
        told = self._sums(len(variants), asked, values)
        return Trunks(windows, variants, past, values[self._tensor(first)], told)

    def _groups(self, trunks: Trunks, chosen: set[int]) -> Iterator[list[Group]]:
        """The branches among the chosen variants, in groups that are read at once."""
        groups: list[Group] = []
        for n, (number, v) in enumerate(trunks.variants):
            if n not in chosen or not v.left:
                continue
            if not groups or groups[-1].window != number or groups[-1].size + v.left > GROUP:
                groups.append(Group(number))
            groups[-1].numbers.append(n)
            groups[-1].size += v.left
        return batches(groups, lambda g: g.size + len(trunks.windows[g.window].tokens), self._budget)

    def _branches(self, trunks: Trunks, groups: list[Group]) -> Tensor:
        """What some groups of branches add to what the trunks tell of all variants (N, 2)."""
        windows, variants = trunks.windows, trunks.variants
        length = max(group.size for group in groups)
        reach = max(windows[g.window].leaves(variants[n][1]) for g in groups for n in g.numbers)
        tokens, positions = (torch.zeros(len(groups), length, dtype=torch.long) for _ in range(2))
        seen = torch.zeros(len(groups), length, reach + length, dtype=torch.bool)
        seen[:, :, reach:] = torch.eye(length, dtype=torch.bool)  # padding sees itself: else all is NaN
        asked = Asked()
        for row, group in enumerate(groups):
            at = 0
            for n in group.numbers:
                v = variants[n][1]
                leaves, end = windows[group.window].leaves(v), at + v.left
                tokens[row, at:end] = torch.tensor(v.tokens[:-1])
                positions[row, at:end] = torch.arange(leaves, leaves + v.left)
                seen[row, at:end, :leaves] = True
                own = torch.ones(v.left, v.left, dtype=torch.bool).tril()
                seen[row, at:end, reach + at : reach + end] = own
                asked.add(n, v, range(1, len(v.tokens)), row * length + at)
                at = end
        past = [(k[:, :, :reach], v[:, :, :reach]) for k, v in trunks.past]
        if len(windows) > 1 or len(groups) > 1:
            which = self._tensor([group.window for group in groups])
            past = [(k[which], v[which]) for k, v in past]
        inputs = [t.to(self.device) for t in (tokens, positions, seen)]
        states, _ = self.network.states(inputs[0], inputs[1], inputs[2], past)
        values = self._foretold(states.flatten(0, 1), asked)
        return self._sums(len(variants), asked, values)

    def _tensor(self, numbers: list[int]) -> Tensor:
        return torch.tensor(numbers, device=self.device)

    def _sums(self, count: int, asked: Asked, values: Tensor) -> Tensor:
        """Values (M,) of what was asked, added up: of each variant, phrase and what follows (count, 2)."""
        zeros = torch.zeros(2 * count, device=self.device)
        return zeros.index_add(0, self._tensor(asked.part), values).view(-1, 2)

    def _foretold(self, states: Tensor, asked: Asked) -> Tensor:
        """ln P (M,) of what is asked, each token foretold by one of the states (R, D)."""
        rows, which = torch.unique(self._tensor(asked.row), return_inverse=True)
        states, vectors = states[rows], self.network.vectors
        parts = [functional.linear(states, v).float().logsumexp(-1) for v in torch.split(vectors, WORDS)]
        own = (states[which].float() * vectors[self._tensor(asked.target)].float()).sum(-1)
        return own - torch.stack(parts).logsumexp(0)[which]


def placed(device: str | None) -> tuple[torch.device, torch.dtype]:
    """The device of a network, a GPU where there is one and none is named, and what it computes in there."""
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return chosen, torch.bfloat16 if fast_bfloat16(chosen) else torch.float32


def fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself; elsewhere that is slower than float32."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cuda" or any(getattr(torch.cpu, name, bool)() for name in known)
