"""Names that one document spells two ways, mended from the document itself.

Translation out and back garbles a name in one place and leaves it whole in another. Two patterns are
clear enough to repair; both ask that the odd spelling is introduced nowhere, as every person in a
report is ("Sergei Lavrov"), while the sound one is.

- A doubled ending, as of a name declined twice: "Lavrovov" beside "Sergei Lavrov".
- A speaker from nowhere: "Shin said" where Sabrina Singh speaks, the letters the same but for one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from detrans.document import Document
from detrans.edits import Edit

LEAST = 4  # letters of a name; shorter ones are alike by chance
SCORE = 0.95

# The look-behinds stand after the first letter, so that the search can jump from capital to capital.
_LONG = re.compile(r"[A-Z](?<!\w.)[a-z]{5,}(?![\w-])")
_SPEECH = "said|says|told|added|claimed|stated|noted|explained|argued|insisted|stressed|warned|confirmed"
_NAME = r"[A-Z](?<![\w’'-].)[a-z]+(?:[A-Z][a-z]+)?"
_WORD = re.compile(_NAME + r"(?!\w)")
_SPEAKER = re.compile(rf"({_NAME}) (?:also |later |then )?(?:{_SPEECH})\b")
# A capitalised word, an initial or a short title before; the end of a sentence is none of these.
_BEFORE = re.compile(r"(?:\b[A-Z][\w’'-]*|\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Gen|Sen|Rep|Gov|Prof|Col|Lt|Sgt|St)\.) $")
_AFTER = re.compile(r"-| [A-Z]")


def name_edits(document: Document) -> list[Edit]:
    """The edits that give garbled names the spelling by which the document introduces them."""
    text = document.text
    doubled = {name: sound for name in _LONG.findall(text) if (sound := undoubled(name))}
    speakers = Counter(m[1] for m in _SPEAKER.finditer(text) if len(m[1]) >= LEAST)
    if not any(len(group) > 1 for group in bags(speakers).values()):
        speakers.clear()
    if not doubled and not speakers:
        return []
    places, introduced = find(text, {*doubled, *doubled.values(), *speakers})
    wanted: dict[str, tuple[str, str]] = {}
    for odd, sound in doubled.items():
        if sound in introduced and odd not in introduced:
            wanted[odd] = sound, f"“{odd}” is “{sound}” with its ending doubled"
    known = bags(speakers.keys() & introduced)
    for odd in speakers.keys() - introduced:
        near = {name for bag in bags([odd]) for name in known.get(bag, ())}
        near = {n for n in near if odd.rstrip("s") != n.rstrip("s")}  # the Clintons
        if len(near) == 1 and len(places[odd]) == speakers[odd]:
            sound = near.pop()
            wanted[odd] = sound, f"no “{odd}” is introduced here, and “{sound}” speaks"
    edits = [
        Edit(at, at + len(odd), sound, "document:name", SCORE, reason)
        for odd, (sound, reason) in wanted.items()
        if odd.lower() not in document.keep
        for at in places[odd]
        if document.touchable(at, at + len(odd))
    ]
    return sorted(edits, key=lambda e: e.start)


def undoubled(name: str) -> str:
    """A name without the last two or three letters if they repeat those before; "" if they do not.

    >>> undoubled("Lavrovov")
    'Lavrov'
    """
    if len(name) > 7 and name[-6:-3] == name[-3:]:
        return name[:-3]
    # A doubled "es" is a plural: the Joneses.
    if len(name) > LEAST + 2 and name[-4:-2] == name[-2:] != "es":
        return name[:-2]
    return ""


def bags(names: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Names by first letter and letters in any order, whole and less one: those alike share a bag.

    A bag holds three names at most: where there is more than one, none is the clear choice.
    """
    result: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        letters = "".join(sorted(name.lower()))
        for bag in {letters[:i] + letters[i + 1 :] for i in range(len(letters) + 1)}:
            if len(result[name[0], bag]) < 3:
                result[name[0], bag].append(name)
    return result


def find(text: str, names: set[str]) -> tuple[dict[str, list[int]], set[str]]:
    """Where each name stands, and which names have a capitalised word beside them: a full name, a title."""
    places: dict[str, list[int]] = {name: [] for name in names}
    introduced = set()
    for m in _WORD.finditer(text):
        if (name := m[0]) in names:
            places[name].append(m.start())
            if _BEFORE.search(text, max(0, m.start() - 30), m.start()) or _AFTER.match(text, m.end()):
                introduced.add(name)
    return places, introduced
