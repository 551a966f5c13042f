"""Letters that only look Latin, and invisible ones, inside Latin words: a disguise against matching.

Which letters of other alphabets look like which Latin one says Unicode's table of confusables (from
the package confusable-homoglyphs); mathematical and full-width letters say it themselves, by
their compatibility mapping. The rules here decide when it is a disguise. They err towards leaving:
a Greek symbol in a Latin word (TNFα), formulas, and all that is written in another script stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

# Alphabets whose letters are never mixed with Latin ones in one word on purpose (Greek: see below).
_ALPHABETS = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LISU"})
# Latin letters that everyday Cyrillic and Greek letters resemble. A word that has any other was
# meant to be Latin, however many of its letters were replaced.
_TWINS = frozenset("aceijopsxyABCEHIJKMNOPSTXYZ")
# Greek letters that are signs of their own in science; the others only ever pretend.
_SYMBOLS = frozenset("αγινρσυϱ")

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u180e"
_LATIN = "A-Za-z\u00c0-\u024f"
_WIDE = "\uff21-\uff3a\uff41-\uff5a"
# Bold, script, fraktur, sans; not italic (variables of formulas) or monospaced (code).
_BOLD = "\U0001d400-\U0001d433\U0001d468-\U0001d537\U0001d552-\U0001d607\U0001d63c-\U0001d66f"
_MATH = "\U0001d400-\U0001d6a3\u2102\u210a-\u2113\u2115\u2119-\u211d\u2124\u2128-\u2131\u2133\u2134"
_OTHER = f"\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\ua4d0-\ua4ff\uab70-\uabbf{_WIDE}{_MATH}{ZERO_WIDTH}"
# The quick look: anything beyond Latin letters, accents, common punctuation and signs.
_UNUSUAL = re.compile("[^\x00-\u036f\u1e00-\u200a\u200e-\u205f\u2065-\u20ff\u2120-\u2122]")
# A place where the two kinds meet. The look-behind comes second, so that the search can jump.
_MEETING = re.compile(f"[{_OTHER}](?:(?<=[{_LATIN}][{_OTHER}])|(?=[{_LATIN}]))")
_STYLED = re.compile(f"[{_WIDE}]{{4,}}|[{_BOLD}]{{4,}}")
_STYLED_RUN = re.compile(f"[{_WIDE}]+(?:[ \u3000][{_WIDE}]+)*|[{_BOLD}]+(?: [{_BOLD}]+)*")
_LONGEST = 64  # letters of a word


@dataclass(frozen=True, slots=True)
class Disguise:
    """A word [start, end) with letters that are not what they seem.

    plain: the word as it should be. letters: each replaced character's offset in the text and its
    Latin letter ("" for a zero-width character).
    """

    start: int
    end: int
    plain: str
    letters: tuple[tuple[int, str], ...]

    def describe(self, text: str) -> str:
        """The first characters and what they stand for, for people."""
        pairs = list(dict.fromkeys((text[i], plain) for i, plain in self.letters))
        shown = [f"{_name(c)} for “{p}”" if p else _name(c) for c, p in pairs[:3]]
        return ", ".join(shown) + (" …" if len(pairs) > 3 else "")


def _name(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}").lower()


@cache
def _confusables() -> dict[str, str]:
    """Letters of other alphabets with the one ASCII letter of their case that they look like."""
    from confusable_homoglyphs import categories, confusables  # deferred: reads 900 kB of JSON

    result: dict[str, str] = {}
    for letter, twins in confusables.confusables_data.items():
        if len(letter) != 1 or categories.alias(letter) not in _ALPHABETS:
            continue
        latin = {t["c"] for t in twins if len(t["c"]) == 1 and t["c"].isascii() and t["c"].isalpha()}
        if letter.isupper():  # the table writes "l" for everything that is one stroke
            latin = {"I" if c == "l" else c for c in latin}
        latin = {c for c in latin if c.isupper() == letter.isupper()}
        if len(latin) == 1 and letter != "\u04cf":  # the palochka looks like l, not like the table's i
            result[letter] = latin.pop()
    return result


@cache
def _latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith("LATIN")


@cache
def _styled(character: str) -> str:
    """The ASCII letter of a mathematical or full-width one, "" for any other character."""
    plain = unicodedata.normalize("NFKD", character)
    wide = "\uff21" <= character <= "\uff5a" or character >= "\U0001d400" or "ℊ" <= character <= "ℴ"
    return plain if wide and len(plain) == 1 and plain.isascii() and plain.isalpha() else ""


def disguises(text: str) -> list[Disguise]:
    """The disguised words of a text, in order; linear in its length."""
    if text.isascii() or not _UNUSUAL.search(text):
        return []
    found = list(_mixed(text))
    if _STYLED.search(text):
        taken = {i for d in found for i in range(d.start, d.end)}
        found += (d for d in _whole(text) if taken.isdisjoint(range(d.start, d.end)))
        found.sort(key=lambda d: d.start)
    return found


def _mixed(text: str) -> Iterator[Disguise]:
    """Words in which Latin letters and others meet."""
    end = 0
    for meeting in _MEETING.finditer(text):
        if meeting.start() < end:
            continue
        start, end = _word(text, meeting.start(), end)
        if end - start <= 2 * _LONGEST and (letters := _replaced(text[start:end])):
            yield _disguise(text, start, end, letters)


def _whole(text: str) -> Iterator[Disguise]:
    """Words all in bold or full-width letters, and the shorter ones beside them."""
    for run in _STYLED_RUN.finditer(text):
        if not any(_readable(word) for word in run[0].split()):
            continue
        for word in re.finditer(r"\S+", run[0]):
            start = run.start() + word.start()
            letters = [(i, _styled(c)) for i, c in enumerate(word[0])]
            if all(plain for _, plain in letters) and not _continues(text, start, start + len(word[0])):
                yield _disguise(text, start, start + len(word[0]), letters)


def _readable(styled: str) -> bool:
    """Whether styled letters spell a word, not a product of variables."""
    plain = "".join(map(_styled, styled))
    vowels = sum(c in "aeiou" for c in plain[1:])
    return len(plain) >= 4 and plain[1:].islower() and 0 < vowels < len(plain) - 1


def _continues(text: str, start: int, end: int) -> bool:
    return text[max(start - 1, 0) : start].isalnum() or text[end : end + 1].isalnum()


def _word(text: str, at: int, floor: int) -> tuple[int, int]:
    """The run of letters, digits, accents and zero-width characters around `at`."""
    start = end = at
    while start > floor and _inner(text[start - 1]):
        start -= 1
    while end < len(text) and _inner(text[end]):
        end += 1
    return start, end


@cache
def _inner(character: str) -> bool:
    return character.isalnum() or character in ZERO_WIDTH or unicodedata.category(character) == "Mn"


def _disguise(text: str, start: int, end: int, letters: Iterable[tuple[int, str]]) -> Disguise:
    characters = list(text[start:end])
    absolute = []
    for i, plain in letters:
        characters[i] = plain
        absolute.append((start + i, plain))
    return Disguise(start, end, "".join(characters), tuple(absolute))


@cache
def _seems(character: str) -> str:
    """The Latin letter that a character looks like; itself for Latin letters, digits and accents."""
    if _latin(character) or character.isdecimal() or unicodedata.category(character) == "Mn":
        return character
    return _styled(character) or _confusables().get(character, "")


def _replaced(word: str) -> list[tuple[int, str]]:
    """The places of a word where a letter is not what it seems; empty if all is as it should be."""
    visible = [(i, c, _seems(c)) for i, c in enumerate(word) if c not in ZERO_WIDTH]
    latin = [c for _, c, _ in visible if _latin(c)]
    # A letter that resembles none: the word is what it is.
    if not latin or not all(seems for _, _, seems in visible):
        return []
    characters = [c for _, c, _ in visible]
    letters = [(i, seems) for i, c, seems in visible if seems != c]
    borrowed = [word[i] for i, _ in letters if not _styled(word[i])]
    if len(borrowed) > len(latin) and _TWINS.issuperset(latin):
        return []
    if not _SYMBOLS.isdisjoint(borrowed) and not _flanked(characters, _SYMBOLS.__contains__):
        return []
    if any(map(_formula, characters)) and not _flanked(characters, _formula):
        return []
    for (i, c, _), (j, d, _) in pairwise(visible):
        if j > i + 1 and not c.isdecimal() and not d.isdecimal():
            letters += ((k, "") for k in range(i + 1, j))
    return sorted(letters)


def _formula(character: str) -> bool:
    """Whether a letter belongs to mathematics."""
    return bool(_styled(character)) and not "\uff21" <= character <= "\uff5a"


def _flanked(characters: list[str], kind: Callable[[str], bool]) -> bool:
    """Whether a letter of a kind stands inside a plain lower-case word, where no symbol belongs."""
    plain = sum(c.isascii() and c.islower() for c in characters)
    if plain < 5 or any(c.isdecimal() for c in characters):
        return False
    return any(
        kind(b) and a.isascii() and a.islower() and c.isascii() and c.islower()
        for a, b, c in zip(characters, characters[1:], characters[2:], strict=False)
    )
