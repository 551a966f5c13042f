"""What many tests share: one loaded instance per model, and the case files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detrans import Detrans
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.spin import Spinner

ROOT = Path(__file__).parents[1]


def cases(name: str) -> list[Any]:
    """The cases of a file as pytest parameters, named by their labels."""
    data = json.loads((ROOT / "tests" / "cases" / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["label"].replace(" ", "-")) for case in data]


@pytest.fixture(scope="session", params=["none", "small", "base"])
def detrans(request: pytest.FixtureRequest) -> Detrans:
    return Detrans(model=request.param, device="cpu")


@pytest.fixture(scope="session")
def lexical() -> Detrans:
    return Detrans(model="none")


@pytest.fixture(scope="session")
def base() -> Detrans:
    return Detrans(device="cpu")


@pytest.fixture(scope="session")
def small() -> Detrans:
    return Detrans(model="small", device="cpu")


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return Lexicon(shipped_forms())


@pytest.fixture(scope="session")
def spinner(lexicon: Lexicon) -> Spinner:
    return Spinner(lexicon)


@pytest.fixture(scope="session")
def seeds() -> dict[str, str]:
    return {p.stem[:3]: p.read_text(encoding="utf-8") for p in sorted((ROOT / "seeds").glob("*.txt"))}
