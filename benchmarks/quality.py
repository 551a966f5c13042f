"""Measure systems on all test sets and print one table.

    python -m benchmarks.quality [--corpora DIR] [--gold DIR] [--systems lexical,base] [--sets wild,hard]

Without the folders only the project's own sets (`hard`, `wild`) are measured. Intervals are 95%
bootstrap intervals over texts (1,000 resamples, seed 0).
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gold import Counts, located, plain, score, total
from benchmarks.systems import SYSTEMS, System
from benchmarks.testsets import UNDAMAGED, load

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """One text: its counts, whether it was changed, and (damaged?, score) of it and its sentences."""

    counts: Counts
    changed: bool
    document: tuple[bool, float]
    sentences: list[tuple[bool, float]]


def measure(system: System, gold: str) -> Result:
    text = plain(gold)
    repaired, document, sentences = system.examine(text)
    counts = score(gold, repaired)
    marks = located(gold)
    labels = []
    for start, end, p in sentences:
        inside = [required for a, _, required, _ in marks if start <= a < end]
        if any(inside) or not inside:  # where a repair is only allowed, either verdict is right
            labels.append((bool(inside), p))
    return Result(counts, repaired != text, (counts.required > 0, document), labels)


def detection(everything: dict[str, list[Result]]) -> Iterator[tuple[str, dict[str, float]]]:
    """How each damaged set is told from all clean ones: their documents, and their sentences."""
    clean = [r for results in everything.values() for r in results if not r.document[0]]
    for title, results in everything.items():
        damaged = [r for r in results if r.document[0]]
        if len(damaged) > 1 and clean:
            documents = [r.document for r in clean + damaged]
            sentences = [s for r in clean for s in r.sentences]
            sentences += [s for r in damaged for s in r.sentences if s[0]]
            figures = {
                "document AUC": auc(documents),
                "recall at 1% false alarms": recall_at_one_percent(documents),
                "sentence AUC": auc(sentences),
                "sentence recall at 1%": recall_at_one_percent(sentences),
            }
            if before := everything.get(f"{title}{UNDAMAGED}"):
                figures["document AUC against what they were"] = auc([r.document for r in damaged + before])
            yield title, figures


def interval(results: Sequence[Result], figure: Callable[[Counts], float]) -> tuple[float, float]:
    """The 95% bootstrap interval of a figure over texts."""
    if len(results) < 2:
        return (float("nan"), float("nan"))
    rng = random.Random(0)
    values = sorted(
        figure(total(r.counts for r in rng.choices(results, k=len(results)))) for _ in range(RESAMPLES)
    )
    return values[round(0.025 * RESAMPLES)], values[round(0.975 * RESAMPLES) - 1]


def auc(labelled: Sequence[tuple[bool, float]]) -> float:
    """Probability that a damaged one scores above a clean one; nan if a kind is missing."""
    good = sorted(s for bad, s in labelled if not bad)
    bad = [s for bad, s in labelled if bad]
    if not good or not bad:
        return float("nan")
    from bisect import bisect_left, bisect_right

    wins = sum((bisect_left(good, s) + bisect_right(good, s)) / 2 for s in bad)
    return wins / (len(good) * len(bad))


def recall_at_one_percent(labelled: Sequence[tuple[bool, float]]) -> float:
    """Share of damaged ones that score above all but 1% of the clean ones."""
    good = sorted((s for bad, s in labelled if not bad), reverse=True)
    bad = [s for bad, s in labelled if bad]
    if not good or not bad:
        return float("nan")
    bound = good[len(good) // 100]
    return sum(s > bound for s in bad) / len(bad)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--gold", type=Path)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--sets", default="", help="only sets whose names begin so, comma-separated")
    parser.add_argument("--json", type=Path, help="also write one JSON line a row here")
    args = parser.parse_args()

    wanted = tuple(args.sets.split(","))
    sets = {k: v for k, v in load(args.corpora, args.gold).items() if k.startswith(wanted)}
    rows = []
    columns = ("recall", "precision", "f05", "harm")
    print("| system | set | texts | " + " | ".join(columns) + " | changed |")
    print("|---|---|---|" + "---|" * (len(columns) + 1))
    for name in args.systems.split(","):
        system = SYSTEMS[name]()
        everything: dict[str, list[Result]] = {}
        for title, texts in sets.items():
            results = everything[title] = [measure(system, t) for t in texts]
            counts = total(r.counts for r in results)
            cells = []
            row: dict[str, object] = {"system": system.signature, "set": title, "texts": len(results)}
            for column in columns:
                value = getattr(counts, column)
                low, high = interval(results, lambda c, k=column: float(getattr(c, k)))  # type: ignore[misc]
                row[column] = [value, low, high]
                shown = f"{value:.3f}" + ("" if low != low else f" [{low:.2f}, {high:.2f}]")
                cells.append(shown if counts.required or column == "harm" else "–")
            changed = sum(r.changed for r in results)
            row["changed"] = changed
            rows.append(row)
            print(
                f"| {name} | {title} | {len(results)} | " + " | ".join(cells) + f" | {changed} |", flush=True
            )
        for title, figures in detection(everything):
            rows.append({"system": system.signature, "set": title, **figures})
            told = ", ".join(f"{k} {v:.4f}" for k, v in figures.items())
            print(f"\n{name} tells {title} from clean text: {told}")
        print(f"\n`{system.signature}`\n")
    if args.json:
        args.json.write_text("".join(json.dumps(r) + "\n" for r in rows))


if __name__ == "__main__":
    main()
