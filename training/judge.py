"""Train the judge (`judge.safetensors` of a model directory) on texts written as spinners write.

    python -m training.judge [--model models/base] [--epochs 30] [--processes 2]

The texts of `training/written` also gave lexicon pairs; while one file's texts are judged, the pairs
that only this file gave are left out of the lexicon, so that the judge meets the gaps it will meet
elsewhere. Clean documents of the training corpora that pass the first gate are judged as well.

The second reading of a text depends on the judge's first verdict. So a judge is trained on the cases
as first read, and then, on these and on all cases as last read with that judge, the final one. What
the language model says, some thirty minutes on two cores, is kept in --cache.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import pickle
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

import detrans.fourbit
import detrans.llama
import detrans.lm
from detrans import Detrans
from detrans.assets import read_config
from detrans.judge import CaseFeatures, Judge, Proposed
from detrans.lm import LanguageModel, Likelihood, Place, Wanted
from training.corpora import DEFAULT, documents
from training.manifest import write
from training.network import Example, train
from training.texts import JUDGED, WRITTEN, Marks, kept_apart, propose, right, seen, without_own

HIDDEN_UNITS = 48
CLEAN = 150  # clean documents at most


class Memory:
    """A language model whose answers are kept in a file, as most are asked for again."""

    def __init__(self, model: Path, config: dict[str, Any], cache: Path, name: str) -> None:
        digest = hashlib.sha256()
        for module in (detrans.lm, detrans.llama, detrans.fourbit):
            digest.update(inspect.getsource(module).encode())
        for part in ("language.safetensors", "language.json", "adapter.safetensors"):
            digest.update((model / part).read_bytes())
        digest.update(repr(config["screen"]).encode())
        self._path = cache / f"{name}-{digest.hexdigest()[:12]}.pickle"
        self._known: dict[bytes, list[list[dict[int, Likelihood]]]] = {}
        if self._path.exists():
            self._known = pickle.loads(self._path.read_bytes())
        self._language = LanguageModel(model, config)

    def score(
        self, texts: Sequence[tuple[str, Sequence[Place]]], wanted: Wanted | None = None
    ) -> list[list[dict[int, Likelihood]]]:
        key = hashlib.sha256(repr((texts, wanted is None)).encode("utf-8", "replace")).digest()
        if key not in self._known:
            self._known[key] = self._language.score(texts, wanted)
        return self._known[key]

    def save(self) -> None:
        self._path.write_bytes(pickle.dumps(self._known))


def proposals(path: Path | None, corpora: Path) -> Iterator[tuple[Proposed, Marks]]:
    """The texts of a gold file and their marks; without one, clean documents that pass the first gate."""
    if path is not None:
        product = without_own(path)
        for text, marks in seen(path):
            yield propose(product._counting, product._lexicon, text), marks
        return
    product = Detrans(model="none")
    for name in ("news.train", "wikipedia.train", "science.train"):
        some = 0
        for text in islice(documents(corpora, name), 3, 80_000, 11):
            document, evidence, score = product._weigh(text[:3000])
            passed = score >= product._lexical["gate"]
            if passed and (proposed := product._propose(document, evidence)):
                yield proposed, []
                some += 1
                if some == CLEAN // 3:
                    break


def texts(model: Path, path: Path | None, corpora: Path, cache: Path, again: bool) -> list[list[Example]]:
    """The cases of each text as read first, or as read last with the judge that is there."""
    config = read_config(model)
    memory = Memory(model, config, cache, path.stem if path else "clean")
    judge = Judge(model, config, memory)
    found = []
    for proposed, marks in proposals(path, corpora):
        (cases,) = judge.cases([proposed]) if again else judge.first([proposed])
        rows, starts = CaseFeatures(*proposed, cases).rows()
        text = proposed[0].text
        labels = [right(case.scored.match, text, marks, case.candidates) for case in cases]
        found.append(
            [
                Example(some, each)
                for case, some, each in zip(cases, np.split(rows, starts)[1:], labels, strict=True)
                if not kept_apart(case.scored.match, case.candidates, each)
            ]
        )
    memory.save()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path, default=Path("models/base"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/judge"))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    args.cache.mkdir(parents=True, exist_ok=True)
    paths = [None, *(WRITTEN / f"{name}.gold" for name in JUDGED)]
    found: list[list[Example]] = []  # text by text
    # One thread a process: the language model reads short pieces, which two threads hardly read faster.
    with ProcessPoolExecutor(
        max_workers=args.processes, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for again in (False, True):
            tasks = [pool.submit(texts, args.model, p, args.corpora, args.cache, again) for p in paths]
            read: list[list[Example]] = []
            for path, task in zip(paths, tasks, strict=True):
                read += (some := task.result())
                cases = [case for text in some for case in text]
                name, repairs = path.stem if path else "clean", sum(not case.right[0] for case in cases)
                print(f"{name}: {len(some)} texts, {len(cases):,} cases, {repairs:,} to repair", flush=True)
            found = [old + new for old, new in zip(found, read, strict=True)] if found else read
            mixed = random.Random(0).sample(found, len(found))
            held = sum(map(len, mixed[: len(mixed) // 10]))
            examples = [case for text in mixed for case in text]
            weights = train(examples, held, HIDDEN_UNITS, args.epochs, 512)
            save_file(weights, args.model / "judge.safetensors")
    write(args.model)


if __name__ == "__main__":
    main()
