"""The lexicon: which phrase a spinner writes for which original.

`tables/*.tsv` are written by people, one base pair a row. `training/lexicon.py` derives the
inflected forms, weighs them against clean text and writes what is read at run time (`compiled.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from detrans.errors import LexiconError
from detrans.fold import Folded
from detrans.match import Matcher

TABLES = Path(__file__).parent / "tables"
TABLE_COLUMNS = ("spun", "original", "pos", "weight", "family")
PARTS = frozenset("vnax")
FAMILIES = frozenset({"any", "mentioned", "stated", "crude", "sci", "mt", "thesaurus"})
STRONG = 1.5  # evidence from which a match speaks for itself


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a table: a base pair before inflection."""

    spun: str
    original: str
    pos: str
    weight: int
    family: str
    table: str


@dataclass(frozen=True, slots=True)
class Form:
    """One pair as it stands in text.

    share: P(original | spun, the phrase is damage); the shares of one spun phrase add up to 1.
    evidence: ln of the spun phrase's rate in spun over its rate in clean text.
    rate: occurrences of the spun phrase per million words of clean text.
    """

    spun: str
    original: str
    share: float
    evidence: float
    rate: float
    family: str
    table: str
    held_out: bool = False


def _rows(path: Path, columns: tuple[str, ...]) -> Iterable[tuple[int, list[str]]]:
    """Numbered rows of a TSV file, checked for its header, width and stray white space."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LexiconError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    if tuple(lines[0].split("\t")) != columns:
        raise LexiconError(f"{path}:1: the header must be these tab-separated columns: {' '.join(columns)}")
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise LexiconError(f"{path}:{number}: {len(cells)} columns where {len(columns)} belong: {line!r}")
        for cell in cells:
            if cell != " ".join(cell.split()) or not cell:
                raise LexiconError(f"{path}:{number}: an empty cell or stray white space: {cell!r}")
        yield number, cells


def read_table(path: Path) -> list[Entry]:
    """Read and check one table; LexiconError names the file and the line of the first fault."""
    entries: list[Entry] = []
    seen: dict[tuple[str, str, str], int] = {}
    for number, (spun, original, pos, weight, family) in _rows(path, TABLE_COLUMNS):
        where = f"{path}:{number}"
        if spun.lower() == original.lower():
            raise LexiconError(f"{where}: {spun!r} maps to itself")
        if not spun.isascii() or spun != spun.lower():
            raise LexiconError(f"{where}: {spun!r} must be lower-case ASCII; matching folds case and accents")
        if pos not in PARTS:
            raise LexiconError(f"{where}: part of speech {pos!r} is none of {' '.join(sorted(PARTS))}")
        if weight not in ("1", "2", "3"):
            raise LexiconError(f"{where}: weight {weight!r} is none of 1 2 3")
        if family not in FAMILIES:
            raise LexiconError(f"{where}: family {family!r} is none of {' '.join(sorted(FAMILIES))}")
        if (first := seen.setdefault((spun, original, pos), number)) != number:
            raise LexiconError(f"{where}: {spun!r} -> {original!r} is already on line {first}")
        entries.append(Entry(spun, original, pos, int(weight), family, path.stem))
    return entries


def read_user_pairs(path: Path) -> list[Form]:
    """Read a user's own pairs: two tab-separated columns, `spun` and `original`, with that header.

    Pairs are taken as they stand (no inflection) and believed wherever they match in a damaged
    document. LexiconError names the file and line of a duplicate, a cycle or a malformed row.
    """
    target: dict[str, str] = {}
    for number, (spun, original) in _rows(path, ("spun", "original")):
        where = f"{path}:{number}"
        spun = spun.lower()
        if not spun.isascii():
            raise LexiconError(f"{where}: {spun!r} must be ASCII; matching folds case and accents")
        if spun == original.lower():
            raise LexiconError(f"{where}: {spun!r} maps to itself")
        if spun in target:
            raise LexiconError(f"{where}: {spun!r} already has an original, {target[spun]!r}")
        target[spun] = original
        step: str | None = original.lower()
        while step is not None:
            step = target[step].lower() if step in target else None
            if step == original.lower():
                raise LexiconError(f"{where}: {spun!r} -> {original!r} closes a cycle of pairs")
    return [Form(s, o, 1.0, 6.0, 0.0, "any", "user") for s, o in target.items()]


def subset(forms: Iterable[Form], wanted: Callable[[Form], bool]) -> list[Form]:
    """The wanted ones of some forms; the shares of each phrase add up to 1 again."""
    left = [form for form in forms if wanted(form)]
    total: defaultdict[str, float] = defaultdict(float)
    for form in left:
        total[form.spun] += form.share
    return [replace(form, share=form.share / total[form.spun]) for form in left]


class Lexicon:
    """Forms grouped by spun phrase, with the matcher that finds them."""

    def __init__(self, forms: Iterable[Form]) -> None:
        grouped: dict[str, list[Form]] = {}
        for form in forms:
            grouped.setdefault(form.spun, []).append(form)
        for candidates in grouped.values():
            candidates.sort(key=lambda f: (-f.share, f.original))
        self.phrases: list[str] = list(grouped)
        self.candidates: Sequence[list[Form]] = list(grouped.values())
        self.evidence: list[float] = [forms[0].evidence for forms in self.candidates]

    @property
    def forms(self) -> list[Form]:
        """All forms, phrase by phrase."""
        return [form for candidates in self.candidates for form in candidates]

    @cached_property
    def matcher(self) -> Matcher:
        return Matcher(self.phrases)

    @cached_property
    def _telling(self) -> tuple[list[int], Matcher]:
        # Beside the strong phrases those that may stand in their way: of words before them, around
        # them, or with an ending after them. One plain word alone never does.
        numbers = [
            i
            for i, (phrase, evidence) in enumerate(zip(self.phrases, self.evidence, strict=True))
            if evidence >= STRONG or " " in phrase or "'" in phrase
        ]
        return numbers, Matcher([self.phrases[i] for i in numbers])

    def strong(self, folded: Folded) -> Counter[int]:
        """How often each strong phrase stands in a leftmost-longest choice among all matches.

        Most phrases are weak and common, so finding the strong ones alone is far cheaper.
        """
        numbers, matcher = self._telling
        chosen = (numbers[i] for i in matcher.choice(folded))
        return Counter(n for n in chosen if self.evidence[n] >= STRONG)

    @cached_property
    def hash(self) -> str:
        """Twelve hex digits of a SHA-256 over all forms: names this lexicon in every result."""
        digest = hashlib.sha256()
        for candidates in self.candidates:
            for f in candidates:
                digest.update(f"{f.spun}\t{f.original}\t{f.share}\t{f.evidence}\n".encode())
        return digest.hexdigest()[:12]
