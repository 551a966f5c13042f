"""Arrays that grow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Growing:
    """An array that grows at its end, with room to spare, so that it is seldom copied."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._room: npt.NDArray[Any] = np.empty(256, dtype)
        self.length = 0

    @property
    def values(self) -> npt.NDArray[Any]:
        return self._room[: self.length]

    def extend(self, more: npt.NDArray[Any]) -> None:
        end = self.length + len(more)
        if end > len(self._room):
            self._room = np.concatenate((self.values, np.empty(end, self._room.dtype)))
        self._room[self.length : end] = more
        self.length = end
