"""A repaired document as sentences of plain stretches, edits and suspicions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from detrans.edits import Edit
from detrans.pipeline import Detection, Repair


@dataclass(frozen=True, slots=True)
class Swap:
    """A stretch to point at: an edit, or (`edit` is None, `after` is `before`) a mere suspicion.

    score: probability (0 to 1) that the edit is right, or that the suspect is damage.
    """

    before: str
    after: str
    score: float
    reason: str
    edit: Edit | None


Part: TypeAlias = "str | Swap"


def sentence_parts(text: str, detection: Detection, repair: Repair) -> list[tuple[float, list[Part]]]:
    """Score and parts of each sentence; joined, the befores are `text` and the afters its repair.

    Pieces instead of offsets, because a browser counts UTF-16 units. An edit that crosses the end
    of a sentence belongs to the one where it begins.
    """
    marks = [(e.start, e.end, Swap(text[e.start : e.end], e.replacement, e.score, e.reason, e))
             for e in repair.edits]  # fmt: skip
    taken = {i for e in repair.edits for i in range(e.start, e.end)}
    for sentence in detection.sentences:
        for s in sentence.spans:
            if taken.isdisjoint(range(s.start, s.end)):
                taken.update(range(s.start, s.end))
                marks.append((s.start, s.end, Swap(s.text, s.text, s.score, s.evidence, None)))
    marks.sort(key=lambda m: m[:2])

    result: list[tuple[float, list[Part]]] = []
    at = i = 0
    for sentence in detection.sentences:
        parts: list[Part] = []
        last = sentence.end == len(text)
        while i < len(marks) and (marks[i][0] < sentence.end or last):
            start, end, swap = marks[i]
            if start > at:
                parts.append(text[at:start])
            parts.append(swap)
            at = end
            i += 1
        if sentence.end > at:
            parts.append(text[at : sentence.end])
            at = sentence.end
        if parts:
            result.append((sentence.score, parts))
    return result
