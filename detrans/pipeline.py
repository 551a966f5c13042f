"""The way of a document through the modules: match, gather evidence, score, edit, until nothing changes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from detrans.assets import model_directory, read_config, verify
from detrans.config import Config
from detrans.document import Document
from detrans.edits import Edit, apply, compose
from detrans.evidence import Evidence, gather
from detrans.lexicon import Lexicon, read_forms, read_user_pairs
from detrans.ngrams import NgramModel
from detrans.normalise import choose
from detrans.scorers import Judgement, NgramScorer, Scorer
from detrans.segment import sentence_spans

ROUNDS = 8  # repairs of repairs; two are usual, the last finds nothing


@dataclass(frozen=True, slots=True)
class Span:
    """A suspicious stretch [start, end) of the input.

    score: probability (0 to 1) that it is damage. evidence: what speaks against it.
    """

    start: int
    end: int
    text: str
    score: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence [start, end) of the input, its probability of damage and its suspicious spans."""

    start: int
    end: int
    text: str
    score: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """What the detector found: the document's probability of damage and its sentences."""

    score: float
    sentences: tuple[Sentence, ...]
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Repair:
    """The repaired text and the edits of the input that lead to it."""

    text: str
    edits: tuple[Edit, ...]
    score: float
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Detrans:
    """Load once, use often.

    >>> detrans = Detrans(model="none")
    >>> detrans.clean("The committee met on Tuesday.")
    'The committee met on Tuesday.'
    """

    def __init__(self, config: Config | None = None, **options: Any) -> None:
        self.config = (config or Config()).with_options(**options)
        self._keep = self.config.kept_phrases()
        # Read at once: a malformed file should fail where it is named.
        self._user = read_user_pairs(Path(self.config.lexicon)) if self.config.lexicon else []

    @cached_property
    def _lexical(self) -> dict[str, Any]:
        directory = model_directory("lexical")
        verify(directory)
        return read_config(directory)

    @cached_property
    def _lexicon(self) -> Lexicon:
        self._lexical  # noqa: B018  verifies the files first
        forms = read_forms(model_directory("lexical") / "lexicon.tsv")
        own = {f.spun for f in self._user}
        return Lexicon([*(f for f in forms if f.spun not in own), *self._user])

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """The model's own settings; without a model those of the lexical stage."""
        if self.config.model == "none":
            return self._lexical
        directory = model_directory(self.config.model)
        verify(directory)
        return read_config(directory)

    @cached_property
    def _scorer(self) -> Scorer:
        # Built when the first suspicious document comes: clean text never waits for the network.
        settings = self._settings
        ngrams = NgramModel.load(model_directory("lexical") / "ngrams.safetensors")
        if self.config.model == "none":
            return NgramScorer(ngrams)
        from detrans.neural import NeuralScorer

        return NeuralScorer(model_directory(self.config.model), settings, ngrams, self.config.device)

    @cached_property
    def signature(self) -> str:
        """Names what made a result: code version, model, lexicon and the options that matter."""
        from detrans import __version__

        model = Path(self.config.model).name
        parts = [f"detrans:{__version__}", f"model:{model}-{self._settings['version']}"]
        parts += [f"lexicon:{self._lexicon.hash}", f"threshold:{self._threshold:g}"]
        if self._keep:
            parts.append(f"keep:{len(self._keep)}")
        return "|".join(parts)

    @property
    def _threshold(self) -> float:
        own: float = self._settings["threshold"]
        return own if self.config.threshold is None else self.config.threshold

    def _document(self, text: str) -> Document:
        if not isinstance(text, str):
            raise TypeError(f"text must be str, not {type(text).__name__}; decode bytes first")
        return Document(text, self._lexicon, self._keep)

    def _prior(self, evidence: Evidence) -> float:
        """Probability that the document is damaged, from lexical evidence alone."""
        bias, *weights = self._lexical["calibration"]["evidence"]
        return logistic(bias + dot(weights, evidence.features))

    def _judge(self, text: str) -> tuple[Document, float, Judgement | None]:
        """The document, its score, and the scorer's judgement if the score passes the gate."""
        document = self._document(text)
        evidence = gather(document)
        score = self._prior(evidence)
        if score < self._lexical["gate"]:
            return document, score, None
        return document, score, self._scorer.score(document, evidence.level)

    def repair(self, text: str) -> Repair:
        """Repair `text` and say how. `apply(text, repair.edits) == repair.text`."""
        edits: list[Edit] = []
        current, first = text, None
        # Round after round until nothing changes, so that cleaning twice equals cleaning once.
        for _ in range(ROUNDS):
            document, score, judgement = self._judge(current)
            first = score if first is None else first
            new = choose(document, judgement.scored if judgement else [], self._threshold)
            if not new:
                break
            edits = compose(text, edits, new)
            current = apply(text, edits)
        return Repair(current, tuple(edits), round(first or 0.0, 4), self.signature)

    def clean(self, text: str) -> str:
        """`text` repaired."""
        return self.repair(text).text

    def clean_batch(self, texts: Iterable[str]) -> list[str]:
        """Each text repaired as `clean` repairs it alone, in order."""
        return [self.clean(text) for text in texts]

    def detect(self, text: str) -> Detection:
        """Score `text` and its sentences for damage, and mark the suspicious spans."""
        document, prior, judgement = self._judge(text)
        judgement = judgement or Judgement([])
        sentences = tuple(
            self._sentence(document, bounds, judgement, prior) for bounds in sentence_spans(text)
        )
        return Detection(round(prior, 4), sentences, self.signature)

    def _sentence(
        self, document: Document, bounds: tuple[int, int], judgement: Judgement, prior: float
    ) -> Sentence:
        start, end = bounds
        inside = [s for s in judgement.scored if start <= s.match.start and s.match.end <= end]
        spans: list[Span] = []
        for s in sorted(inside, key=lambda s: (s.keep, s.match.start - s.match.end)):
            m = s.match
            if s.keep < 0.5 and all(m.end <= x.start or x.end <= m.start for x in spans):
                best = m.candidates[s.best]
                note = f"likely “{best.original}” before; weight of evidence {m.evidence:+.1f}"
                spans.append(Span(m.start, m.end, document.text[m.start : m.end], round(1 - s.keep, 4), note))
        known = [(x.start, x.end) for x in spans]
        spans += unknown_damage(document.text, judgement.damage, bounds, known)
        spans.sort(key=lambda x: x.start)
        bias, *weights = self._settings["calibration"]["sentence"]
        features = sentence_features(inside, judgement.damage, bounds, prior)
        score = logistic(bias + dot(weights, features)) if judgement.scored or judgement.damage else 0.0
        return Sentence(start, end, document.text[start:end], round(score, 4), tuple(spans))


def logistic(x: float) -> float:
    """1 / (1 + e^-x) without overflow."""
    return 0.5 * (1 + math.tanh(x / 2))


def dot(weights: list[float], features: Iterable[float]) -> float:
    """Sum of products; the two must be equally long."""
    return sum(w * f for w, f in zip(weights, features, strict=True))


def sentence_features(
    scored: list[Any], damage: list[tuple[int, int, float]], bounds: tuple[int, int], prior: float
) -> tuple[float, float, float, float]:
    """What the calibrated sentence score is a logistic function of."""
    start, end = bounds
    masses = [1 - s.keep for s in scored]
    tokens = [p for a, b, p in damage if start <= a and b <= end]
    return (
        max(masses, default=0.0),
        math.log1p(sum(masses)),
        max(tokens, default=0.0),
        math.log(max(prior, 1e-4) / max(1 - prior, 1e-4)) / 4,
    )


def unknown_damage(
    text: str, damage: list[tuple[int, int, float]], bounds: tuple[int, int], known: list[tuple[int, int]]
) -> list[Span]:
    """Runs of damaged word pieces that no lexicon span covers."""
    runs: list[tuple[int, int, float]] = []
    for a, b, p in damage:
        if p < 0.5 or a < bounds[0] or b > bounds[1] or any(a < y and x < b for x, y in known):
            continue
        if runs and a - runs[-1][1] <= 1:
            runs[-1] = (runs[-1][0], b, max(p, runs[-1][2]))
        else:
            runs.append((a, b, p))
    note = "the model finds this unlikely here; the lexicon has no repair"
    return [Span(a, b, text[a:b], round(p, 4), note) for a, b, p in runs]
