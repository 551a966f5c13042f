"""Write the config and the SHA-256 manifest of a model directory.

python -m training.manifest models/base
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from detrans.assets import CHECKED, MANIFEST


def write(directory: Path) -> None:
    files = sorted(p for p in directory.iterdir() if p.suffix in CHECKED and p.name != MANIFEST)
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (directory / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=1) + "\n")


def write_config(directory: Path, config: dict[str, Any]) -> None:
    """`config` as the config of a model directory, whose manifest then knows it."""
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    write(directory)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        write(Path(argument))
