"""Read the clean corpora that training and the full evaluation need.

They are not part of the project (see the model card for their sources and licences); every
command that needs them takes `--corpora DIR`.
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

DEFAULT = Path(__file__).parents[2] / "shared" / "corpora"
TRAIN = ("news.train", "news-more.train", "science.train", "wikipedia.train", "textbooks")
WITH_DOCUMENTS = ("news.train", "news.dev", "news.test")  # a blank line between documents


def locate(corpora: Path, name: str) -> Path:
    """The file of corpus `name`, or an exit that says how to get further."""
    path = corpora / f"{name}.txt.xz"
    if not path.is_file():
        sys.exit(
            f"error: no corpus file {path}\n"
            "The clean corpora are not shipped with detrans. Give the folder that holds\n"
            "news.train.txt.xz and its siblings with --corpora DIR."
        )
    return path


def paragraphs(corpora: Path, name: str) -> Iterator[str]:
    """The non-empty lines of a corpus."""
    with lzma.open(locate(corpora, name), "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            if line := line.rstrip("\n"):
                yield line


def documents(corpora: Path, name: str, size: int = 8) -> Iterator[str]:
    """The documents of a corpus; where it marks none, `size` paragraphs make one."""
    lines: list[str] = []
    marked = name in WITH_DOCUMENTS
    with lzma.open(locate(corpora, name), "rt", encoding="utf-8", newline="\n") as file:
        for raw in file:
            if line := raw.rstrip("\n"):
                lines.append(line)
            if lines and (not line if marked else len(lines) >= size):
                yield "\n".join(lines)
                lines = []
    if lines:
        yield "\n".join(lines)
