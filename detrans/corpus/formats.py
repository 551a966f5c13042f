"""Read documents of several formats in chunks, and write them back in the form they came in.

Plain text (a document a file, or a line), JSON lines and CSV, each also as .gz, .xz or .zst, and
Parquet. A reader does as little as it can: it cuts the input into chunks of raw records, which
worker processes then parse.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import gzip
import io
import json
import lzma
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from detrans.errors import DetransError, extra

# Undecodable bytes become lone surrogates and turn back into the same bytes when written.
TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}
COMPRESSIONS = (".gz", ".xz", ".zst")
KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}
CHUNK_RECORDS = 256
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its path ("-" is standard input), its format, where its output goes in a folder."""

    path: str
    kind: str
    relative: str

    @property
    def compression(self) -> str:
        suffix = Path(self.path).suffix
        return suffix if suffix in COMPRESSIONS else ""


@dataclass(slots=True)
class Chunk:
    """Raw records of one input; `first` numbers the first of them from 1.

    items: bytes of a document or line, or the cells of a CSV row; `table` is a Parquet batch.
    """

    source: str
    kind: str
    first: int
    items: list[Any]
    header: list[str] = field(default_factory=list)
    table: Any = None


@dataclass(frozen=True, slots=True)
class Record:
    """One document: where it came from, its text and the object it sits in, if any."""

    source: str
    text: str
    data: dict[str, Any] | None = None


class BadRecord(DetransError):
    """A record without a text that can be read; the message says why."""


def kind_of(path: str, lines: bool) -> str:
    """The format of a path by its suffix; what has no known one is text."""
    name = Path(path)
    if name.suffix in COMPRESSIONS:
        name = name.with_suffix("")
    kind = KINDS.get(name.suffix, "text")
    return "lines" if lines and kind == "text" else kind


def expand(names: list[str] | None, lines: bool = False) -> list[Source]:
    """The inputs that file names, globs, folders (read recursively, by suffix) and "-" stand for."""
    sources = []
    for name in names or ["-"]:
        path = Path(name)
        if name == "-":
            sources.append(Source("-", "lines" if lines else "text", "stdin.txt"))
        elif path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file() and _known(p))
            if not found:
                raise DetransError(f"{name}: no .txt, .jsonl, .csv or .parquet file in this folder")
            sources += [Source(str(p), kind_of(str(p), lines), str(p.relative_to(path))) for p in found]
        elif not path.exists() and any(c in name for c in "*?["):
            matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  Path.glob refuses absolute ones
            if not matches:
                raise DetransError(f"{name}: no file matches")
            sources += [Source(m, kind_of(m, lines), Path(m).name) for m in matches if Path(m).is_file()]
        else:
            sources.append(Source(name, kind_of(name, lines), path.name))
    return sources


def _known(path: Path) -> bool:
    return (path.with_suffix("").suffix if path.suffix in COMPRESSIONS else path.suffix) in KINDS


@contextlib.contextmanager
def open_input(source: Source) -> Iterator[BinaryIO]:
    """The uncompressed bytes of an input."""
    if source.path == "-":
        yield sys.stdin.buffer
    elif source.compression == ".gz":
        with gzip.open(source.path, "rb") as file:
            yield file  # type: ignore[misc]
    elif source.compression == ".xz":
        with lzma.open(source.path, "rb") as file:
            yield file  # type: ignore[misc]
    elif source.compression == ".zst":
        zstandard = extra("zstandard")
        with Path(source.path).open("rb") as raw:
            # A file may be several frames, as ours are.
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            try:
                yield io.BufferedReader(reader)
            except zstandard.ZstdError as error:
                raise DetransError(f"{source.path}: cannot be read: {error}") from error
    else:
        with Path(source.path).open("rb") as file:
            yield file


def compress(data: bytes, compression: str) -> bytes:
    """`data` as one whole gzip member, xz stream or zstd frame, so that a file may end after any."""
    if compression == ".gz":
        return gzip.compress(data, 6, mtime=0)  # no time stamp: same input, same bytes
    if compression == ".xz":
        return lzma.compress(data)
    if compression == ".zst":
        compressed: bytes = extra("zstandard").ZstdCompressor().compress(data)
        return compressed
    return data


def chunks(source: Source, skip: int = 0) -> Iterator[Chunk]:
    """The records of an input after the first `skip`, in chunks of bounded size.

    Raises DetransError for what cannot be read at all.
    """
    try:
        if source.kind == "parquet":
            yield from _parquet(source, skip)
            return
        with open_input(source) as file:
            if source.kind == "text":
                if not skip:
                    yield Chunk(source.path, "text", 1, [file.read()])
                return
            header: list[str] = []
            records: Iterator[Any] = file
            if source.kind == "csv":
                text = io.TextIOWrapper(file, newline="", **TEXT)
                csv.field_size_limit(1 << 30)
                records = csv.reader(text)
                header = next(records, [])
            items: list[Any] = []
            size, first = 0, 1
            for number, item in enumerate(records, 1):
                if number <= skip:
                    first = number + 1
                    continue
                items.append(item)
                size += sum(map(len, item)) if source.kind == "csv" else len(item)
                if len(items) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
                    yield Chunk(source.path, source.kind, first, items, header)
                    items, size, first = [], 0, number + 1
            if items or (header and not skip and first == 1):
                yield Chunk(source.path, source.kind, first, items, header)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, csv.Error) as error:
        raise DetransError(f"{source.path}: cannot be read: {error}") from error


def _parquet(source: Source, skip: int) -> Iterator[Chunk]:
    parquet = extra("pyarrow.parquet")
    first = 1
    with parquet.ParquetFile(source.path) as file:
        for batch in file.iter_batches(CHUNK_RECORDS):
            if first > skip:
                yield Chunk(source.path, "parquet", first, [], table=batch)
            first += batch.num_rows


def parse(chunk: Chunk, text_field: str) -> Iterator[tuple[int, Any, Record | BadRecord]]:
    """(number, raw record, Record or what is wrong with it) of each record of a chunk."""
    if chunk.table is not None:
        if text_field not in chunk.table.schema.names:
            has = ", ".join(chunk.table.schema.names)
            raise DetransError(f"{chunk.source}: no column {text_field!r} (has: {has}); see --text-field")
        items: list[Any] = chunk.table.to_pylist()
    else:
        items = chunk.items
    if chunk.kind == "csv" and text_field not in chunk.header:
        has = ", ".join(chunk.header)
        raise DetransError(f"{chunk.source}: no column {text_field!r} (has: {has}); see --text-field")
    for number, item in enumerate(items, chunk.first):
        if chunk.kind == "jsonl" and not item.strip():
            continue
        where = chunk.source if chunk.kind == "text" else f"{chunk.source}:{number}"
        try:
            yield number, item, Record(where, *_content(chunk, item, text_field))
        except BadRecord as error:
            yield number, item, error


def _content(chunk: Chunk, item: Any, text_field: str) -> tuple[str, dict[str, Any] | None]:
    if chunk.kind in ("text", "lines"):
        return item.decode(**TEXT), None
    if chunk.kind == "csv":
        if len(item) != len(chunk.header):
            raise BadRecord(f"{len(item)} cells where the header has {len(chunk.header)}")
        data = dict(zip(chunk.header, item, strict=True))
    elif chunk.kind == "jsonl":
        try:
            data = json.loads(item.decode(**TEXT))
        except (ValueError, RecursionError) as error:
            raise BadRecord(f"not JSON: {error}") from error
    else:
        data = item
    if not isinstance(data, dict) or not isinstance(data.get(text_field), str):
        has = ", ".join(data) if isinstance(data, dict) else type(data).__name__
        raise BadRecord(f"no text in field {text_field!r} (has: {has}); see --text-field")
    return data[text_field], data


def read_records(names: list[str] | None, text_field: str, lines: bool = False) -> Iterator[Record]:
    """The documents of all inputs in order; DetransError for the first that cannot be read."""
    for source in expand(names, lines):
        for chunk in chunks(source):
            for number, _, record in parse(chunk, text_field):
                if isinstance(record, BadRecord):
                    raise DetransError(f"{source.path}:{number}: {record}")
                yield record


def dump(data: dict[str, Any]) -> str:
    """One JSON line. Lone surrogates (undecodable bytes) stay escaped, so the line is valid UTF-8."""
    line = json.dumps(data, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(data)
    return line + "\n"
