"""The way of a document through the modules: match, gather evidence, score, edit, until nothing changes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from detrans.assets import model_directory, read_config, verify
from detrans.config import Config
from detrans.document import Document
from detrans.doubt import doubt
from detrans.edits import Edit, apply, compose
from detrans.errors import ConfigError
from detrans.evidence import Evidence, gather
from detrans.fluency import fluency
from detrans.lexicon import Lexicon, read_user_pairs, subset
from detrans.lexicon.compiled import CompiledLexicon
from detrans.lookalikes import Disguise
from detrans.names import name_edits
from detrans.ngrams import NgramModel
from detrans.normalise import Scored, choose, disguise_edits
from detrans.scorers import LexicalScorer
from detrans.segment import sentence_spans

if TYPE_CHECKING:
    from detrans.chooser import Chooser
    from detrans.judge import Judge, Proposed

T = TypeVar("T")
# A document, its prior, and its matches with their probabilities; None where a gate stops it.
Judged = tuple[Document, float, list[Scored] | None]
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
        compiled = CompiledLexicon(model_directory("lexical") / "lexicon.safetensors")
        if not self.config.without and not self._user:
            return compiled
        forms = compiled.forms
        if self.config.without:
            tables = {f.table for f in forms}
            if unknown := set(self.config.without) - tables:
                known = ", ".join(sorted(tables))
                raise ConfigError(
                    f"without: no table {', '.join(sorted(unknown))} in the lexicon; there are {known}"
                )
            forms = subset(forms, lambda form: form.table not in self.config.without)
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
    def _ngrams(self) -> NgramModel:
        return NgramModel.load(model_directory("lexical") / "ngrams.safetensors")

    @cached_property
    def _counting(self) -> LexicalScorer:
        return LexicalScorer(model_directory("lexical"), self._ngrams)

    @cached_property
    def _second(self) -> Judge | Chooser | None:
        # Built when the first suspicious document comes: clean text never waits for the network.
        if self.config.model == "none":
            return None
        directory, settings = model_directory(self.config.model), self._settings
        if "encoder" in settings:
            from detrans.chooser import Chooser

            return Chooser(directory, settings, self.config.device)
        from detrans.judge import Judge
        from detrans.lm import LanguageModel

        return Judge(directory, settings, LanguageModel(directory, settings, self.config.device))

    def _score(self, proposed: Sequence[Proposed]) -> list[list[Scored]]:
        """What the model makes of the lexical scorer's proposals; without one they stand."""
        second = self._second
        return second.score(proposed) if second else [scored for *_, scored in proposed]

    @cached_property
    def signature(self) -> str:
        """Names what made a result: code version, model, lexicon and the options that matter."""
        from detrans import __version__

        model = Path(self.config.model).name
        parts = [f"detrans:{__version__}", f"model:{model}-{self._settings['version']}"]
        parts += [f"lexicon:{self._lexicon.hash}", f"threshold:{self._threshold:g}"]
        if self._keep:
            parts.append(f"keep:{len(self._keep)}")
        parts += [f"{name}:no" for name in ("lookalikes", "names") if not getattr(self.config, name)]
        return "|".join(parts)

    @property
    def _threshold(self) -> float:
        own: float = self._settings["threshold"]
        return own if self.config.threshold is None else self.config.threshold

    def _prior(self, document: Document, evidence: Evidence) -> float:
        """Probability that the document is damaged, as the cheap stage sees it."""
        return fitted(self._lexical["calibration"]["prior"], self._prior_features(document, evidence))

    def _prior_features(self, document: Document, evidence: Evidence) -> tuple[float, ...]:
        return (*evidence.features, *fluency(document, self._ngrams))

    def _weigh(self, text: str) -> tuple[Document, Evidence, float]:
        """The cheap stage: a document, its evidence, its score."""
        document = Document(text, self._lexicon, self._keep)
        evidence = gather(document)
        score = self._prior(document, evidence)
        # Only what looks suspicious is worth a look at its language.
        if score >= self._lexical["gate"] and (english := document.english()) is not document:
            document, evidence = english, gather(english)
            score = self._prior(document, evidence)
        return document, evidence, score

    def _propose(self, document: Document, evidence: Evidence) -> Proposed | None:
        """What the lexical scorer makes of a document that passed the first gate; None where that is
        not worth the network's time."""
        scored = self._counting.score(document, evidence.level)
        if self.config.model != "none" and doubt(scored, document.word_count) < self._lexical["second_gate"]:
            return None
        return document, evidence.level, scored

    def _judge(self, texts: Sequence[str]) -> list[Judged]:
        """Each text as judged."""
        weighed = [self._weigh(text) for text in texts]
        proposed = {
            i: proposal
            for i, (document, evidence, score) in enumerate(weighed)
            if score >= self._lexical["gate"] and (proposal := self._propose(document, evidence))
        }
        scored = dict(zip(proposed, self._score(list(proposed.values())), strict=True)) if proposed else {}
        return [(document, score, scored.get(i)) for i, (document, _, score) in enumerate(weighed)]

    def repair(self, text: str) -> Repair:
        """Repair `text` and say how. `apply(text, repair.edits) == repair.text`."""
        return self.repair_batch([text])[0]

    def repair_batch(self, texts: Sequence[str]) -> list[Repair]:
        """Each text repaired as `repair` repairs it alone, in order; equal texts only once.

        All texts are held in memory together: give a corpus in pieces of some megabytes.
        """
        check(texts)
        unique = list(dict.fromkeys(texts))
        repairs = dict(zip(unique, self._repair(unique, self._judge(unique)), strict=True))
        return [repairs[text] for text in texts]

    def _repair(self, texts: Sequence[str], judged: list[Judged]) -> list[Repair]:
        """The repairs of different texts, as judged so far."""
        first = [self._document(*each) for each in judged]
        edits: list[list[Edit]] = [[] for _ in texts]
        current = list(texts)
        active = list(range(len(texts)))
        # Round after round until nothing changes, so that cleaning twice equals cleaning once.
        for _ in range(ROUNDS):
            changed = []
            for i, (document, _, scored) in zip(active, judged, strict=True):
                # Words first: what a disguise hides is matched in the next round.
                new = disguise_edits(document) if self.config.lookalikes else []
                new = new or (name_edits(document) if self.config.names else [])
                new = new or choose(document, scored or [], self._threshold)
                if new:
                    edits[i] = compose(texts[i], edits[i], new)
                    current[i] = apply(texts[i], edits[i])
                    changed.append(i)
            active = changed
            if not active:
                break
            judged = self._judge([current[i] for i in active])
        made = zip(current, edits, first, strict=True)
        return [Repair(text, tuple(some), score, self.signature) for text, some, score in made]

    def clean(self, text: str) -> str:
        """`text` repaired."""
        return self.repair(text).text

    def clean_batch(self, texts: Iterable[str]) -> list[str]:
        """Each text repaired as `clean` repairs it alone, in order."""
        return [repair.text for repair in self.repair_batch(list(texts))]

    def scores(self, texts: Sequence[str]) -> list[float]:
        """The documents' probabilities of damage from the cheap stage alone; where that finds some, `detect`
        knows more."""
        check(texts)
        return [round(self._weigh(text)[2], 4) for text in texts]

    def detect(self, text: str) -> Detection:
        """Score `text` and its sentences for damage, and mark the suspicious spans."""
        return self.detect_batch([text])[0]

    def detect_batch(self, texts: Sequence[str]) -> list[Detection]:
        """Each text scored as `detect` scores it alone, in order."""
        check(texts)
        return [self._detection(*each) for each in zip(texts, self._judge(texts), strict=True)]

    def examine(self, text: str) -> tuple[Detection, Repair]:
        """What `detect` and `repair` say of `text`, in hardly more time than one of them takes."""
        check([text])
        judged = self._judge([text])
        return self._detection(text, judged[0]), self._repair([text], judged)[0]

    def _detection(self, text: str, judged: Judged) -> Detection:
        document, prior, scored = judged
        sentences = sentence_spans(text)
        matches = by_sentence(scored or [], sentences, lambda s: (s.match.start, s.match.end))
        disguised = by_sentence(document.disguised, sentences, lambda d: (d.start, d.end))
        found = tuple(
            self._sentence(document.text, bounds, some, words, prior)
            for bounds, some, words in zip(sentences, matches, disguised, strict=True)
        )
        return Detection(self._document(document, prior, scored), found, self.signature)

    def _document(self, document: Document, prior: float, scored: list[Scored] | None) -> float:
        """A document's probability of damage: its prior, until a stage after the first gate knew more."""
        gate = self._lexical["gate"]
        if prior >= gate:
            features = document_features(scored or [], document.word_count, prior)
            spun = fitted(self._settings["calibration"]["document"], features)
            # No later stage knows what a translation leaves.
            translated = fitted(self._lexical["calibration"]["translated"], features[1:])
            later = 1 - (1 - spun) * (1 - translated)
            # What passed the gate stays above what did not: damage by rule, which no later stage knows, is
            # more frequent there. Look-alike letters speak for themselves.
            later = gate + (1 - gate) * later
            prior = max(prior, later) if document.disguised else later
        return round(prior, 4)

    def _sentence(
        self,
        text: str,
        bounds: tuple[int, int],
        scored: list[Scored],
        disguised: list[Disguise],
        prior: float,
    ) -> Sentence:
        start, end = bounds
        spans: list[Span] = []
        occupied: set[int] = set()
        for s in sorted(scored, key=lambda s: (s.keep, s.match.start - s.match.end)):
            m = s.match
            words = range(m.first, m.last)
            if s.keep < 0.5 and occupied.isdisjoint(words):
                occupied.update(words)
                best = m.candidates[s.best]
                note = f"likely “{best.original}” before; weight of evidence {m.evidence:+.1f}"
                spans.append(Span(m.start, m.end, text[m.start : m.end], round(1 - s.keep, 4), note))
        spans.sort(key=lambda x: x.start)
        spans = sorted(add_disguised(text, spans, disguised), key=lambda x: x.start)
        suspicious = prior >= self._lexical["gate"] or disguised
        features = sentence_features(scored, prior, len(disguised))
        score = fitted(self._settings["calibration"]["sentence"], features) if suspicious else 0.0
        return Sentence(start, end, text[start:end], round(score, 4), tuple(spans))


@cache
def shared(config: Config) -> Detrans:
    """The instance for these options, made once per process."""
    return Detrans(config)


def check(texts: Iterable[object]) -> None:
    """TypeError for anything that is no string."""
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"text must be str, not {type(text).__name__}; decode bytes first")


def logistic(x: float) -> float:
    """1 / (1 + e^-x) without overflow."""
    return 0.5 * (1 + math.tanh(x / 2))


def fitted(calibration: Sequence[float], features: Iterable[float]) -> float:
    """A logistic function of features: bias, then a weight for each."""
    bias, *weights = calibration
    return logistic(bias + sum(w * f for w, f in zip(weights, features, strict=True)))


def sentence_features(scored: list[Scored], prior: float, disguised: int = 0) -> tuple[float, float, float]:
    """What the calibrated sentence score is a logistic function of."""
    masses = [1 - s.keep for s in scored] + disguised * [1.0]
    return max(masses, default=0.0), math.log1p(sum(masses)), logit(prior) / 4


def document_features(scored: list[Scored], words: int, prior: float) -> tuple[float, float]:
    """What the probability that a document is spun is a logistic function of; that it is translated
    follows from the second alone."""
    return doubt(scored, words), logit(prior) / 4


def logit(p: float) -> float:
    """ln of the odds, within 1:10,000 either way."""
    return math.log(max(p, 1e-4) / max(1 - p, 1e-4))


def by_sentence(
    items: Iterable[T], sentences: list[tuple[int, int]], bounds: Callable[[T], tuple[int, int]]
) -> list[list[T]]:
    """For each sentence the items that lie wholly in it, by start."""
    result: list[list[T]] = [[] for _ in sentences]
    at = 0
    for item in sorted(items, key=bounds):
        start, end = bounds(item)
        while sentences[at][1] <= start < sentences[-1][1]:
            at += 1
        if end <= sentences[at][1]:
            result[at].append(item)
    return result


def add_disguised(text: str, spans: list[Span], disguised: list[Disguise]) -> list[Span]:
    """`spans` (by start) and the disguised words; where both are at one place, one span says both."""
    result = list(spans)
    ends = [x.end for x in spans]
    for d in disguised:
        note = f"look-alike letters: {d.describe(text)}"
        at = bisect_right(ends, d.start)
        if at < len(spans) and spans[at].start < d.end:
            here = result[at]
            result[at] = replace(here, score=max(here.score, 0.99), evidence=f"{here.evidence}; {note}")
        else:
            result.append(Span(d.start, d.end, text[d.start : d.end], 0.99, note))
    return result
