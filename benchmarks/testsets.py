"""The test sets. Each is a list of gold texts (see `gold.py`); a text without marks is clean."""

from __future__ import annotations

import random
import shutil
from itertools import islice
from pathlib import Path

from benchmarks.gold import mended
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.spin import UNSEEN_FAMILY, Spinner, Spun
from training.corpora import documents, paragraphs
from training.roundtrip import align, out_and_back

DATA = Path(__file__).parent / "data"
UNDAMAGED = ", undamaged"  # after the name of a set: its texts as they were before
_SAFE = str.maketrans("{}", "()")  # the two characters that mean something in gold


def marked(spun: Spun) -> str:
    """Gold of a spun document: every damaged span must be repaired to what stood there."""
    pieces, at = [], 0
    for span in spun.spans:
        damaged, original = spun.text[span.start : span.end], span.original.replace("/", " ")
        pieces += [spun.text[at : span.start], f"{{{damaged}=>{original}}}"]
        at = span.end
    return "".join((*pieces, spun.text[at:]))


def synthetic(corpora: Path, held_out: bool, count: int = 40) -> list[str]:
    """News documents that training never saw, spun by a family that no network was trained on;
    `held_out`: with pairs alone that none was trained on."""
    lexicon = Lexicon(shipped_forms())
    spinner = Spinner(lexicon, held_out=True if held_out else None)
    texts = islice(documents(corpora, "news.dev"), 0, 4 * count, 4)
    return [
        marked(spinner.spin(t[:4000].translate(_SAFE), seed, family=UNSEEN_FAMILY))
        for seed, t in enumerate(texts)
    ]


def clean(corpora: Path, name: str, count: int) -> list[str]:
    """Paragraphs of a corpus that training never saw, or saw only as clean text (textbooks)."""
    lines = [p for p in islice(paragraphs(corpora, name), 20000) if len(p) > 80]
    random.Random(0).shuffle(lines)
    return [p.translate(_SAFE) for p in lines[:count]]


def catalan(corpora: Path, count: int = 40) -> list[str]:
    """News documents translated to Catalan and back by apertium: an engine that training never saw."""
    texts = [t[:2000].translate(_SAFE) for t in islice(documents(corpora, "news.dev"), 3, 4 * count, 4)]
    result = []
    for text in texts:
        pairs = list(out_and_back(text.split("\n"), "eng-cat"))
        result.append("\n".join(marked(align(clean, damaged.translate(_SAFE))) for clean, damaged in pairs))
    return [t for t in result if t]


def passages(path: Path) -> list[str]:
    """Gold texts separated by lines of three hyphens; lines that begin with # are comments."""
    lines = path.read_text(encoding="utf-8").split("\n")
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return [t.strip("\n") for t in text.split("\n---\n") if t.strip()]


def load(corpora: Path | None, gold: Path | None) -> dict[str, list[str]]:
    """All test sets that can be had: those of the project, and with the folders given, the others."""
    sets: dict[str, list[str]] = {}
    if gold is not None:
        for path in sorted(gold.glob("*.gold")):
            sets[f"gold {path.stem}"] = [path.read_text(encoding="utf-8").rstrip("\n")]
    if (DATA / "hard.txt").exists():
        sets["hard"] = passages(DATA / "hard.txt")
    wild = sorted((DATA / "wild").glob("*.gold"))
    if wild:
        sets["wild"] = [t for path in wild for t in passages(path)]
    if (DATA / "programs.gold").exists():
        sets["programs"] = passages(DATA / "programs.gold")
    # Sound text of the same kind as the damaged: news alone would flatter a detector.
    sets |= {
        f"{name}{UNDAMAGED}": [*map(mended, sets[name])] for name in ("wild", "programs") if name in sets
    }
    if corpora is not None:
        sets["synthetic"] = synthetic(corpora, held_out=False)
        sets["synthetic, unseen pairs"] = synthetic(corpora, held_out=True)
        if shutil.which("apertium"):
            sets["catalan"] = catalan(corpora)
        sets["clean news documents"] = [
            t.translate(_SAFE) for t in islice(documents(corpora, "news.dev"), 0, 240, 2)
        ]
        sets["clean news"] = clean(corpora, "news.dev", 2000)
        sets["clean science"] = clean(corpora, "science.dev", 700)
        sets["clean textbooks"] = clean(corpora, "textbooks", 2000)
    return sets
