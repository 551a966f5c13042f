"""Fit the scores to probabilities and choose the threshold, on development text.

    python -m training.calibrate --corpora DIR [--model models/base]

Without --model the lexical stage is fitted (`models/lexical/config.json`: prior, the gates, sentence score,
that a document is spun and that it is translated, threshold of the lexical scorer; Debian's apertium,
apertium-eng-spa, apertium-eo-en and apertium-en-gl translate); with it, the model's scores and threshold.
The threshold is the lowest that keeps the aims on the development texts of `benchmarks/data`
(`wild_dev.gold`, `written_dev.gold`) and on clean text. The documents of news.dev used here are not
those of the test sets.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.gold import Counts, located, mended, plain, score
from benchmarks.testsets import passages
from detrans import Detrans
from detrans.document import Document
from detrans.doubt import doubt
from detrans.edits import apply
from detrans.evidence import Evidence, gather
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.normalise import WITNESSES, Scored, choose
from detrans.pipeline import document_features, fitted, sentence_features
from detrans.segment import sentence_spans
from detrans.spin import Span, Spinner, Spun
from training.corpora import DEFAULT, documents, paragraphs
from training.examples import restored
from training.manifest import write_config
from training.roundtrip import out_and_back
from training.texts import DEVELOPMENT, WRITTEN, without_own

LEXICAL = Path("models/lexical")
GATE_MISSES = 0.01  # of spun texts, the share that the gate may let through as clean
EVERY = 3  # of the written texts, how many to each that the gates are set on
SECOND_MISSES = 0.02  # of the spun texts that passed it, the share that the second one may
TRANSLATED = 20  # documents through each engine
PAIRS = ("eng-spa", "en-eo", "en-gl")
MANY = 5  # times as many texts for the gates; longer ones too for the second, as few clean ones get there
CLEAN = 2000  # of each kind of clean text, for the document score; few pass the first gate
MOST_HARM = 0.2  # edits per 1,000 words of clean text that passed the gate


@dataclass(slots=True)
class Sample:
    """A development text, spun or not."""

    spun: Spun
    damaged: bool


# With what the prior is a logistic function of, and what the second gate asks.
Weighed = tuple[Sample, tuple[float, ...], float]


def samples(
    corpora: Path,
    spinner: Spinner,
    count: int,
    read: Callable[[Path, str], Iterator[str]] = paragraphs,
) -> list[Sample]:
    """Whole documents and short pieces, half of them spun; other documents than the test sets use.

    read: what of the corpora beside the news makes a text, paragraphs or documents.
    """
    rng = random.Random(5)
    news = list(other_news(corpora, 6 * count))
    other = list(islice(read(corpora, "science.dev"), count))
    other += list(islice(read(corpora, "wikipedia.dev"), count))
    rng.shuffle(other)
    result = []
    for i, text in enumerate((news + other)[: 2 * count]):
        text = text[:6000]
        if rng.random() < 0.4:
            lines = text.split("\n")
            at = rng.randrange(len(lines))
            text = "\n".join(lines[at : at + rng.choice((1, 2, 4))])
        damaged = i % 2 == 0
        spun = spinner.spin(text, i) if damaged else Spun(text, (), "clean")
        result.append(Sample(spun, bool(spun.spans)))
    return result


def others() -> Iterator[tuple[Sample, Document, bool]]:
    """Texts of `training/written` and a piece of each, their own pairs left out: the work of programs that
    the lexicon does not know, which the gates must not stop either. And what they were before: text of
    the same kind without damage, so that the kind is not taken for damage. Last, whether it is a piece."""
    rng = random.Random(6)
    for path in sorted(WRITTEN.glob("*.gold")):
        lexicon = without_own(path)._lexicon
        for gold in passages(path)[::EVERY]:
            lines = gold.split("\n")
            at = rng.randrange(len(lines))
            some = "\n".join(lines[at : at + rng.choice((1, 1, 2, 3))])
            for part, piece in ((gold, False), (some, True)):
                text, marks = plain(part), located(part)
                spans = tuple(Span(a, b, texts[0]) for a, b, required, texts in marks if required)
                before = mended(part)
                yield Sample(Spun(text, spans, "written"), True), Document(text, lexicon), piece
                yield Sample(Spun(before, (), "written"), False), Document(before, lexicon), piece


def translated(corpora: Path, lexicon: Lexicon) -> Iterator[Document]:
    """News out and back through three engines, the damage that hardly a phrase of the lexicon tells of."""
    for number, pair in enumerate(PAIRS):
        for text in islice(other_news(corpora, 4 * TRANSLATED * len(PAIRS)), number, None, len(PAIRS)):
            pairs = out_and_back(text[:3000].split("\n"), pair)
            yield Document("\n".join(damaged for _, damaged in pairs), lexicon)


def other_news(corpora: Path, among: int) -> Iterator[str]:
    """Documents among so many of news.dev, other ones than those of the test sets."""
    return islice(documents(corpora, "news.dev"), 1, among, 4)


def sound(corpora: Path) -> Iterator[str]:
    """Clean documents and paragraphs."""
    yield from other_news(corpora, 4 * CLEAN)
    for name in ("science.dev", "wikipedia.dev"):
        yield from islice(paragraphs(corpora, name), CLEAN)


def fit(features: Sequence[Sequence[float]], labels: Sequence[bool]) -> list[float]:
    """Bias and weights of a logistic regression."""
    model = LogisticRegression(C=10.0).fit(np.array(features), np.array(labels))
    return [round(float(x), 4) for x in (*model.intercept_, *model.coef_[0])]


def telling(sample: Sample) -> bool:
    """A text with fewer damaged spans than twice the witnesses would hardly be repaired anyway."""
    return len(sample.spun.spans) >= 2 * WITNESSES


def gate(scores: list[float], chosen: list[Sample], misses: float) -> float:
    """The score that all but a share of the spun texts reach."""
    spun = sorted(p for p, s in zip(scores, chosen, strict=True) if telling(s))
    return round(spun[int(misses * len(spun))], 4)


def fit_cheap_stage(corpora: Path, detrans: Detrans, spinner: Spinner, count: int) -> None:
    """Fit the prior and set the gates, in the settings of `detrans`."""
    config, lexicon = detrans._lexical, detrans._lexicon
    short = samples(corpora, spinner, MANY * count)
    long = samples(corpora, spinner, MANY * count, documents)

    def weighed(sample: Sample, document: Document, piece: bool = False) -> Weighed:
        # Numbers at once: the lexicons of the written texts, one a file, are too large to be kept together.
        seen = gather(document)
        scored = [] if piece else detrans._counting.score(document, seen.level)
        return sample, detrans._prior_features(document, seen), doubt(scored, document.word_count)

    told, more = ([weighed(s, Document(s.spun.text, lexicon)) for s in some] for some in (short, long))
    learnt = list(told)
    for sample, document, piece in others():
        learnt.append(weighed(sample, document, piece))
        # Pieces teach the prior what little text can tell; the gates may stop them.
        if not piece:
            told.append(learnt[-1])
    weights = fit([features for _, features, _ in learnt], [sample.damaged for sample, *_ in learnt])
    config["calibration"]["prior"] = weights
    scores, first = [fitted(weights, features) for _, features, _ in told], [sample for sample, *_ in told]
    config["gate"] = min(0.5, gate(scores, first, GATE_MISSES))
    tell("gate", config["gate"], scores, first)
    passed = [one for one in told + more if fitted(weights, one[1]) >= config["gate"]]
    chosen, doubts = [sample for sample, *_ in passed], [asked for *_, asked in passed]
    config["second_gate"] = gate(doubts, chosen, SECOND_MISSES)
    tell("second gate", config["second_gate"], doubts, chosen)


def tell(name: str, least: float, scores: list[float], chosen: list[Sample]) -> None:
    """Print how many clean texts a gate lets through."""
    clean = [p for p, s in zip(scores, chosen, strict=True) if not s.damaged]
    print(f"{name} {least}: {sum(p >= least for p in clean)} of {len(clean)} clean texts pass it")


@dataclass(slots=True)
class Tally:
    """What one threshold leads to: on the development texts, on spun text, on clean text."""

    wild: Counts = field(default_factory=Counts)
    right: int = 0
    made: int = 0
    harmful: int = 0


def tally(sample: Sample, document: Document, scored: list[Scored], tallies: dict[float, Tally]) -> None:
    """Count the edits of one synthetic text at every threshold."""
    starts = [s.start for s in sample.spun.spans]
    for threshold, t in tallies.items():
        edits = choose(document, scored, threshold)
        if not sample.damaged:
            t.harmful += len(edits)
            continue
        t.made += len(edits)
        t.right += sum(restored(e.start, e.end, sample.spun, starts) == e.replacement for e in edits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--count", type=int, default=200)
    # The development gold accepts few alternatives: about a third of what counts as wrong there is a
    # synonym of the accepted repair.
    parser.add_argument("--precision", type=float, default=0.88, help="least share of right edits there")
    args = parser.parse_args()

    directory = args.model or LEXICAL
    detrans = Detrans(model=str(args.model or "none"))
    config, lexicon = detrans._settings, detrans._lexicon
    spinner = Spinner(Lexicon(shipped_forms()))
    if args.model is None:
        fit_cheap_stage(args.corpora, detrans, spinner, args.count)
    least = detrans._lexical["gate"]
    chosen = [(s, Document(s.spun.text, lexicon)) for s in samples(args.corpora, spinner, args.count)]

    def judged(document: Document, seen: Evidence) -> tuple[list[Scored], list[Scored]]:
        """What the model says of a document, and what is known of that where the second gate may stop it."""
        proposed = (document, seen.level, detrans._counting.score(document, seen.level))
        scored = detrans._score([proposed])[0]
        return scored, scored if detrans._propose(document, seen) else []

    features: list[tuple[float, ...]] = []
    labels: list[bool] = []
    whole: list[tuple[tuple[float, ...], bool]] = []  # the documents that pass the first gate

    def note(document: Document, scored: list[Scored], p: float, damaged: bool) -> None:
        if p >= least:
            whole.append((document_features(scored, document.word_count, p), damaged))

    tallies = {round(float(t), 2): Tally() for t in np.arange(0.3, 0.985, 0.04)}
    clean_words = damaged = 0
    for sample, document in chosen:
        if not document.text.strip():
            continue
        seen = gather(document)
        p = detrans._prior(document, seen)
        scored, known = judged(document, seen)
        if telling(sample):
            note(document, known, p, True)
        if not sample.damaged:
            clean_words += document.word_count
        damaged += len(sample.spun.spans)
        tally(sample, document, scored if p >= least else [], tallies)
        for bounds in sentence_spans(document.text):
            inside = [s for s in scored if bounds[0] <= s.match.start and s.match.end <= bounds[1]]
            features.append(sentence_features(inside, p))
            labels.append(any(bounds[0] <= s.start < bounds[1] for s in sample.spun.spans))
    config["calibration"]["sentence"] = fit(features, labels)
    for gold in (gold for path in DEVELOPMENT for gold in passages(path)):
        document = Document(plain(gold), lexicon)
        seen = gather(document)
        scored, known = judged(document, seen)
        note(document, known, detrans._prior(document, seen), True)
        for threshold, t in tallies.items():
            edits = choose(document, scored, threshold)
            t.wild += score(gold, apply(document.text, edits))
    for text in sound(args.corpora):
        document = Document(text[:6000], lexicon)
        seen = gather(document)
        p = detrans._prior(document, seen)
        if p >= least:
            proposed = detrans._propose(document, seen)
            note(document, detrans._score([proposed])[0] if proposed else [], p, False)
    config["calibration"]["document"] = fit(*zip(*whole, strict=True))
    if args.model is None:
        priors = [detrans._prior(d, gather(d)) for d in translated(args.corpora, lexicon)]
        of_prior = [(some[1:], False) for some, spun in whole if not spun]
        of_prior += [(document_features([], 0, p)[1:], True) for p in priors if p >= least]
        config["calibration"]["translated"] = fit(*zip(*of_prior, strict=True))
    print(f"of {len(whole)} that pass the gate {sum(d for _, d in whole)} are damaged", flush=True)
    print("| threshold | development precision | recall | harm there | synthetic precision | recall | harm |")
    print("|---|---|---|---|---|---|---|")
    chosen_one = None
    for threshold, t in tallies.items():
        harm = 1000 * t.harmful / clean_words
        figures = (
            t.wild.precision,
            t.wild.recall,
            t.wild.harm,
            t.right / max(t.made, 1),
            t.right / damaged,
            harm,
        )
        print(f"| {threshold} | " + " | ".join(f"{f:.3f}" for f in figures) + " |")
        if chosen_one is None and t.wild.precision >= args.precision and harm <= MOST_HARM:
            chosen_one = threshold
    config["threshold"] = chosen_one if chosen_one is not None else max(tallies)
    print(f"threshold {config['threshold']}")
    write_config(directory, config)


if __name__ == "__main__":
    main()
