"""What can go wrong, by kind. Every message names the value and the way out."""


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
