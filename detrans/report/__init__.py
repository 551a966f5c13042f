"""One self-contained HTML page that shows people what was found and what was repaired.

Document text is untrusted. It enters the page in two ways only: escaped in the list of documents,
and as JSON that the page's script turns into text nodes when a document is opened. The page's
content security policy allows that one script, that one style sheet, and no network.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

from detrans.pipeline import Detection, Repair
from detrans.report.parts import Part, Swap, sentence_parts
from detrans.report.pictures import bar, histogram

UNCHANGED = "documents without edits"  # their kind, for the filter
FREQUENT = 8  # rows of the table of repairs


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of the report, with what `detect` and `repair` made of it."""

    source: str
    text: str
    detection: Detection
    repair: Repair


def page(entries: Iterable[Entry]) -> str:
    """The whole page; the same entries give the same page. Documents by score, highest first."""
    chosen = sorted(entries, key=lambda e: (-e.detection.score, -len(e.repair.edits)))
    kinds = Counter(edit.source for e in chosen for edit in e.repair.edits)
    order = [kind for kind, _ in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))]
    if unchanged := sum(not e.repair.edits for e in chosen):
        kinds[UNCHANGED] = unchanged
        order.append(UNCHANGED)
    numbers = {kind: i for i, kind in enumerate(order)}

    documents, swaps, suspected, words = [], Counter[tuple[str, str]](), 0, 0
    for e in chosen:
        sentences = sentence_parts(e.text, e.detection, e.repair)
        swaps.update(
            (p.before, p.after) for _, parts in sentences for p in parts if isinstance(p, Swap) and p.edit
        )
        suspected += sum(isinstance(p, Swap) and not p.edit for _, parts in sentences for p in parts)
        count = len(e.text.split())
        words += count
        documents.append(_document(e, count, sentences, numbers))

    scores = [e.detection.score for e in chosen]
    edits = [edit.score for e in chosen for edit in e.repair.edits]
    style, script = _data("page.css"), _data("page.js")
    return Template(_data("page.html")).substitute(
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        tiles=_tiles(
            ("documents", f"{len(chosen):,}"),
            ("look damaged", f"{sum(s >= 0.5 for s in scores):,}"),
            ("repaired", f"{len(chosen) - unchanged:,}"),
            ("edits", f"{len(edits):,}"),
            ("edits per 1,000 words", f"{1000 * len(edits) / max(words, 1):.1f}"),
            ("suspected and left alone", f"{suspected:,}"),
        ),
        scores=histogram(scores, "Documents by score"),
        confidence=histogram(edits, "Edits by confidence", low=min(5, int(10 * min(edits, default=1.0)))),
        kinds="".join(_kind(kind, i, kinds[kind], len(edits)) for kind, i in numbers.items()),
        swaps=_swaps(swaps),
        documents="\n".join(documents),
        signature=_safe(chosen[0].repair.signature if chosen else ""),
    )


def _document(
    entry: Entry, words: int, sentences: list[tuple[float, list[Part]]], numbers: dict[str, int]
) -> str:
    """The closed document: its line in the list, and its content as JSON for when it is opened."""
    count = len(entry.repair.edits)
    kinds = sorted({numbers[e.source] for e in entry.repair.edits} or {numbers.get(UNCHANGED, 0)})
    content = [[score, [_json_part(p, numbers) for p in parts]] for score, parts in sentences]
    # Nothing in a script element may look like its end, or like a comment.
    data = _visible(json.dumps(content, ensure_ascii=False, separators=(",", ":"))).replace("<", "\\u003c")
    score = entry.detection.score
    # Cut at a space: a cut between two characters that belong together would show a broken one.
    preview = " ".join(entry.text[:300].split()[:14])[:120]
    return (
        f'<details class="doc" data-score="{score:.4f}" data-kinds="{" ".join(map(str, kinds))}"><summary>'
        f'<span class="score">{score:.2f}</span>{bar(score)}<h3><bdi>{_safe(entry.source)}</bdi></h3>'
        f'<span class="size">{_plural(count, "edit")} · {_plural(words, "word")}</span>'
        f'<bdi class="preview">{_safe(preview)}</bdi></summary>'
        f'<script type="application/json">{data}</script></details>'
    )


def _json_part(part: Part, numbers: dict[str, int]) -> Any:
    if isinstance(part, str):
        return part
    kind = numbers[part.edit.source] if part.edit else None
    return [part.before, part.after, kind, part.score, part.reason]


def _tiles(*tiles: tuple[str, str]) -> str:
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)


def _kind(kind: str, number: int, count: int, edits: int) -> str:
    """A row that is bar, legend and filter at once; the bar is the share of all edits."""
    share = "" if kind == UNCHANGED else bar(count / edits)
    return (
        f'<label><input type="checkbox" value="{number}" data-name="{_safe(kind)}" checked>'
        f"<bdi>{_safe(kind)}</bdi>{share}<b>{count:,}</b></label>"
    )


def _swaps(swaps: Counter[tuple[str, str]]) -> str:
    rows = sorted(swaps.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT]
    return "".join(
        f"<tr><td><bdi>{_safe(before)}</bdi></td><td><bdi>{_safe(after)}</bdi></td><td>{count:,}</td></tr>"
        for (before, after), count in rows
    )


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _safe(text: str) -> str:
    """`text` escaped for HTML."""
    return escape(_visible(text))


def _visible(text: str) -> str:
    """`text` with U+FFFD for lone surrogates (undecodable bytes), which no page can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _data(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
