"""Score a repaired text against gold marks.

A gold text is the damaged text with inline marks, one paragraph a line:

    {spun=>first/second}    must be repaired, to any of the alternatives
    {?spun=>first/second}   may be repaired so, and may stay as it is

Everything outside the marks must come out unchanged; a changed word there is harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import product

_TOKEN = re.compile(r"\d[\d,.]*\d|\w+(?:[’'\-]\w+)*|[^\w\s]")
_MARK = re.compile(r"\{(\??)(.*?)=>(.*?)\}")
_JOINED = re.compile(r"[\w’'\-]")  # what may be in one token with its neighbour
_WRONG, _LONGER, _KEPT = 0.9, 0.3, 0.01  # costs of the alignment; a changed literal costs 1.1


Located = tuple[int, int, bool, list[str]]  # a mark's start and end, whether required, accepted repairs


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked span: whether it must be repaired, its tokens, and the accepted repairs."""

    required: bool
    original: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class Counts:
    """What became of a text's marks and literal words; counts add up over texts."""

    required: int = 0
    fixed: int = 0
    wrong: int = 0
    improved: int = 0
    spoilt: int = 0
    literal: int = 0
    harmed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def recall(self) -> float:
        return self.fixed / max(1, self.required)

    @property
    def precision(self) -> float:
        good = self.fixed + self.improved
        return good / made if (made := good + self.wrong + self.spoilt + self.harmed) else 1.0

    @property
    def f05(self) -> float:
        p, r = self.precision, self.recall
        return 1.25 * p * r / (0.25 * p + r) if p + r else 0.0

    @property
    def harm(self) -> float:
        """Words changed outside the marks, per 1,000 there."""
        return 1000 * self.harmed / max(1, self.literal)


def tokens(text: str) -> tuple[str, ...]:
    return tuple(t.replace("’", "'").lower() for t in _TOKEN.findall(text))


def plain(gold: str) -> str:
    """The damaged text that a gold text stands for."""
    return _MARK.sub(lambda m: m[2], gold)


def mended(gold: str) -> str:
    """The clean text: every mark repaired by its first alternative."""
    return _MARK.sub(lambda m: m[3].split("/")[0], gold)


def located(gold: str) -> list[Located]:
    """(start, end, required, accepted repairs) of each mark; characters of the damaged text."""
    spans, shift = [], 0
    for m in _MARK.finditer(gold):
        start = m.start() - shift
        shift += len(m[0]) - len(m[2])
        spans.append((start, start + len(m[2]), not m[1], m[3].split("/")))
    return spans


def parse(line: str) -> list[str | Mark]:
    """A gold line as literal tokens and marks. A mark inside a token ("two-{aim=>goal}") takes in the rest
    of it, and marks that share one are one, which is repaired where all of them are."""
    text = plain(line)
    items: list[str | Mark] = []
    at = 0
    for start, end, marks in _whole(text, located(line)):
        items += tokens(text[at:start])
        original, accepted = tokens(text[start:end]), []
        options = [
            texts if required or len(marks) == 1 else [*texts, text[a:b]] for a, b, required, texts in marks
        ]
        for chosen in product(*options):
            pieces, at = [], start
            for (a, b, _, _), repair in zip(marks, chosen, strict=True):
                pieces += [text[at:a], repair]
                at = b
            accepted.append(tokens("".join((*pieces, text[at:end]))))
        if len(marks) > 1:
            accepted = [variant for variant in accepted if variant != original]
        items.append(Mark(any(required for _, _, required, _ in marks), original, tuple(accepted)))
        at = end
    return [*items, *tokens(text[at:])]


def _whole(text: str, marks: list[Located]) -> Iterator[tuple[int, int, list[Located]]]:
    """Stretches that begin and end where no token goes on, whatever is written there; the marks in each."""
    group: list[Located] = []
    low = high = 0
    for mark in marks:
        start, end = mark[0], mark[1]
        while start > 0 and _JOINED.match(text[start - 1]):
            start -= 1
        while end < len(text) and _JOINED.match(text[end]):
            end += 1
        if group and start < high:
            group.append(mark)
            high = max(high, end)
            continue
        if group:
            yield low, high, group
        low, high, group = start, end, [mark]
    if group:
        yield low, high, group


def score_line(items: list[str | Mark], repaired: tuple[str, ...]) -> Counts:
    """Counts under the cheapest reading of `repaired` as `items`."""
    n, m = len(items), len(repaired)
    best = [[float("inf")] * (m + 1) for _ in range(n + 1)]
    best[0][0] = 0.0
    back: dict[tuple[int, int], tuple[int, int, str]] = {}

    def offer(i: int, j: int, cost: float, start: tuple[int, int], label: str) -> None:
        if cost < best[i][j]:
            best[i][j] = cost
            back[i, j] = (*start, label)

    for i in range(n + 1):
        for j in range(m + 1):
            cost = best[i][j]
            if cost == float("inf"):
                continue
            if j < m:
                offer(i, j + 1, cost + 1, (i, j), "insert")
            if i == n:
                continue
            item = items[i]
            if isinstance(item, str):
                if j < m and item == repaired[j]:
                    offer(i + 1, j + 1, cost, (i, j), "same")
                elif j < m:
                    offer(i + 1, j + 1, cost + 1.1, (i, j), "change")
                offer(i + 1, j, cost + 1, (i, j), "change")
                continue
            for variant in item.accepted:
                if repaired[j : j + len(variant)] == variant:
                    offer(i + 1, j + len(variant), cost, (i, j), "fixed")
            k = len(item.original)
            if repaired[j : j + k] == item.original:
                offer(i + 1, j + k, cost + _KEPT, (i, j), "kept")
            for size in range(min(m - j, k + 4) + 1):
                offer(i + 1, j + size, cost + _WRONG + _LONGER * abs(size - k), (i, j), "wrong")

    counts = Counts()
    i, j = n, m
    while (i, j) != (0, 0):
        pi, pj, label = back[i, j]
        if label == "insert":
            counts.harmed += 1
        else:
            _count(items[pi], label, counts)
        i, j = pi, pj
    return counts


def _count(item: str | Mark, label: str, counts: Counts) -> None:
    if isinstance(item, str):
        counts.literal += 1
        counts.harmed += label == "change"
    elif item.required:
        counts.required += 1
        counts.fixed += label == "fixed"
        counts.wrong += label == "wrong"
    else:
        counts.improved += label == "fixed"
        counts.spoilt += label == "wrong"


def score(gold: str, repaired: str) -> Counts:
    """Counts of a whole text. ValueError if the repair has another number of lines."""
    lines = zip(gold.rstrip("\n").split("\n"), repaired.rstrip("\n").split("\n"), strict=True)
    return total(score_line(parse(g), tokens(r)) for g, r in lines)


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of many counts."""
    result = Counts()
    for c in counts:
        result = result + c
    return result
