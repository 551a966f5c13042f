"""All options in one frozen value. The same names are keywords of every function that takes options."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from detrans.errors import ConfigError


@dataclass(frozen=True)
class Config:
    """Options of detrans.

    threshold: an edit is made from this probability on (0 to 1); None takes the model's own,
        which was set for precision. Higher is more cautious.
    device: "cpu", "cuda", "cuda:1" ...; None takes a GPU where there is one.
    model: "base" (a language model judges), "small" (a small encoder does: far faster, less sure), "none"
        (lexicon and n-grams only), or the path of a model directory.
    lexicon: a TSV file (columns `spun`, `original`) of your own pairs, added to the shipped ones.
    keep: phrases never touched, whatever their case; or the path of a file with one a line.
    lookalikes: whether to replace letters that only look Latin inside Latin words, and to remove
        zero-width characters there; they count as evidence of damage either way.
    names: whether to mend a name that the document itself spells two ways.
    without: tables of the lexicon to leave out, by name, such as "sport" or "mt".
    """

    threshold: float | None = None
    device: str | None = None
    model: str = "base"
    lexicon: str | None = None
    keep: tuple[str, ...] | str = ()
    lookalikes: bool = True
    names: bool = True
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(f"threshold is {self.threshold}; it must lie between 0 and 1")
        if not isinstance(self.keep, str):
            object.__setattr__(self, "keep", tuple(self.keep))
        without = (self.without,) if isinstance(self.without, str) else self.without
        object.__setattr__(self, "without", tuple(without))

    def with_options(self, **options: Any) -> Config:
        """A copy with some options changed; ConfigError for an option that does not exist."""
        known = [f.name for f in fields(self)]
        for name in options:
            if name not in known:
                raise ConfigError(f"no option {name!r}; there are {', '.join(known)}")
        return replace(self, **options)

    def kept_phrases(self) -> frozenset[str]:
        """The phrases of `keep` in folded form."""
        from detrans.fold import fold

        phrases = self.keep
        if isinstance(phrases, str):
            try:
                phrases = tuple(Path(phrases).read_text(encoding="utf-8").split("\n"))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"keep: cannot read {self.keep!r} as UTF-8 text: {error}") from error
        return frozenset(fold(p).data.decode("ascii").strip() for p in phrases if p.strip())
