"""The second gate: is a document worth the network's time? What the lexical scorer makes of it tells.

Clean text that the first gate lets through has some phrases that spinners like, but few of them look
wrong where they stand. Reading a document takes the network ten times as long as asking that.
"""

from __future__ import annotations

import math

from detrans.scorers import Judgement


def doubts(judgement: Judgement, words: int) -> tuple[float, float]:
    """What the calibrated probability of damage is a logistic function of.

    That is how many different phrases are expected to be damaged, in all and per hundred words.
    """
    worst: dict[str, float] = {}
    for s in judgement.scored:
        phrase = s.match.candidates[0].spun
        worst[phrase] = max(worst.get(phrase, 0.0), 1 - s.keep)
    total = math.fsum(worst.values())
    return math.log1p(total), math.log1p(100 * total / max(words, 20))
