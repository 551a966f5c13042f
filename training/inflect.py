"""Derive the inflected pairs of a base pair, both sides in the same form."""

from __future__ import annotations

from collections.abc import Iterator

from lemminflect import getInflection

from detrans.lexicon import Entry

VERB_TAGS = ("VB", "VBZ", "VBD", "VBG", "VBN")
TAGS = {"v": VERB_TAGS, "n": ("NN", "NNS"), "a": ("JJ", "JJR", "JJS"), "x": ()}
# lemminflect guesses by rule for words it does not know; these it gets wrong or gives rarely.
IRREGULAR = {("be", "VBZ"): ("is",), ("be", "VBD"): ("was", "were"), ("forecast", "VBD"): ("forecast",)}


def inflect(word: str, tag: str) -> tuple[str, ...]:
    """The forms of `word` for a Penn tag, the usual one first."""
    if tag in ("VB", "NN", "JJ"):
        return (word,)
    # Guessing by rule is for real words: "an" is no verb with a past tense.
    forms = IRREGULAR.get((word, tag)) or getInflection(word, tag=tag, inflect_oov=len(word) > 3)
    if tag == "NNS" and len(forms) > 1:
        # The library also offers the singular ("side"): with it, a singular would stand for a plural.
        forms = tuple(f for f in forms if f != word)
    return tuple(dict.fromkeys(f.lower() if word.islower() else f for f in forms))


def inflect_phrase(phrase: str, pos: str, tag: str) -> tuple[str, ...]:
    """Inflect the head: the first word of a verb phrase, the last of a noun phrase."""
    first, *rest = phrase.split(" ")
    if pos == "v":
        return tuple(" ".join((form, *rest)) for form in inflect(first, tag))
    *rest, last = phrase.split(" ")
    return tuple(" ".join((*rest, form)) for form in inflect(last, tag))


def forms_of(entry: Entry) -> Iterator[tuple[str, str]]:
    """All (spun, original) forms: each spelling of the spun side, the usual one of the original."""
    yield entry.spun, entry.original
    simple = " " not in entry.spun + entry.original
    for tag in TAGS[entry.pos]:
        if entry.pos == "a" and not (simple and comparable(entry.spun) and comparable(entry.original)):
            continue
        originals = inflect_phrase(entry.original, entry.pos, tag)
        for spun in inflect_phrase(entry.spun, entry.pos, tag):
            if tag == "NNS" and spun == entry.spun:
                continue  # a noun without a plural must not stand for two numbers
            if originals and spun != originals[0] and spun.isascii():
                yield spun.lower(), originals[0]


def comparable(adjective: str) -> bool:
    """Whether English compares it with -er and -est: one syllable, or two ending in -y."""
    groups = sum(
        a in "aeiouy" and b not in "aeiouy" for a, b in zip(adjective, adjective[1:] + "x", strict=True)
    )
    return groups <= 1 + adjective.endswith(("y", "e"))
