"""For datatrove pipelines: a filter by damage and a formatter that repairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detrans.config import Config
from detrans.datasets import SCORE
from detrans.errors import extra
from detrans.pipeline import shared

BaseFilter: Any = extra("datatrove.pipeline.filters.base_filter", "datatrove").BaseFilter
BaseFormatter: Any = extra("datatrove.pipeline.formatters.base", "datatrove").BaseFormatter
batched: Any = extra("datatrove.utils.batching", "datatrove").batched


class DamageFilter(BaseFilter):  # type: ignore[misc]
    """Keeps documents whose probability of damage (0 to 1) lies in [least, most].

    The score goes to `metadata["detrans_score"]`. Options are the fields of `Config`.
    """

    name = "🩹 detrans damage"

    def __init__(
        self,
        most: float = 0.5,
        least: float = 0.0,
        exclusion_writer: Any = None,
        batch_size: int = 64,
        **options: Any,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self.least, self.most = least, most
        self.config = Config().with_options(**options)

    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Any]) -> list[bool | tuple[bool, str]]:
        scores = shared(self.config).scores([doc.text for doc in batch])
        for doc, score in zip(batch, scores, strict=True):
            doc.metadata[SCORE] = score
        return [
            (False, "damaged") if s > self.most else (False, "undamaged") if s < self.least else True
            for s in scores
        ]


class RepairFormatter(BaseFormatter):  # type: ignore[misc]
    """Repairs the text of every document; `metadata["detrans_edits"]` counts the edits.

    Options are the fields of `Config`.
    """

    name = "🩹 detrans repair"

    def __init__(self, batch_size: int = 64, **options: Any) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.config = Config().with_options(**options)

    def format(self, text: str) -> str:
        return shared(self.config).clean(text)

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        # datatrove formats one text at a time, which starves a model.
        for batch in batched(data, self.batch_size):
            with self.track_time("batch"):
                repairs = shared(self.config).repair_batch([doc.text for doc in batch])
            for doc, repair in zip(batch, repairs, strict=True):
                doc.text, doc.metadata["detrans_edits"] = repair.text, len(repair.edits)
                self.stat_update("total")
                self.stat_update("edits", value=len(repair.edits))
                yield doc
