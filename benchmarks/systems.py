"""The systems that `benchmarks/quality.py` compares. Another takes ten lines: a class and an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from detrans import Detrans, __version__
from detrans.document import Document
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.normalise import Scored, choose


class Verdict(NamedTuple):
    """A repaired text, the score (0 to 1) of the text before, and of its sentences: start, end, score."""

    repaired: str
    score: float = 0.0
    sentences: Sequence[tuple[int, int, float]] = ()


class System(Protocol):
    """A system repairs a text and scores it."""

    signature: str

    def examine(self, text: str) -> Verdict: ...


class Nothing:
    """Leaves everything as it is: recall 0, harm 0."""

    signature = "nothing"

    def examine(self, text: str) -> Verdict:
        return Verdict(text)


class Frequency:
    """The lexicon's most frequent original wherever a phrase matches, without any context."""

    def __init__(self) -> None:
        self._lexicon = Lexicon(shipped_forms())
        self.signature = f"frequency|lexicon:{self._lexicon.hash}|version:{__version__}"

    def examine(self, text: str) -> Verdict:
        document = Document(text, self._lexicon)
        scored = [Scored(m, 0.0, [1.0, *(0.0 for _ in m.candidates[1:])]) for m in document.matches]
        from detrans.edits import apply

        return Verdict(apply(text, choose(document, scored, 0.5)))


class Product:
    """detrans itself, with a shipped model or without."""

    def __init__(self, model: str) -> None:
        self._detrans = Detrans(model=model)
        self.signature = self._detrans.signature

    def examine(self, text: str) -> Verdict:
        found, repair = self._detrans.examine(text)
        return Verdict(repair.text, found.score, [(s.start, s.end, s.score) for s in found.sentences])


SYSTEMS: dict[str, Callable[[], System]] = {
    "nothing": Nothing,
    "frequency": Frequency,
    "lexical": lambda: Product("none"),
    "small": lambda: Product("small"),
    "base": lambda: Product("base"),
}
