"""What a worker process does with a chunk: parse, repair or score, and put into the form of output."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from detrans.config import Config
from detrans.corpus.formats import TEXT, BadRecord, Chunk, Record, dump, parse
from detrans.pipeline import Detection, Repair, shared


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with every document; a worker process gets it once.

    detect: score only. as_json: one JSON object a document instead of its own form. least, most:
    documents with a score outside are left out. repair: False lets texts through as they are.
    """

    config: Config
    text_field: str = "text"
    detect: bool = False
    as_json: bool = False
    repair: bool = True
    add_score: bool = False
    add_edits: bool = False
    least: float = 0.0
    most: float = 1.0


@dataclass(slots=True)
class Done:
    """A finished chunk: its output (bytes, or a Parquet table) and the counts of what happened."""

    output: bytes
    table: Any = None
    documents: int = 0
    flagged: int = 0
    edits: int = 0
    kept: int = 0
    characters: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)


class Worker:
    """Holds the loaded pipeline of one process."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._detrans = shared(task.config)

    @property
    def signature(self) -> str:
        return self._detrans.signature

    def work(self, chunk: Chunk) -> Done:
        """Do the task for a chunk; what is wrong with single records is told, not raised."""
        task, done = self._task, Done(b"")
        good: list[tuple[Any, Record]] = []
        for number, item, record in parse(chunk, task.text_field):
            if isinstance(record, BadRecord):
                done.rejects.append((number, str(record)))
            else:
                good.append((item, record))
        texts = [record.text for _, record in good]
        results = self._results(texts)
        done.documents, done.characters = len(texts), sum(map(len, texts))
        rows = []
        for (item, record), result in zip(good, results, strict=True):
            done.flagged += result.score >= 0.5
            if not task.least <= result.score <= task.most:
                continue
            done.kept += 1
            if isinstance(result, Repair):
                done.edits += len(result.edits)
            rows.append((item, record, result))
        self._write(chunk, rows, done)
        return done

    def _results(self, texts: list[str]) -> Sequence[Repair | Detection]:
        if self._task.detect:
            return self._detrans.detect_batch(texts)
        if not self._task.repair:
            scores = self._detrans.scores(texts)
            return [Repair(t, (), s, self.signature) for t, s in zip(texts, scores, strict=True)]
        return self._detrans.repair_batch(texts)

    def _write(self, chunk: Chunk, rows: list[tuple[Any, Record, Any]], done: Done) -> None:
        task = self._task
        if task.as_json:
            lines = [dump({"source": r.source} | result.to_dict()) for _, r, result in rows]
            done.output = "".join(lines).encode()
        elif task.detect:
            lines = [f"{result.score:.4f}\t{r.source}\n" for _, r, result in rows]
            done.output = "".join(lines).encode(**TEXT)
        elif chunk.kind in ("text", "lines"):
            done.output = "".join(result.text for _, _, result in rows).encode(**TEXT)
        elif chunk.kind == "jsonl":
            done.output = b"".join(self._line(*row) for row in rows)
        elif chunk.kind == "csv":
            done.output = self._csv(chunk, rows)
        else:
            import pyarrow as arrow

            schema = chunk.table.schema
            if task.add_score:
                schema = schema.append(arrow.field("detrans_score", arrow.float64()))
            if task.add_edits:
                schema = schema.append(arrow.field("detrans_edits", arrow.string()))
            data = [self._data(record, result, flat=True) for _, record, result in rows]
            done.table = arrow.Table.from_pylist(data, schema=schema)

    def _data(self, record: Record, result: Any, flat: bool = False) -> dict[str, Any]:
        data = (record.data or {}) | {self._task.text_field: result.text}
        if self._task.add_score:
            data["detrans_score"] = result.score
        if self._task.add_edits:
            edits = result.to_dict()["edits"]
            data["detrans_edits"] = dump({"edits": edits}).strip() if flat else edits
        return data

    def _line(self, item: bytes, record: Record, result: Any) -> bytes:
        """A JSON line; byte for byte the one that came in where nothing changed."""
        if result.text == record.text and not self._task.add_score and not self._task.add_edits:
            return item if item.endswith(b"\n") else item + b"\n"
        return dump(self._data(record, result)).encode()

    def _csv(self, chunk: Chunk, rows: list[tuple[Any, Record, Any]]) -> bytes:
        extra = ["detrans_score"] * self._task.add_score + ["detrans_edits"] * self._task.add_edits
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        if chunk.first == 1:
            writer.writerow([*chunk.header, *extra])
        for _, record, result in rows:
            writer.writerow(self._data(record, result, flat=True).values())
        return out.getvalue().encode(**TEXT)
