"""Which stretches of a text are not English? Those pass through untouched.

No model: the commonest small words of some languages (`language.tsv`) and the script tell enough.
A stretch counts as foreign only where foreign small words outnumber the English ones, so that
headlines, lists of names and other English without small words stay English.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

# Sentences, more or less; what stands in quotation marks is a stretch of its own.
_BREAK = re.compile(r"[\r\n\u2028\u2029]+|[.!?…]+[)\]’']?\s+|[“”„«»\"]")
# "don't" is one word, "l'armée" two.
_WORD = re.compile(r"[^\W\d_]+(?:(?<!\b[cdjlnsCDJLNS])(?<!\b[qQ]u)['’][^\W\d_]+)*")
_PARTICLE = "particle"  # small words that stand in names too: Javier de la Rosa


@cache
def _small_words() -> dict[str, tuple[str, ...]]:
    """Each small word with the languages that have it."""
    lines = Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()[1:]
    result: dict[str, tuple[str, ...]] = {}
    for line in lines:
        language, words = line.split("\t")
        for word in dict.fromkeys(words.split(" ")):
            result[word] = (*result.get(word, ()), language)
    return result


@cache
def _foreign_letter(character: str) -> bool:
    name = unicodedata.name(character, "")
    return not name.startswith(("LATIN", "FULLWIDTH LATIN", "MATHEMATICAL", "MODIFIER"))


def foreign(stretch: str) -> bool | None:
    """Whether a stretch is in another language than English; None if nothing tells.

    >>> foreign("El ejército dijo que no había tropas en la frontera")
    True
    >>> foreign("The army said that there were no troops")
    False
    >>> foreign("Army chief fired")
    """
    words = _WORD.findall(stretch)
    other = sum(len(w) for w in words if not w.isascii() and all(map(_foreign_letter, w)))
    if other and 2 * other > sum(map(len, words)):
        return True
    if not words:
        return None
    shout = stretch.isupper()
    # A capital inside the sentence begins a name: "Los Angeles", "La Repubblica".
    small = [w.lower() for w in words[:1]] + [w.lower() if shout else w for w in words[1:]]
    known = _small_words()
    strong: Counter[str] = Counter()
    particles: Counter[str] = Counter()
    english = 0
    for word in known.keys() & set(small):
        languages = known[word]
        english += "en" in languages
        (particles if _PARTICLE in languages or len(word) == 1 else strong).update(languages)
    most = 0
    for language in strong.keys() - {"en"}:
        # Particles count as one, however many names the stretch has, and alone they need company.
        if strong[language] >= 2 or particles[language] >= 2:
            most = max(most, strong[language] + (particles[language] > 0))
    if most > english:
        return True
    return False if english >= max(most, 1) else None


def foreign_spans(text: str) -> list[tuple[int, int]]:
    """[start, end) of the stretches that are not English, in order.

    A stretch that does not tell goes with its neighbours where they agree.
    """
    bounds: list[tuple[int, int]] = []
    at = 0
    for m in _BREAK.finditer(text):
        bounds.append((at, m.end()))
        at = m.end()
    bounds.append((at, len(text)))
    verdicts = [foreign(text[a:b]) for a, b in bounds]
    if True not in verdicts:
        return []
    after: list[bool | None] = [None] * len(verdicts)
    last: bool | None = None
    for i in range(len(verdicts) - 1, -1, -1):
        last = verdicts[i] if verdicts[i] is not None else last
        after[i] = last
    result: list[tuple[int, int]] = []
    before: bool | None = None
    for (a, b), verdict, following in zip(bounds, verdicts, after, strict=True):
        before = verdict if verdict is not None else before
        if False not in (before, following) if verdict is None else verdict:
            if result and result[-1][1] == a:
                result[-1] = (result[-1][0], b)
            else:
                result.append((a, b))
    return result
