"""The scorer counts what it says it counts, and the shipped test sets are well-formed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import corpus
from benchmarks.gold import Counts, Mark, mended, parse, plain, score, total
from benchmarks.quality import Result, auc, detection, recall_at_one_percent
from benchmarks.testsets import DATA, UNDAMAGED, load, marked, passages
from detrans.spin import Spinner
from tests.test_properties import CLEAN

GOLD = "They {despatched=>sent/shipped} {a lot=>much} of the {?big=>large} cargo."


def test_plain_text_of_gold() -> None:
    assert plain(GOLD) == "They despatched a lot of the big cargo."


@pytest.mark.parametrize(
    ("repaired", "counts"),
    [
        ("They despatched a lot of the big cargo.", (2, 0, 0, 0, 0, 0)),
        ("They sent much of the big cargo.", (2, 2, 0, 0, 0, 0)),
        ("They shipped a lot of the large cargo.", (2, 1, 0, 1, 0, 0)),
        ("They coached a lot of the huge cargo.", (2, 0, 1, 0, 1, 0)),
        ("They sent much of this big cargo.", (2, 2, 0, 0, 0, 1)),
        ("They sent much of the big cargo now.", (2, 2, 0, 0, 0, 1)),
    ],
)
def test_counts(repaired: str, counts: tuple[int, ...]) -> None:
    c = score(GOLD, repaired)
    assert (c.required, c.fixed, c.wrong, c.improved, c.spoilt, c.harmed) == counts
    assert c.literal == 5


def test_figures() -> None:
    c = score(GOLD, "They sent a lot of this big cargo.")
    assert (c.recall, c.precision, c.harm) == (0.5, 0.5, 200.0)
    assert c.f05 == pytest.approx(0.5)
    with pytest.raises(ValueError, match="zip"):
        score("one\ntwo", "one")


@pytest.mark.parametrize(
    "gold",
    [
        "A two-{aim=>goal} lead.",
        "{Chunk=>Bite}-{dimension=>size} pieces.",
        "The {attorney normal=>attorney general}'s office.",
        "A {?big=>large}-{screen=>monitor} set.",
    ],
)
def test_marks_inside_a_token(gold: str) -> None:
    kept, mended_text = score(gold, plain(gold)), score(gold, mended(gold))
    assert (kept.required, kept.fixed, kept.wrong, kept.harmed) == (1, 0, 0, 0)
    assert (mended_text.required, mended_text.fixed, mended_text.harmed) == (1, 1, 0)
    assert score(gold, plain(gold).replace("A ", "The ")).harmed == gold.startswith("A ")


@pytest.mark.parametrize("name", ["wild", "wild_dev.gold", "written_dev.gold", "programs.gold"])
def test_a_text_left_alone_has_no_harm(name: str) -> None:
    paths = sorted((DATA / name).glob("*.gold")) if name == "wild" else [DATA / name]
    counts = total(score(text, plain(text)) for path in paths for text in passages(path))
    assert (counts.wrong, counts.spoilt, counts.harmed) == (0, 0, 0)
    repaired = total(score(text, mended(text)) for path in paths for text in passages(path))
    assert (repaired.recall, repaired.precision) == (1.0, 1.0)


def test_a_spun_document_repaired_by_its_originals_scores_one(spinner: Spinner) -> None:
    gold = marked(spinner.spin(CLEAN, 5, rate=0.8))
    assert score(gold, CLEAN).recall == 1.0
    assert score(gold, CLEAN).harmed == 0
    assert score(gold, plain(gold)).recall == 0.0


def test_ranking_figures() -> None:
    assert auc([(True, 0.9), (True, 0.4), (False, 0.4), (False, 0.1)]) == 0.875
    assert recall_at_one_percent([(True, 0.9), (True, 0.3), (False, 0.5), (False, 0.1)]) == 0.5


def test_damaged_texts_are_told_from_what_they_were() -> None:
    def results(damaged: bool, *scores: float) -> list[Result]:
        return [Result(Counts(), False, (damaged, score), []) for score in scores]

    sets = {
        "wild": results(True, 0.5, 0.9),
        f"wild{UNDAMAGED}": results(False, 0.3, 0.7),
        "clean news": results(False, 0.1, 0.2, 0.3, 0.4),
    }
    ((title, figures),) = detection(sets)
    assert title == "wild"
    assert figures["document AUC"] == pytest.approx(11 / 12)
    assert figures["document AUC against what they were"] == 0.75
    del sets[f"wild{UNDAMAGED}"]
    assert "document AUC against what they were" not in dict(detection(sets))["wild"]


def test_undamaged_texts_are_the_repaired_ones() -> None:
    sets = load(None, None)
    for name in ("wild", "programs"):
        for before, gold in zip(sets[f"{name}{UNDAMAGED}"], sets[name], strict=True):
            assert score(gold, before).recall == 1.0
            assert "{" not in before


def test_shipped_sets_are_well_formed() -> None:
    hard = passages(DATA / "hard.txt")
    assert len(hard) >= 400
    assert not any(c in text for text in hard for c in "{}")
    wild = [t for path in sorted((DATA / "wild").glob("*.gold")) for t in passages(path)]
    marks = [i for t in wild for line in t.split("\n") for i in parse(line) if isinstance(i, Mark)]
    assert sum(m.required for m in marks) > 0.5 * len(marks) > 50
    for text in wild:
        assert not set(plain(text)) & set("{}"), text


def test_a_corpus_of_a_size(tmp_path: Path) -> None:
    corpus.write(path := tmp_path / "corpus.jsonl", ["One line.", "Another line.", "A third."], 50_000)
    texts = [json.loads(line)["text"] for line in path.read_text().splitlines()]
    assert 50_000 <= path.stat().st_size < 60_000
    assert len(set(texts)) == len(texts) > 10


def test_memory_of_a_command_and_what_it_starts() -> None:
    child = (
        "import time; held = bytearray(80_000_000); held[::4096] = b'x' * len(held[::4096]); time.sleep(1.5)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    cost = corpus.measured([sys.executable, "-c", parent])
    assert cost["peak_mb"] > 76 > cost["reader_mb"] > 1
    with pytest.raises(subprocess.CalledProcessError):
        corpus.measured([sys.executable, "-c", "raise SystemExit(1)"])
