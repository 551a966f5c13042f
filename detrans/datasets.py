"""For Hugging Face datasets: `dataset.map(Clean("text"), batched=True, num_proc=4)`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from detrans.config import Config
from detrans.errors import DetransError
from detrans.pipeline import shared

SCORE = "detrans_score"


class Clean:
    """A picklable function for `Dataset.map(..., batched=True)`; each process loads detrans once.

    column: the texts, a str or None each. add_score: whether to add `detrans_score`, the documents'
    probabilities of damage (0 to 1; None for no text). Options are the fields of `Config`.
    """

    def __init__(self, column: str = "text", add_score: bool = False, **options: Any) -> None:
        self.column, self.add_score = column, add_score
        self.config = Config().with_options(**options)

    def __call__(self, batch: dict[str, Sequence[Any]]) -> dict[str, list[Any]]:
        self.check(batch)
        texts, scores = self.repaired(batch[self.column])
        return {self.column: texts} | ({SCORE: scores} if self.add_score else {})

    def check(self, columns: Iterable[str]) -> None:
        """DetransError if the column of texts is not one of these."""
        if self.column not in columns:
            raise DetransError(f"no column {self.column!r} (has: {', '.join(columns)})")

    def repaired(self, texts: Sequence[Any]) -> tuple[list[str | None], list[float | None]]:
        """The texts repaired and their scores; None stays None."""
        repairs = iter(shared(self.config).repair_batch([t for t in texts if t is not None]))
        found = [None if t is None else next(repairs) for t in texts]
        return [r.text if r else None for r in found], [r.score if r else None for r in found]
