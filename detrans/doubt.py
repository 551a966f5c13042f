"""The second gate: is a document worth the network's time? What the lexical scorer makes of it tells.

Clean text that the first gate lets through has some phrases that spinners like, but few of them look
wrong where they stand, and nowhere many of them together. Reading a document takes the network a
thousand times as long as asking that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from detrans.normalise import Scored

WINDOW = 120  # words: damage in one paragraph of a long document should count as much as alone
# The longer a sound document is, the worse its worst stretch looks; how much, was fitted on documents of
# one to a thousand words. Without this, twice as many sound ones pass at the same loss.
LENGTH = 0.25
FEW = 10  # words more than a text has, lest a very short one count for nothing


def doubt(scored: Sequence[Scored], words: int) -> float:
    """How damaged a document of so many words looks: ln(1 + `damage`) less what its length explains."""
    return math.log1p(damage(scored)) - LENGTH * math.log(words + FEW)


def damage(scored: Sequence[Scored]) -> float:
    """How many different phrases are expected to be damaged, each counted where it looks worst, in the
    stretch of WINDOW words (punctuation counts) that has most of them."""
    worst: dict[str, tuple[float, int]] = {}
    for s in scored:
        phrase = s.match.candidates[0].spun
        worst[phrase] = max(worst.get(phrase, (0.0, 0)), (1 - s.keep, s.match.first))
    most = total = 0.0
    window: deque[tuple[int, float]] = deque()
    for at, p in sorted((at, p) for p, at in worst.values()):
        window.append((at, p))
        total += p
        while window[0][0] <= at - WINDOW:
            total -= window.popleft()[1]
        most = max(most, total)
    return most
