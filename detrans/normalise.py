"""From scored matches to edits: which repairs are made, and how they are written into the text."""

from __future__ import annotations

import re
from typing import NamedTuple

import regex

from detrans.articles import agreeing_article
from detrans.casing import match_case
from detrans.document import Document, Match
from detrans.edits import Edit
from detrans.lexicon import Form

WITNESSES = 3  # different phrases to repair, under which a text is left alone

NUMBERS = {
    w: str(i)
    for i, w in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
}
NUMBERS |= {w: str(i) for i, w in enumerate(["ten", "eleven", "twelve"], 10)}
_THOUSANDS = re.compile(r",(?<=[A-Za-z],)\d{3}")  # the quick look before _NUMBER
_NUMBER = regex.compile(rf"(?<![\w-])(?:{'|'.join(NUMBERS)})(?=(?:,\d{{3}})+(?![\d,]))", regex.IGNORECASE)


class Scored(NamedTuple):
    """A match with the probability of *keep* and of each of its candidates, in order."""

    match: Match
    keep: float
    probabilities: list[float]

    @property
    def best(self) -> int:
        return self.probabilities.index(max(self.probabilities))


def choose(document: Document, scored: list[Scored], threshold: float) -> list[Edit]:
    """The edits worth making: no overlaps, the longer match first, the likelier among equals."""
    text = document.text
    wanted = [s for s in scored if max(s.probabilities) >= threshold]
    wanted.sort(key=lambda s: (s.match.first - s.match.last, -max(s.probabilities), s.match.start))
    taken: list[Scored] = []
    occupied: set[int] = set()
    for s in wanted:
        words = range(s.match.first, s.match.last)
        if occupied.isdisjoint(words):
            occupied.update(words)
            taken.append(s)
    if witnesses(taken) < WITNESSES:
        taken = []
    edits = [_number_edit(*word) for word in _spelt_numbers(text) if document.touchable(*word[:2])]
    edits += [edit for s in taken if (edit := _write(document, s)) is not None]
    edits.sort(key=lambda e: (e.start, e.end))
    # Article corrections reach to the left; drop an edit that would then overlap its neighbour.
    result: list[Edit] = []
    for edit in edits:
        if not result or edit.start >= result[-1].end:
            result.append(edit)
    return result


def witnesses(taken: list[Scored]) -> int:
    """How many things speak for a spinner at work: the different phrases that would be repaired.

    Spinners change every fourth word, so damage never comes alone; a writer who likes one odd word
    does. A phrase of several words that clean English never has needs no company.
    """
    forms = {s.match.candidates[0].spun: s.match.candidates[0] for s in taken}
    return sum(WITNESSES if " " in f.spun and f.rate == 0 else 1 for f in forms.values())


def disguise_edits(document: Document) -> list[Edit]:
    """The edits that write disguised words in plain letters."""
    text = document.text
    return [
        Edit(d.start, d.end, d.plain, "rule:lookalike", 0.99, f"look-alike letters: {d.describe(text)}")
        for d in document.disguised
    ]


def _spelt_numbers(text: str) -> list[tuple[int, int, str]]:
    """Start, end and word of each number spelt out before a comma and digits."""
    if not _THOUSANDS.search(text):
        return []
    return [(m.start(), m.end(), m[0]) for m in _NUMBER.finditer(text)]


def _number_edit(start: int, end: int, word: str) -> Edit:
    digits = NUMBERS[word.lower()]
    return Edit(start, end, digits, "rule:number", 0.99, f"“{word}” before digits is a number spelt out")


def in_place(document: Document, match: Match, form: Form) -> tuple[int, str]:
    """Where a candidate would be written from, and how: in the capitals and apostrophes of its place,
    after the article that suits it."""
    text, start = document.text, match.start
    replacement = match_case(form.original, text[start : match.end])
    if "’" in text:
        replacement = replacement.replace("'", "’")
    word = replacement.split(" ")[0]
    if not text.startswith(f"{word} ", start):  # else the article is as good or bad as it was
        article = agreeing_article(text[max(start - 10, 0) : start], word)
        if article is not None and document.touchable(start - article[0], start):
            return start - article[0], article[1] + replacement
    return start, replacement


def _write(document: Document, scored: Scored) -> Edit | None:
    """The edit for the best candidate, in the capitals, apostrophes and article of its place."""
    match, form = scored.match, scored.match.candidates[scored.best]
    start, replacement = in_place(document, match, form)
    if replacement == document.text[start : match.end]:
        return None
    probability = round(scored.probabilities[scored.best], 4)
    reason = f"“{form.spun}” stands for “{form.original}” in spun text ({form.table})"
    return Edit(start, match.end, replacement, f"lexicon:{form.table}", probability, reason)
