"""Cases from `tests/cases/`: what must change, what must not, and what is known to fail."""

from __future__ import annotations

from typing import Any

import pytest

from detrans import Detrans
from tests.conftest import cases


@pytest.mark.parametrize("case", cases("negative"))
def test_clean_text_is_unchanged(detrans: Detrans, case: dict[str, Any]) -> None:
    if case.get("needs", detrans.config.model) != detrans.config.model:
        pytest.skip("only the network can know")
    assert detrans.clean(case["text"]) == case["text"], case["comment"]


@pytest.mark.parametrize("case", cases("wild"))
def test_damage_is_repaired(base: Detrans, case: dict[str, Any]) -> None:
    cleaned = base.clean(case["text"])
    missing = [part for part in case["contains"] if part not in cleaned]
    assert not missing, f"{case['comment']}: {cleaned}"


@pytest.mark.parametrize("case", cases("known_failure"))
@pytest.mark.xfail(strict=True, reason="known failure: when it passes, move it to wild.json")
def test_known_failure(base: Detrans, case: dict[str, Any]) -> None:
    cleaned = base.clean(case["text"])
    assert all(part in cleaned for part in case["contains"])


@pytest.mark.parametrize("seed", ["000", "002"])
def test_human_seeds_stay_as_they_are(detrans: Detrans, seeds: dict[str, str], seed: str) -> None:
    assert detrans.clean(seeds[seed]) == seeds[seed]


@pytest.mark.parametrize("seed", ["001", "004"])
def test_spun_seeds_are_found_and_repaired(detrans: Detrans, seeds: dict[str, str], seed: str) -> None:
    repair = detrans.repair(seeds[seed])
    assert repair.score > 0.9
    assert len(repair.edits) > 20


def test_seeds_are_told_apart(detrans: Detrans, seeds: dict[str, str]) -> None:
    score = {name: detrans.detect(text).score for name, text in seeds.items()}
    assert min(score["001"], score["004"]) > 0.9 > 0.2 > max(score["000"], score["002"])
