"""detrans repairs machine-made damage in English text: article spinning, translation out and back.

>>> import detrans
>>> detrans.clean("A clean sentence stays as it is.")
'A clean sentence stays as it is.'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detrans.config import Config
from detrans.edits import Edit, apply
from detrans.errors import ConfigError, DetransError, EditError, LexiconError, ModelError

if TYPE_CHECKING:
    from detrans.pipeline import Detection, Detrans, Repair, Sentence, Span

__version__ = "0.1.0"
__all__ = [
    "Config", "ConfigError", "Detection", "Detrans", "DetransError", "Edit", "EditError", "LexiconError",
    "ModelError", "Repair", "Sentence", "Span", "apply", "clean", "detect", "repair",
]  # fmt: skip

_LAZY = {"Detection", "Detrans", "Repair", "Sentence", "Span"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # numpy and the rest are loaded when first needed, not at import
        from detrans import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'detrans' has no attribute {name!r}")


def _default(options: dict[str, Any]) -> Detrans:
    from detrans.pipeline import shared

    return shared(Config().with_options(**options))


def clean(text: str, **options: Any) -> str:
    """`text` with its machine-made damage repaired and everything else as it was.

    Options are the fields of `Config`. Raises ConfigError, LexiconError or ModelError.
    """
    return _default(options).clean(text)


def detect(text: str, **options: Any) -> Detection:
    """Score `text` and its sentences for damage (0 to 1) and mark the suspicious spans."""
    return _default(options).detect(text)


def repair(text: str, **options: Any) -> Repair:
    """Repair `text`; the result carries the new text and every edit with its reason."""
    return _default(options).repair(text)
