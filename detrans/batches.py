"""Group the sequences that a network reads together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], length: Callable[[T], int], budget: int | None) -> Iterator[list[T]]:
    """Items of like length, as many as the budget of tokens allows, padding included.

    Without a budget each alone: a batch changes the last bits of what comes out.
    """
    if budget is None:
        yield from ([item] for item in items)
        return
    group: list[T] = []
    for item in sorted(items, key=length):
        if group and length(item) * (len(group) + 1) > budget:
            yield group
            group = []
        group.append(item)
    if group:
        yield group
