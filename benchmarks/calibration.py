"""How far the probabilities can be believed, and what each threshold gives.

    python -m benchmarks.calibration --corpora DIR [--models none,base] [--documents 60] [--output docs]

The threshold table is for users who choose one; the shipped one (bold) was chosen on other texts, by
`training/calibrate.py`. `synthetic` is news that training never saw, spun and as it was; `wild` shows
how a choice carries over, and must not make it. Without --corpora only `wild` is measured.
With --output, the page `calibration.md` and its pictures in `img/` are written there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, islice, product
from math import sqrt
from pathlib import Path
from typing import Any

from benchmarks.gold import Counts, located, parse, plain, score_line, tokens, total
from benchmarks.testsets import load, synthetic
from detrans import Detrans, Edit
from detrans.assets import model_directory, read_config
from training.corpora import documents

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
LEAST = 5  # of a bin, to be drawn
Labelled = list[tuple[float, bool]]  # scores, and whether what they promise is so


@dataclass(slots=True)
class Measured:
    """One set under one model.

    documents, sentences: damage scores and whether there is damage. edits: those of the lowest
    threshold and whether they are right. counts, clean: what each threshold does to the texts with
    marks, and to those without.
    """

    documents: Labelled = field(default_factory=list)
    sentences: Labelled = field(default_factory=list)
    edits: Labelled = field(default_factory=list)
    counts: dict[float, Counts] = field(default_factory=dict)
    clean: dict[float, Counts] = field(default_factory=dict)


def measure(detrans: Detrans, golds: Iterable[str], thresholds: Sequence[float]) -> Measured:
    """Everything about `golds`; `thresholds` ascend."""
    result = Measured(counts={t: Counts() for t in thresholds}, clean={t: Counts() for t in thresholds})
    for gold in golds:
        text, marks = plain(gold), located(gold)
        required = [start for start, _, needed, _ in marks if needed]
        found = detrans.detect(text)
        result.documents.append((found.score, bool(required)))
        result.sentences += [(s.score, any(s.start <= r < s.end for r in required)) for s in found.sentences]
        counts = result.counts if marks else result.clean
        own = detrans.config
        for threshold in thresholds:
            detrans.config = own.with_options(threshold=threshold)
            repair = detrans.repair(text)
            if threshold == thresholds[0]:
                result.edits += [(e.score, right(e, text, marks)) for e in repair.edits]
            counts[threshold] += counted(gold, repair.text)
        detrans.config = own
    return result


def right(edit: Edit, text: str, marks: list[tuple[int, int, bool, list[str]]]) -> bool:
    """Whether an edit makes one of the accepted repairs of all the marks it touches."""
    touched = [m for m in marks if m[0] < edit.end and edit.start < m[1]]
    if not touched:
        return False
    start, end = min(edit.start, touched[0][0]), max(edit.end, touched[-1][1])
    made = tokens(text[start : edit.start] + edit.replacement + text[edit.end : end])
    gaps = [
        text[a:b]
        for a, b in zip([start, *(m[1] for m in touched)], [*(m[0] for m in touched), end], strict=True)
    ]
    for chosen in product(*(m[3] for m in touched)):
        if made == tokens(gaps[0] + "".join(c + gap for c, gap in zip(chosen, gaps[1:], strict=True))):
            return True
    return False


def counted(gold: str, repaired: str) -> Counts:
    """`gold.score`, remembering lines: from one threshold to the next most stay as they are."""
    lines = zip(gold.rstrip("\n").split("\n"), repaired.rstrip("\n").split("\n"), strict=True)
    return total(_line(g, r) for g, r in lines)


@cache
def _line(gold: str, repaired: str) -> Counts:
    return score_line(parse(gold), tokens(repaired))


def reliability(labelled: Labelled) -> list[tuple[float, float, float, float, int]]:
    """(mean score, share true, its 95% Wilson interval, number) of each tenth that has enough."""
    rows = []
    for i in range(10):
        inside = [(s, y) for s, y in labelled if i == min(int(s * 10), 9)]
        if (n := len(inside)) >= LEAST:
            share = sum(y for _, y in inside) / n
            middle, spread = (share + 1.92 / n), 1.96 * sqrt(share * (1 - share) / n + 0.9604 / n**2)
            scale = 1 + 3.84 / n
            low, high = max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
            rows.append((sum(s for s, _ in inside) / n, share, low, high, n))
    return rows


def calibration_error(labelled: Labelled) -> float:
    """Mean distance between score and share true over the tenths, weighted by their numbers; nan if empty."""
    if not labelled:
        return float("nan")
    bins: list[Labelled] = [[] for _ in range(10)]
    for s, y in labelled:
        bins[min(int(s * 10), 9)].append((s, y))
    return sum(abs(sum(s - y for s, y in b)) for b in bins) / len(labelled)


def precision_recall(labelled: Labelled) -> tuple[list[float], list[float]]:
    """Recall and precision at every cut, from the highest score down; empty if a kind is missing."""
    ordered = sorted(labelled, key=lambda item: -item[0])
    positives = sum(y for _, y in ordered)
    if positives in (0, len(ordered)):
        return [], []
    hits = list(accumulate(int(y) for _, y in ordered))
    # Equal scores cannot be told apart: only the last of each is a cut.
    cuts = [i for i in range(len(ordered)) if i + 1 == len(ordered) or ordered[i + 1][0] < ordered[i][0]]
    return [hits[i] / positives for i in cuts], [hits[i] / (i + 1) for i in cuts]


def table(measured: dict[str, Measured], thresholds: Sequence[float], own: float) -> str:
    """What each threshold gives, on every set; the model's own in bold."""
    names = [f"{name} {figure}" for name in measured for figure in ("precision", "recall", "harm")]
    clean = [name for name, m in measured.items() if any(c.literal for c in m.clean.values())]
    names += [f"{name} harm, clean documents" for name in clean]
    lines = ["| threshold | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for t in thresholds:
        cells = [f"**{t:g}**" if t == own else f"{t:g}"]
        for m in measured.values():
            c = m.counts[t]
            cells += [f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.harm:.2f}"]
        cells += [f"{measured[name].clean[t].harm:.2f}" for name in clean]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(measured: dict[str, Measured], thresholds: Sequence[float], own: float, path: Path) -> None:
    """Reliability above, precision against recall below: documents, sentences, edits."""
    import matplotlib

    matplotlib.use("Agg")
    # No date, no random names: the same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "detrans", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11, 7.4), layout="constrained")
    colours = dict(zip(measured, ("#0f6b6b", "#c2540a", "#5b4a9c"), strict=False))
    for column, kind in enumerate(("documents", "sentences", "edits")):
        top, bottom = axes[0, column], axes[1, column]
        top.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
        for name, m in measured.items():
            labelled = getattr(m, kind)
            _reliability(top, reliability(labelled), colours[name], f"{name} ({len(labelled):,})")
            if kind == "edits":
                _by_threshold(bottom, m, thresholds, own, colours[name], name)
            else:
                recall, precision = precision_recall(labelled)
                if recall:
                    bottom.plot(recall, precision, color=colours[name], label=name)
        share = "share of edits that are right" if kind == "edits" else "share damaged"
        top.set(title=kind, xlabel="probability" if kind == "edits" else "score", ylabel=share)
        bottom.set(xlabel="recall", ylabel="precision")
        for axis in (top, bottom):
            axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
            axis.grid(color="#e6e6e6", linewidth=0.6)
            axis.set_axisbelow(True)
            for side in ("top", "right"):
                axis.spines[side].set_visible(False)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(frameon=False, fontsize=9, loc="upper left" if axis is top else "lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
    plt.close(figure)


def _reliability(
    axis: Any, rows: list[tuple[float, float, float, float, int]], colour: str, label: str
) -> None:
    if not rows:
        return
    x, y, low, high, n = zip(*rows, strict=True)
    errors = [[b - a for a, b in zip(low, y, strict=True)], [b - a for a, b in zip(y, high, strict=True)]]
    axis.errorbar(x, y, yerr=errors, color=colour, linewidth=1.4, elinewidth=0.9, capsize=2, label=label)
    axis.scatter(x, y, s=[12 + 90 * i / max(n) for i in n], color=colour, zorder=3)


def _by_threshold(
    axis: Any, measured: Measured, thresholds: Sequence[float], own: float, colour: str, name: str
) -> None:
    """Unlike a ranking of edits, this counts what the whole repair does at each threshold."""
    recall = [measured.counts[t].recall for t in thresholds]
    precision = [measured.counts[t].precision for t in thresholds]
    axis.plot(recall, precision, color=colour, marker="o", markersize=3, label=name)
    for t in {thresholds[0], own, thresholds[-1]}:
        at = thresholds.index(t)
        axis.annotate(f"{t:g}", (recall[at], precision[at]), (0, 5), textcoords="offset points",
                      ha="center", fontsize=8, color=colour)  # fmt: skip


def sets(corpora: Path | None, count: int) -> dict[str, list[str]]:
    """`synthetic`: `count` spun documents of the test set and as many others as they were; `wild`."""
    result = {}
    if corpora is not None:
        clean = [t[:4000] for t in islice(documents(corpora, "news.dev"), 2, 2 + 4 * count, 4)]
        safe = str.maketrans("{}", "()")
        result["synthetic"] = synthetic(corpora, held_out=False, count=count)
        result["synthetic"] += [t.translate(safe) for t in clean]
    return result | {"wild": load(None, None)["wild"][:count]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--models", default="none,small,base", help="base, small, none or model directories")
    parser.add_argument("--documents", type=int, default=60, help="of each kind in the synthetic set")
    parser.add_argument("--output", type=Path, help="write calibration.md and img/ into this folder")
    args = parser.parse_args()

    chosen = sets(args.corpora, args.documents)
    command = (
        f"    python -m benchmarks.calibration --models {args.models} --corpora CORPORA"
        f" --documents {args.documents} --output docs"
    )
    page = ["# Calibration", "", command, "", __doc__.split("\n\n")[2], ""]
    for model in args.models.split(","):
        detrans = Detrans(model=model)
        own = read_config(model_directory("lexical" if model == "none" else model))["threshold"]
        thresholds = sorted({*THRESHOLDS, own})
        measured = {name: measure(detrans, golds, thresholds) for name, golds in chosen.items()}
        section = [f"## `{Path(model).name}`", "", table(measured, thresholds, own), ""]
        for name, m in measured.items():
            errors = [
                f"{k} {calibration_error(getattr(m, k)):.3f}" for k in ("documents", "sentences", "edits")
            ]
            section.append(
                f"Expected calibration error, {name} ({len(m.documents)} documents): "
                + ", ".join(errors)
                + ".\n"
            )
        section += [f"`{detrans.signature}`", ""]
        print("\n".join(section), flush=True)
        if args.output:
            image = Path("img") / f"calibration-{Path(model).name}.svg"
            draw(measured, thresholds, own, args.output / image)
            page += [
                *section[:2],
                f"![Reliability and precision against recall]({image.as_posix()})",
                "",
                *section[2:],
            ]
    if args.output:
        (args.output / "calibration.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
