"""Carry capitals over from one phrase to another."""

from __future__ import annotations


def match_case(phrase: str, like: str) -> str:
    """`phrase` in the capitals of `like`: ALL CAPS, Initial capital, or as it stands.

    >>> match_case("fake news", "Pretend information")
    'Fake news'
    >>> match_case("White House", "white home")
    'White House'
    """
    letters = [c for c in like if c.isalpha()]
    if len(letters) > 1 and all(c.isupper() for c in letters):
        return phrase.upper()
    if letters and letters[0].isupper():
        words, like_words = phrase.split(" "), like.split()
        if len(words) > 1 and len(like_words) > 1 and all(w[:1].isupper() for w in like_words):
            return " ".join(w[:1].upper() + w[1:] for w in words)
        return phrase[:1].upper() + phrase[1:]
    return phrase
