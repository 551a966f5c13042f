"""Edits and sentence scores in colour, for people at a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detrans.pipeline import Detection, Repair

_REMOVED, _ADDED = "red strike", "bold green"


def show(source: str, detection: Detection, repair: Repair, text: str, out: TextIO) -> None:
    """Print one document: its score, then sentence by sentence score and inline edits."""
    # A terminal gets colour; elsewhere old and new are told apart by marks.
    colour = out.isatty() if hasattr(out, "isatty") else False
    console = Console(file=out, force_terminal=colour or None, width=None if colour else 100)
    edits = list(repair.edits)
    console.print(
        Text(f"{source}: damage {detection.score:.2f}, {len(edits)} edits", style="bold"), soft_wrap=True
    )
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for sentence in detection.sentences:
        line = Text()
        at = sentence.start
        for e in edits:
            if sentence.start <= e.start < sentence.end:
                line.append(text[at : e.start])
                if colour:
                    line.append(text[e.start : e.end], _REMOVED).append(e.replacement, _ADDED)
                else:
                    line.append(f"[-{text[e.start : e.end]}-]{{+{e.replacement}+}}")
                at = max(at, e.end)
        line.append(text[at : sentence.end])
        line.rstrip()
        style = "red" if sentence.score >= 0.5 else "green"
        table.add_row(Text(f"{sentence.score:.2f}", style=style), line)
    console.print(table)
    console.print(Text(repair.signature, style="dim"), soft_wrap=True)
    if out is not sys.stdout:
        out.flush()
