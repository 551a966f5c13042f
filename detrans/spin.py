"""A synthetic article spinner: damages clean text and says exactly where.

It makes the training and test data of this project; nothing else uses it. A document is spun
by one family with one set of habits: every original keeps one spun form within the document,
some sentences stay untouched, articles stay behind, numbers turn into words.

    >>> spinner = Spinner(lexicon)                                      # doctest: +SKIP
    >>> spun = spinner.spin("The committee said it would help.", seed=7)  # doctest: +SKIP
    >>> spun.text, spun.spans                                           # doctest: +SKIP
"""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict
from dataclasses import dataclass

from detrans.casing import match_case
from detrans.fold import fold
from detrans.lexicon import Form, Lexicon
from detrans.match import Matcher, leftmost_longest
from detrans.normalise import NUMBERS

FAMILIES = {
    "any": 4.0,
    "mentioned": 3.0,
    "stated": 3.0,
    "crude": 1.5,
    "sci": 1.0,
    "mt": 1.0,
    "thesaurus": 3.0,
}
UNSEEN_FAMILY = "stated"  # a news spinner that training never meets: the `synthetic` test set is its work
UNTOUCHED = 0.2  # share of sentences left as they are (measured on real pages)
NUMBER_WORDS = tuple(NUMBERS)
# Spinners mostly leave these alone; as frequent as they are, they would else be most of the damage.
FUNCTION_WORDS = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "been", "being", "but", "by", "can", "did", "do",
        "does", "for", "from", "had", "has", "have", "he", "her", "his", "i", "if", "in", "is", "it",
        "its", "my", "no", "not", "of", "on", "or", "our", "she", "so", "some", "than", "that", "the",
        "their", "them", "then", "there", "these", "they", "this", "those", "to", "up", "was", "we",
        "were", "what", "when", "which", "who", "will", "with", "would", "you", "your",
    }
)  # fmt: skip
RELUCTANCE = 0.04  # how often a function word's swaps are known, against other words'

_SENTENCE_END = re.compile(r"[.!?][\"'”’)]{0,3}\s+|\n+")
_THOUSANDS = re.compile(r"\b(1?\d)((?:,\d{3})+)(?![\d,])")


@dataclass(frozen=True, slots=True)
class Span:
    """A damaged stretch [start, end) of the spun text (characters) and what stood there."""

    start: int
    end: int
    original: str


@dataclass(frozen=True, slots=True)
class Spun:
    """A spun document; putting each span's original back gives the clean text exactly."""

    text: str
    spans: tuple[Span, ...]
    family: str


class Spinner:
    """Turns the lexicon round. `held_out` picks the pairs that training never sees, or the others."""

    def __init__(self, lexicon: Lexicon, held_out: bool | None = None) -> None:
        self._spun: defaultdict[str, list[tuple[Form, float]]] = defaultdict(list)
        for candidates in lexicon.candidates:
            for form in candidates:
                if form.original.isascii() and (held_out is None or form.held_out == held_out):
                    # P(spun | original) up to a factor, as far as share and evidence of the phrase tell.
                    made = (form.rate + 0.02) * max(math.exp(form.evidence) - 0.8, 0.01)
                    self._spun[form.original.lower()].append((form, form.share * made))
        self._originals = list(self._spun)
        self._matcher = Matcher(self._originals)

    def spin(self, text: str, seed: int, rate: float | None = None, family: str | None = None) -> Spun:
        """Damage `text`. `rate` is the share of known phrases replaced (0 to 1), drawn if None."""
        rng = random.Random(seed)
        family = family or rng.choices(list(FAMILIES), list(FAMILIES.values()))[0]
        rate = rng.triangular(0.1, 1.0, 0.6) if rate is None else rate
        sharp = rng.uniform(0.5, 1.5)
        knows = rng.uniform(0.35, 0.85)
        habits: dict[str, Form | None] = {}

        def habit(original: str) -> Form | None:
            if original not in habits:
                forms = self._spun[original]
                weights = [
                    weight**sharp * (6.0 if f.family == family else 1.0 if f.family == "any" else 0.03)
                    for f, weight in forms
                ]
                # A spinner's thesaurus has not every word; how many it has differs from one to the next.
                rare = RELUCTANCE if original in FUNCTION_WORDS else 1.0
                known = rng.random() < knows * rare
                habits[original] = rng.choices([f for f, _ in forms], weights)[0] if known else None
            return habits[original]

        ends = [m.end() for m in _SENTENCE_END.finditer(text)] + [len(text)]
        untouched = [rng.random() < UNTOUCHED for _ in ends]
        edits: list[tuple[int, int, str]] = []
        folded = fold(text)
        which, start, end = self._matcher.find(folded)
        sentence = 0
        for i in leftmost_longest(start, end):
            a, b = int(folded.index[start[i]]), int(folded.index[end[i] - 1]) + 1
            while ends[sentence] <= a:
                sentence += 1
            if untouched[sentence] or rng.random() >= rate:
                continue
            source = text[a:b]
            inside = a > 0 and text[a - 1] == " " and source[:1].isupper()
            if inside and rng.random() < 0.6:  # names are hit, but less often
                continue
            form = habit(self._originals[which[i]])
            if form is not None and "\n" not in source:
                edits.append((a, b, match_case(form.spun, source)))
        if rng.random() < 0.4 * min(1.0, 2 * rate):
            taken = {p for a, b, _ in edits for p in range(a, b)}
            for m in _THOUSANDS.finditer(text):
                number = int(m[1])
                if number < len(NUMBER_WORDS) and m.start() not in taken and rng.random() < 0.6:
                    edits.append((m.start(), m.end(), NUMBER_WORDS[number] + m[2]))
            edits.sort()
        return _apply(text, edits, family)


def _apply(text: str, edits: list[tuple[int, int, str]], family: str) -> Spun:
    curly = "’" in text
    pieces: list[str] = []
    spans: list[Span] = []
    at = length = 0
    for start, end, spun in edits:
        if curly:
            spun = spun.replace("'", "’")
        if spun == text[start:end]:
            continue
        pieces += (text[at:start], spun)
        length += start - at
        spans.append(Span(length, length + len(spun), text[start:end]))
        length += len(spun)
        at = end
    pieces.append(text[at:])
    return Spun("".join(pieces), tuple(spans), family)
