"""Fit the judge's screen ("screen" in a model's config): which candidates the language model reads whole.

    python -m training.screen [--model models/base] [--least 0.03]

What a place's left side foretells of the first tokens, and what the lexical scorer thinks, tell most of
the wrong candidates. A logistic regression on both, fitted on texts that the judge learns from, says
how likely each is to be right; `least` is the least that is worth a reading.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.gold import tokens
from detrans.assets import read_config
from detrans.context import Repaired
from detrans.judge import PROPOSED, Screen, doubtful
from detrans.lm import LanguageModel
from detrans.normalise import choose
from training.calibrate import fit
from training.manifest import write_config
from training.texts import JUDGED, WRITTEN, kept_apart, propose, right, seen, without_own

EVERY = 3  # texts of a file are enough
Table = npt.NDArray[np.float64]


def rows(model: Path, path: Path) -> tuple[Table, Sequence[bool], int]:
    """Of the candidates in some texts of a file: rows, whether each is right; and words of text."""
    language = LanguageModel(model, read_config(model))
    detrans = without_own(path)
    tables, labels, words = [], [], 0
    for text, marks in list(seen(path))[::EVERY]:
        document, _, scored = propose(detrans._counting, detrans._lexicon, text)
        cases = doubtful(document, scored)
        context = Repaired(text, choose(document, scored, PROPOSED))
        found: dict[int, list[float]] = {}

        def note(
            _: int, firsts: dict[int, list[float]], found: dict[int, list[float]] = found
        ) -> dict[int, list[int]]:
            found.update(firsts)
            return {}

        language.score([(context.text, [context.place(case.place) for case in cases])], note)
        for number, case in enumerate(cases):
            match = case.scored.match
            good = right(match, text, marks, case.candidates)
            if not kept_apart(match, case.candidates, good):
                tables.append(Screen.rows(case, found[number]))
                labels += [ok and not good[0] for ok in good[1:]]
        words += len(tokens(text))
    return np.concatenate(tables), labels, words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/base"))
    parser.add_argument("--least", type=float, default=0.03)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    paths = [WRITTEN / f"{name}.gold" for name in JUDGED]
    with ProcessPoolExecutor(args.processes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found = list(pool.map(rows, [args.model] * len(paths), paths))
    table = np.concatenate([t for t, _, _ in found])
    labels = np.array([label for _, some, _ in found for label in some])
    # The rows bring the number that the bias is for.
    weights = fit(table[:, 1:].tolist(), labels.tolist())
    read = 1 / (1 + np.exp(-table @ np.array(weights))) >= args.least
    caught, words = labels[read].sum(), sum(some for _, _, some in found)
    print(f"{len(labels):,} candidates, {labels.sum():,} right; read {read.sum():,}, {caught:,} right")
    print(f"{read.sum() / words:.2f} are read a word of text, of {len(labels) / words:.2f}")
    screen = {"weights": weights, "least": args.least}
    write_config(args.model, read_config(args.model) | {"screen": screen})


if __name__ == "__main__":
    main()
