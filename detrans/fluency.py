"""How well a text runs: do its words follow one another as the words of sound English do?

Damage shows here even where the lexicon does not know it, as after a translation out and back ("at
Saturday", "the all house"). Rare words tell more of a text's subject than of damage, so most of what is
measured looks at the commonest words, which every subject uses alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detrans.document import Document
from detrans.ngrams import BACKOFF, BOUNDARY_HASH, UNKNOWN, NgramModel

COMMON, COMMONEST = -8.0, -7.0  # ln of the share of clean text: some 230 words, some 80
LONGEST = 1_000_000  # characters that are looked at: the memory for more would buy nothing
FEW = 30  # words as usual, counted beside those of a text lest a short one tell too much
# What is usual, and the bounds beyond which a text is no prose at all rather than bad prose: of each number
# below in turn.
USUAL = (1.2, 0.02, -7.7, 0.8, 0.3)
LEAST, MOST = (0.2, 0.0, -8.6, 0.65, 0.1), (2.2, 0.1, -7.2, 0.9, 0.6)
SCALE = (2.0, 40.0, 3.0, 20.0, 10.0)  # so that all of them vary by about one


def fluency(document: Document, ngrams: NgramModel) -> tuple[float, ...]:
    """Five numbers of magnitude about one.

    By how much a commonest word is likelier after its two predecessors than anywhere (mean pointwise mutual
    information); of pairs of common words, how many are not among the n-grams; mean ln of the words'
    shares of clean text; of all pairs, how many are among the n-grams; of triples of the commonest, how
    many are not.
    """
    known = ngrams.words(document.head(LONGEST).words)
    hashes = np.ascontiguousarray(known["hash"])
    real = np.flatnonzero(hashes != BOUNDARY_HASH)
    words, before = hashes[real], hashes[real - 1]
    alone, pair = known["share"][real], ngrams.known(before, words)
    alone[np.isnan(alone)] = UNKNOWN
    paired = ~np.isnan(pair)
    inner = before != BOUNDARY_HASH
    common, commonest = ((alone > least) & inner for least in (COMMON, COMMONEST))
    some = np.flatnonzero(commonest)
    triple = ngrams.known(hashes[real[some] - 2], before[some], words[some])
    tripled = ~np.isnan(triple)
    told = np.where(tripled, triple, BACKOFF + np.where(paired[some], pair[some], BACKOFF + alone[some]))
    columns = (
        told - alone[some],
        ~paired[common & _after(alone > COMMON)],
        alone,
        paired,
        ~tripled[(commonest & _after(commonest & _after(alone > COMMONEST)))[some]],
    )
    means = ((float(c.sum()) + FEW * usual) / (len(c) + FEW) for c, usual in zip(columns, USUAL, strict=True))
    return tuple(
        (min(max(mean, least), most) - usual) * scale
        for mean, usual, least, most, scale in zip(means, USUAL, LEAST, MOST, SCALE, strict=True)
    )


def _after(which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of each word, whether its predecessor is one of these."""
    return np.concatenate(([False], which))[:-1]
