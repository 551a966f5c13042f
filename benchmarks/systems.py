"""The systems that `benchmarks/quality.py` compares. Another takes ten lines: a class and an entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from detrans import Detrans, __version__
from detrans.document import Document
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.normalise import Scored, choose


class System(Protocol):
    """A system repairs a text and scores it: the document and each of its sentences (0 to 1)."""

    signature: str

    def clean(self, text: str) -> str: ...

    def scores(self, text: str) -> tuple[float, list[tuple[int, int, float]]]: ...


class Nothing:
    """Leaves everything as it is: recall 0, harm 0."""

    signature = "nothing"

    def clean(self, text: str) -> str:
        return text

    def scores(self, text: str) -> tuple[float, list[tuple[int, int, float]]]:
        return 0.0, []


class Frequency:
    """The lexicon's most frequent original wherever a phrase matches, without any context."""

    def __init__(self) -> None:
        self._lexicon = Lexicon(shipped_forms())
        self.signature = f"frequency|lexicon:{self._lexicon.hash}|version:{__version__}"

    def clean(self, text: str) -> str:
        document = Document(text, self._lexicon)
        scored = [Scored(m, 0.0, [1.0, *(0.0 for _ in m.candidates[1:])]) for m in document.matches]
        from detrans.edits import apply

        return apply(text, choose(document, scored, 0.5))

    def scores(self, text: str) -> tuple[float, list[tuple[int, int, float]]]:
        return 0.0, []


class Product:
    """detrans itself, with a shipped model or without."""

    def __init__(self, model: str) -> None:
        self._detrans = Detrans(model=model)
        self.signature = self._detrans.signature

    def clean(self, text: str) -> str:
        return self._detrans.clean(text)

    def scores(self, text: str) -> tuple[float, list[tuple[int, int, float]]]:
        found = self._detrans.detect(text)
        return found.score, [(s.start, s.end, s.score) for s in found.sentences]


SYSTEMS: dict[str, Callable[[], System]] = {
    "nothing": Nothing,
    "frequency": Frequency,
    "lexical": lambda: Product("none"),
    "base": lambda: Product("base"),
}
