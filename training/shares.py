"""Learn the lexicon's shares: of the originals of a spun phrase, how likely each is to have stood there.

What is known of a pair is where it comes from (tables, weights, families), how common both phrases
are, how many other pairs each has, and how many phrases tie the two together: what is a synonym of
both. The texts of `training/written` tell how much each of these says. A small network weighs them.

To whoever learns from a written text, a share must not tell what that very text says. So the network is
trained on what is known without it, and for every text file shares are kept that are worked out so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from os.path import commonprefix
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from detrans.lexicon import Entry
from detrans.scorers import Network
from training.examples import plainly
from training.network import Example, train
from training.texts import seen, table

HIDDEN_UNITS = 32
EPOCHS = 10
KINDS = (("crude",), ("sci",), ("mt",), ("mentioned", "stated"), ("thesaurus",))
SINGLE = ("observed", "wordnet")  # tables that say something of their own
MOST = 6  # written tables that count: of a commonplace many more would say the same
Pair = tuple[str, str]  # spun, original
Array = npt.NDArray[Any]


class Pairs:
    """All inflected pairs, the base pairs (entries) that each comes from, and the clean rates of phrases."""

    def __init__(self, sources: Mapping[Pair, Sequence[Entry]], rate: Mapping[str, float]) -> None:
        self.pairs = list(sources)
        known: dict[str, int] = {}
        for spun, original in self.pairs:
            known.setdefault(spun, len(known))
            known.setdefault(original.lower(), len(known))
        self.phrases = list(known)
        self.spun = np.array([known[spun] for spun, _ in self.pairs])
        self.original = np.array([known[original.lower()] for _, original in self.pairs])
        self._rate = np.log10([rate.get(phrase, 0.0) + 0.01 for phrase in self.phrases])
        # Of each pair: words of the spun phrase and of the original beyond one, common beginning (letters).
        shapes = [
            (s.count(" "), o.count(" "), len(commonprefix((s, o))) / max(len(s), len(o)))  # noqa: RUF071
            for s, o in self.pairs
        ]
        self._shape = np.array(shapes)
        entries = [(i, e) for i, pair in enumerate(self.pairs) for e in sources[pair]]
        self._pair = np.array([i for i, _ in entries])
        self._table, self._family = (
            np.array(x) for x in zip(*((e.table, e.family) for _, e in entries), strict=True)
        )
        self._weight = np.array([e.weight for _, e in entries])

    def rows(self, without: str | None = None) -> tuple[Array, Array]:
        """The numbers of the pairs that other tables have, and what is known of each from these (N, F)."""
        some = self._table != without
        pair, table, family, count = self._pair[some], self._table[some], self._family[some], len(self.pairs)

        def times(which: Array) -> Array:
            return np.bincount(pair[which], minlength=count)[present]

        present = np.flatnonzero(np.bincount(pair, minlength=count))
        spun, original = self.spun[present], self.original[present]
        size = (len(self.phrases), len(self.phrases))
        made = sparse.csr_matrix((np.ones(len(present), np.float32), (spun, original)), size)
        made.data[:] = 1.0
        tied = (made + made.T).sign()
        degree, into, outof = (np.asarray(x).ravel() for x in (tied.sum(1), made.sum(0), made.sum(1)))
        between = np.asarray((tied @ tied).multiply(made).tocsr()[spun, original]).ravel()
        written = np.char.startswith(table, "written_")
        most = np.zeros(count)
        np.maximum.at(most, pair, self._weight[some])
        columns = [
            np.log1p(between) / 2,
            4 * between / np.sqrt(degree[spun] * degree[original]),
            np.asarray(made[original, spun]).ravel(),
            *(np.log1p(x) / 4 for x in (outof[spun], into[original], into[spun], outof[original])),
            self._rate[spun] / 2,
            self._rate[original] / 2,
            times(~written) / 2,
            np.minimum(times(written), MOST) / 2,
            most[present] / 2,
            *(times(np.isin(family, kind)) > 0 for kind in KINDS),
            *(times(table == name) > 0 for name in SINGLE),
            *self._shape[present].T,
        ]
        return present, np.stack(columns, 1).astype(np.float32)

    @cached_property
    def numbers(self) -> Mapping[str, list[int]]:
        """The numbers of each spun phrase's pairs."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for i, (spun, _) in enumerate(self.pairs):
            found[spun].append(i)
        return found


def learn(pairs: Pairs, held_out: Collection[Pair], paths: Sequence[Path]) -> Network:
    """A network that tells the original of a spun phrase, from the marks of gold files; of each is known
    what the other files say. held_out: pairs that it must not learn from."""
    examples = []
    for path in paths:
        present, known = pairs.rows(table(path))
        at = np.full(len(pairs.pairs), -1)
        at[present] = np.arange(len(present))
        for text, marks in seen(path):
            for start, end, _, accepted in marks:
                numbers = [i for i in pairs.numbers.get(plainly(text[start:end]), ()) if at[i] >= 0]
                wanted = {plainly(phrase) for phrase in accepted}
                right = [pairs.pairs[i][1].lower() in wanted for i in numbers]
                kept = [pairs.pairs[i] in held_out for i, ok in zip(numbers, right, strict=True) if ok]
                if kept and not any(kept):
                    examples.append(Example(known[at[numbers]], right))
    rng = np.random.default_rng(0)
    mixed = [examples[i] for i in rng.permutation(len(examples))]
    return Network(train(mixed, len(mixed) // 20, HIDDEN_UNITS, EPOCHS, 256))


def shares(pairs: Pairs, network: Network, without: str | None = None) -> Array:
    """The share of each pair (N,), those of a phrase adding up to 1; 0 where only `without` has the pair."""
    present, known = pairs.rows(without)
    order = np.argsort(pairs.spun[present], kind="stable")
    spun = pairs.spun[present][order]
    starts = np.flatnonzero(np.diff(spun, prepend=-1))
    result = np.zeros(len(pairs.pairs))
    result[present[order]] = network.cases(known[order], starts)
    return result
