"""Train the lexical scorer (`models/lexical/scorer.safetensors`) on spun and on written text.

    python -m training.lexical --corpora DIR [--documents 2500]

The texts of `training/written` show what the spinner cannot: other programs' words, and the gaps of a
lexicon that has not seen them. While one file's texts are matched, the pairs that only it gave are left out.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from detrans.document import Document
from detrans.evidence import gather
from detrans.features import Features, Phrasebook, Rows
from detrans.lexicon import Lexicon, subset
from detrans.lexicon.compiled import shipped_forms
from detrans.ngrams import NgramModel
from detrans.spin import Spinner
from training.corpora import DEFAULT
from training.examples import HIDDEN, IGNORE, stream, target
from training.manifest import write
from training.network import Example, train
from training.texts import WRITTEN, kept_apart, right, seen, without_own

LEXICAL = Path("models/lexical")
HIDDEN_UNITS = 32
EPOCHS = 6
KEPT = 0.5  # of the phrases that stay, how many are shown; each of them counts for the others


def cases(document: Document, book: Phrasebook) -> Iterator[tuple[int, Rows]]:
    """The number of each match, and its rows."""
    table, first = Features(document, gather(document).level, book).rows()
    yield from enumerate(np.split(table, first)[1:])


def spun(corpora: Path, ngrams: NgramModel, count: int, rng: random.Random) -> Iterator[Example]:
    """Text damaged on the fly, without the pairs that `synthetic` keeps from training."""
    lexicon = Lexicon(subset(shipped_forms(), lambda form: not form.held_out))
    book = Phrasebook(ngrams)
    for damaged in islice(stream(corpora, rng, Spinner(lexicon)), count):
        document = Document(damaged.text, lexicon)
        starts = [s.start for s in damaged.spans]
        for number, rows in cases(document, book):
            choice = target(document.matches[number], damaged, starts, len(rows) - 1)
            if choice == IGNORE:
                continue
            if choice > 0 and rng.random() < HIDDEN:
                rows, choice = np.delete(rows, choice, 0), 0
            yield Example(rows, [i == choice for i in range(len(rows))])


def written(path: Path, ngrams: NgramModel) -> Iterator[Example]:
    """The texts of a gold file that are not in the manner of the unseen family."""
    lexicon = without_own(path)._lexicon
    book = Phrasebook(ngrams)
    for text, marks in seen(path):
        document = Document(text, lexicon)
        for number, rows in cases(document, book):
            match = document.matches[number]
            some = tuple(range(len(rows) - 1))
            labels = right(match, text, marks, some)
            if not kept_apart(match, some, labels):
                yield Example(rows, labels)


def thinned(examples: Iterator[Example], rng: random.Random) -> Iterator[Example]:
    """Most phrases stay; a share of them says as much, each counting for several."""
    for example in examples:
        if not example.right[0]:
            yield example
        elif rng.random() < KEPT:
            yield example._replace(weight=example.weight / KEPT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--documents", type=int, default=2500)
    args = parser.parse_args()

    rng = random.Random(3)
    ngrams = NgramModel.load(LEXICAL / "ngrams.safetensors")
    examples = list(thinned(spun(args.corpora, ngrams, args.documents, rng), rng))
    held = len(examples) // 20
    for path in sorted(WRITTEN.glob("*.gold")):
        examples += thinned(written(path, ngrams), rng)
    print(f"{len(examples):,} examples", flush=True)
    save_file(train(examples, held, HIDDEN_UNITS, EPOCHS, 1024), LEXICAL / "scorer.safetensors")
    write(LEXICAL)


if __name__ == "__main__":
    main()
