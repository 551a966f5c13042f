"""The figures of `benchmarks/calibration.py` are what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.calibration import (
    calibration_error,
    counted,
    draw,
    measure,
    precision_recall,
    reliability,
    right,
    table,
)
from benchmarks.gold import located, plain, score
from benchmarks.testsets import marked
from detrans import Detrans, Edit
from detrans.spin import Spinner
from tests.test_properties import CLEAN

GOLD = (
    "They {despatched=>sent/shipped} an {settlement=>agreement} in the {navy=>military}’s {?big=>large} ship."
)


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("despatched", "sent", True),
        ("despatched", "Shipped", True),
        ("despatched", "posted", False),
        ("despatched an settlement", "sent an agreement", True),
        ("despatched an settlement", "sent an settlement", False),
        ("an settlement", "an agreement", True),
        ("settle", "agree", True),  # the rest of the mark counts as it stands
        ("settle", "argu", False),
        ("big", "large", True),
        ("big", "huge", False),
        ("They", "We", False),
    ],
)
def test_right_edits(old: str, new: str, good: bool) -> None:
    text = plain(GOLD)
    start = text.index(old)
    edit = Edit(start, start + len(old), new, "rule:x", 0.9, "")
    assert right(edit, text, located(GOLD)) is good


def test_reliability_and_error() -> None:
    labelled = [(0.95, i < 19) for i in range(20)] + [(0.25, i < 10) for i in range(20)] + [(0.55, True)]
    (low, high) = reliability(labelled)
    assert (low[0], low[1], low[4]) == (pytest.approx(0.25), 0.5, 20)
    assert low[2:4] == pytest.approx((0.299, 0.701), abs=1e-3)  # Wilson, 10 of 20
    assert high[1] == 0.95
    assert calibration_error(labelled) == pytest.approx((0.0 * 20 + 0.25 * 20 + 0.45) / 41)
    assert calibration_error([]) != calibration_error([])


def test_precision_recall() -> None:
    recall, precision = precision_recall([(0.9, True), (0.8, False), (0.8, True), (0.1, False)])
    assert recall == [0.5, 1.0, 1.0]
    assert precision == [1.0, pytest.approx(2 / 3), 0.5]
    assert precision_recall([(0.9, True)]) == ([], [])


def test_every_threshold_is_measured_as_the_repair_does(
    lexical: Detrans, spinner: Spinner, tmp_path: Path
) -> None:
    gold = marked(spinner.spin(CLEAN, 5, rate=0.8))
    thresholds = [0.3, 0.66, 0.99]
    measured = measure(lexical, [gold, CLEAN], thresholds)
    assert lexical.config.threshold is None
    for t in thresholds:
        repaired = Detrans(model="none", threshold=t).clean(plain(gold))
        assert measured.counts[t] == counted(gold, repaired) == score(gold, repaired)
    assert measured.counts[0.3].fixed > measured.counts[0.99].fixed
    assert measured.clean[0.3].literal > 0 == measured.clean[0.3].harmed
    assert [damaged for _, damaged in measured.documents] == [True, False]
    assert {y for _, y in measured.edits} == {True, False} or len(measured.edits) > 5
    rows = table({"spun": measured}, thresholds, 0.66).split("\n")
    assert rows[3].startswith("| **0.66** | ")
    assert len({row.count("|") for row in rows}) == 1
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        draw({"spun": measured}, thresholds, 0.66, tmp_path / "img" / name)
    first, second = ((tmp_path / "img" / n).read_bytes() for n in ("a.svg", "b.svg"))
    assert first == second
