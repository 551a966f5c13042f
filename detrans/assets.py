"""Find and verify the files that ship with detrans."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from detrans.errors import ModelError

_HERE = Path(__file__).parent
MANIFEST = "manifest.json"
CHECKED = (".safetensors", ".json", ".tsv")  # what is loaded; notes beside it are nobody's business


def model_directory(name: str) -> Path:
    """The directory of a shipped model by name, or `name` itself if it is a directory."""
    # An installed package carries `models` inside; a checkout has it beside the package.
    for base in (_HERE / "models", _HERE.parent / "models"):
        if (base / name).is_dir() and not Path(name).is_absolute():
            return base / name
    if Path(name).is_dir():
        return Path(name)
    raise ModelError(
        f"no model {name!r}: neither shipped with detrans nor a directory. "
        'Use "base", "small", "none" or the path of a model directory; '
        "if a shipped one is missing, reinstall detrans."
    )


def verify(directory: Path) -> None:
    """Check every file of a model directory against its manifest of SHA-256 sums."""
    path = directory / MANIFEST
    try:
        sums: dict[str, str] = dict(json.loads(path.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is missing or damaged ({error}); reinstall detrans") from error
    for file in directory.iterdir():
        if file.suffix in CHECKED and file.name not in sums and file.name != MANIFEST:
            raise ModelError(f"{file} does not belong to this model; remove it or reinstall detrans")
    for name, expected in sums.items():
        try:
            actual = hashlib.sha256((directory / name).read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"{directory / name} cannot be read ({error}); reinstall detrans") from error
        if actual != expected:
            raise ModelError(
                f"{directory / name} was changed: its SHA-256 is {actual[:16]}…, not {expected[:16]}… "
                "Reinstall detrans, or write the manifest anew if the change is yours "
                "(python -m training.manifest DIRECTORY)."
            )


def read_config(directory: Path) -> dict[str, Any]:
    """The model's own settings (`config.json`)."""
    path = directory / "config.json"
    try:
        config: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is missing or damaged ({error}); reinstall detrans") from error
    return config
