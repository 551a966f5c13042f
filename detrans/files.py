"""Write a result whole or not at all."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from detrans.errors import DetransError

# Undecodable bytes become lone surrogates and turn back into the same bytes when written.
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


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
