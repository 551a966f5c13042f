"""The gold texts of `training/written` as training reads them: what is right at each match, and the
lexicon without the pairs that the texts themselves gave."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open

from benchmarks.gold import located, plain, tokens
from benchmarks.testsets import DATA, passages
from detrans import Detrans
from detrans.context import Repaired
from detrans.document import Document, Match
from detrans.edits import Edit
from detrans.evidence import gather
from detrans.judge import Case, Proposed
from detrans.lexicon import Lexicon
from detrans.lm import Place
from detrans.scorers import LexicalScorer
from detrans.spin import UNSEEN_FAMILY

WRITTEN = Path(__file__).parent / "written"
# What thresholds are set on, and training never learns from.
DEVELOPMENT = (DATA / "wild_dev.gold", DATA / "written_dev.gold")
# The shares of all forms, in order, without each file of `WRITTEN`; `training.lexicon` writes them.
OWN_SHARES = Path(".cache/lexicon/own_shares.safetensors")
# Files whose texts train the judge. The others train its language model (`training.tune`), so that the
# judge meets likelihoods of text unknown to both.
JUDGED = (
    *("academia", "business2", "crime", "culture2", "family", "gadgets", "heritage", "law", "opinion"),
    *("sport", "vocabulary5", "wellness"),
    *("web_health", "web_home", "web_leisure", "web_money", "web_news", "web_science", "web_tech"),
)
MOST_REPAIRED = 0.8  # of a text's damage, while the rest is asked for
Marks = list[tuple[int, int, bool, list[str]]]


def styles(path: Path) -> list[str]:
    """The manner of each text of a gold file: what its comment says after the semicolon."""
    comments = [line for line in path.read_text(encoding="utf-8").split("\n") if line.startswith("# ")]
    return [line.rpartition(";")[2].strip() for line in comments[-len(passages(path)) :]]


def table(path: Path) -> str:
    """The lexicon table that a file of `WRITTEN` gave."""
    return f"written_{path.stem}"


def without_own(path: Path) -> Detrans:
    """detrans without a model, and with a lexicon that knows nothing from this file of `WRITTEN`: without
    the pairs that only this file gave, and with shares worked out without it."""
    detrans = Detrans(model="none")
    if path.parent == WRITTEN:
        try:
            with safe_open(OWN_SHARES, framework="numpy") as file:
                if file.metadata()["lexicon"] != detrans._lexicon.hash:
                    raise FileNotFoundError
                shares = file.get_tensor(table(path)).tolist()
        except FileNotFoundError:
            message = f"{OWN_SHARES} is not there or of another lexicon: run python -m training.lexicon first"
            raise SystemExit(message) from None
        own = [
            replace(f, share=share)
            for f, share in zip(detrans._lexicon.forms, shares, strict=True)
            if share > 0
        ]
        detrans._lexicon = Lexicon(own)
    return detrans


def seen(path: Path) -> Iterator[tuple[str, Marks]]:
    """The damaged texts of a gold file and their marks; of `WRITTEN` without those in the manner of the
    family that `synthetic` keeps from training."""
    for gold, style in zip(passages(path), styles(path), strict=True):
        if path.parent != WRITTEN or not style.startswith(UNSEEN_FAMILY):
            yield plain(gold), located(gold)


def partly_repaired(text: str, marks: Marks, rng: random.Random) -> tuple[str, Marks]:
    """A text with some of its damage repaired, as a second round meets it, and the marks that are left."""
    made = drawn(len(marks), rng)
    edits = [
        Edit(start, end, accepted[0], "gold", 1.0, "")
        for (start, end, _, accepted), now in zip(marks, made, strict=True)
        if now
    ]
    context, left = Repaired(text, edits), []
    for (start, end, required, accepted), now in zip(marks, made, strict=True):
        if not now:
            place = context.place(Place(start, end, ()))
            left.append((place.start, place.end, required, accepted))
    return context.text, left


def drawn(count: int, rng: random.Random) -> list[bool]:
    """Which of so many damaged stretches are repaired, while the others are asked for."""
    share = rng.uniform(0, MOST_REPAIRED)
    return [rng.random() < share for _ in range(count)]


def kept_apart(match: Match, candidates: Sequence[int], labels: Sequence[bool]) -> bool:
    """Whether a right candidate, by the labels of `right`, is of a pair that `synthetic` keeps from
    training."""
    return any(ok and match.candidates[i].held_out for i, ok in zip(candidates, labels[1:], strict=True))


def right(match: Match, text: str, marks: Marks, candidates: tuple[int, ...]) -> list[bool]:
    """Whether *keep* and whether each candidate is right where `match` stands.

    Where a mark may stay, both are. A match that cannot mend the damage it covers must not touch it.
    """
    over = [m for m in marks if m[0] < match.end and m[1] > match.start]
    allowed = [False] * len(candidates)
    originals = [tokens(match.candidates[i].original) for i in candidates]
    if over and all(match.start <= a and b <= match.end for a, b, _, _ in over):
        accepted = {restored(match, text, over, n) for n in range(max(len(m[3]) for m in over))}
        allowed = [original in accepted for original in originals]
    elif len(over) == 1 and over[0][0] <= match.start and match.end <= over[0][1]:
        start, end, _, accepted_texts = over[0]
        before, after = (len(tokens(t)) for t in (text[start : match.start], text[match.end : end]))
        allowed = [
            any(part(tokens(t), before, after) == original for t in accepted_texts) for original in originals
        ]
    required = any(m[2] for m in over)
    return [not (required and any(allowed)), *allowed]


def labelled_by_marks(cases: Iterable[Case], text: str, marks: Marks) -> Iterator[tuple[Case, list[bool]]]:
    """The cases of a written text that training may see, with what is right at each."""
    for case in cases:
        labels = right(case.scored.match, text, marks, case.candidates)
        if not kept_apart(case.scored.match, case.candidates, labels):
            yield case, labels


def part(accepted: tuple[str, ...], before: int, after: int) -> tuple[str, ...]:
    """The tokens of a mark's repair that stand for a match inside it, with so many tokens around."""
    return accepted[before : len(accepted) - after]


def restored(match: Match, text: str, inside: Marks, number: int) -> tuple[str, ...]:
    """Tokens of the match with each mark in it repaired by its alternative `number`, or its last."""
    pieces, at = [], match.start
    for start, end, _, accepted in inside:
        pieces += [text[at:start], accepted[min(number, len(accepted) - 1)]]
        at = end
    return tokens("".join((*pieces, text[at : match.end])))


def propose(scorer: LexicalScorer, lexicon: Lexicon, text: str) -> Proposed:
    """The lexical scorer's view of a text, whatever the gates say."""
    document = Document(text, lexicon)
    level = gather(document).level
    return document, level, scorer.score(document, level)
