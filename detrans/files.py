"""Read documents from files and standard input, and write results whole or not at all."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from detrans.errors import DetransError

# Undecodable bytes become lone surrogates and turn back into the same bytes when written.
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


@dataclass(frozen=True, slots=True)
class Record:
    """One document: where it came from, its text and, for .jsonl, the whole object."""

    source: str
    text: str
    data: dict[str, Any] | None = None


def read_records(files: list[str] | None, field: str) -> Iterator[Record]:
    """The documents of `files` in order; no files, or "-", is standard input as one text."""
    for name in files or ["-"]:
        if name == "-":
            yield Record("-", io.TextIOWrapper(sys.stdin.buffer, **_TEXT).read())
        elif name.endswith(".jsonl"):
            yield from _jsonl(name, field)
        else:
            with Path(name).open(**_TEXT) as file:
                yield Record(name, file.read())


def _jsonl(name: str, field: str) -> Iterator[Record]:
    with Path(name).open(**_TEXT) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{name}:{number}"
            try:
                data = json.loads(line)
            except ValueError as error:
                raise DetransError(f"{where}: not JSON: {error}") from error
            if not isinstance(data, dict) or not isinstance(data.get(field), str):
                has = ", ".join(data) if isinstance(data, dict) else type(data).__name__
                raise DetransError(f"{where}: no text in field {field!r} (has: {has}); see --text-field")
            yield Record(where, data[field], data)


@contextmanager
def open_output(path: Path | None, inputs: list[str] | None) -> Iterator[TextIO]:
    """Standard output, or `path` written under a temporary name and renamed when all went well."""
    if path is None:
        out = io.TextIOWrapper(sys.stdout.buffer, **_TEXT)
        try:
            yield out
            out.flush()
        finally:
            out.detach()
        return
    for name in inputs or ():
        if name != "-" and path.exists() and path.samefile(name):
            raise DetransError(f"{path} is input and output at once; write to another file")
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", **_TEXT) as out:
            yield out
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
