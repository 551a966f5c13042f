"""What can go wrong, by kind. Every message names the value and the way out."""

from __future__ import annotations

import importlib
from typing import Any


class DetransError(Exception):
    """Any error that detrans raises on purpose."""


class LexiconError(DetransError):
    """A lexicon file is missing, malformed or contradicts itself."""


class ModelError(DetransError):
    """A model directory is missing, incomplete, changed or not one of ours."""


class EditError(DetransError):
    """Edits that do not fit the text, or overlap."""


class ConfigError(DetransError):
    """An option has a value it cannot have."""


def extra(module: str, name: str = "corpus") -> Any:
    """The optional library `module`, or an error that says which extra of detrans brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DetransError(f"this needs {module}: pip install 'detrans[{name}]'") from error
