"""a or an? The article has to agree with the word that a repair puts after it."""

from __future__ import annotations

import regex

_ARTICLE = regex.compile(r"(?<!\w)([Aa])(n?)(\s+[\"'“‘(]?)\Z")
# Sounds that the spelling hides: a silent h, and the vowel letters that begin with a consonant.
_SILENT_H = ("hour", "honest", "honor", "honour", "heir", "herb")
_CONSONANT = regex.compile(r"u(?:biq|f|ga|k|ni|r[aiou]|s[aeiu]|t[eio]|-)|e(?:u|we)|once|one(?!r)")
_AN_UNI = ("unin", "unim", "unid")  # uninteresting, unimportant, unidentified


def wants_an(word: str) -> bool:
    """Whether the indefinite article before `word` is "an".

    >>> [w for w in ("hour", "house", "uniform", "uninvited", "urine", "MP", "US", "8th") if wants_an(w)]
    ['hour', 'uninvited', 'MP', '8th']
    """
    lower = word.lower()
    if word[:1].isdigit():
        return word.startswith(("8", "11,", "18,")) or word in ("11", "18", "11th", "18th")
    if len(word) > 1 and word[:2].isupper():
        return word[0] in "AEFHILMNORSX"
    if lower.startswith(_SILENT_H):
        return True
    if _CONSONANT.match(lower) and not lower.startswith(_AN_UNI):
        return False
    return lower[:1] in tuple("aeiou")


def agreeing_article(before: str, word: str) -> tuple[int, str] | None:
    """If `before` ends in an article that does not suit `word`: its length there and the right text."""
    found = _ARTICLE.search(before[-8:])
    if found is None or not word[:1].isalnum() or wants_an(word) == bool(found[2]):
        return None
    return len(found[0]), found[1] + ("n" if wants_an(word) else "") + found[3]
