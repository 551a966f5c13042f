"""The same work on several things, a thread for each.

The language model's matrices are small: threads that share one product of them wait for one another
most of the time. So each does all of its own, and how many there are changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

T = TypeVar("T")
U = TypeVar("U")


class Each(Protocol):
    """Does the same with each of some things, and returns what came of it, in order."""

    def __call__(self, do: Callable[[T], U], things: Sequence[T]) -> list[U]: ...


@contextmanager
def separately(count: int) -> Iterator[Each]:
    """`count` threads, each of which computes alone and, as in inference, without gradients."""
    inference = torch.inference_mode()  # of one thread: each must be told
    if count == 1:
        yield lambda do, things: [inference(do)(thing) for thing in things]
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield lambda do, things: list(pool.map(inference(do), things))
    finally:
        torch.set_num_threads(before)  # some of that setting is the process's
