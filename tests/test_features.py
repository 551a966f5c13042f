"""Candidates are scored by the array; each number must be what working row by row comes to."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from benchmarks.gold import plain
from benchmarks.testsets import DATA, passages
from detrans import Detrans
from detrans.assets import model_directory
from detrans.document import Document, Match
from detrans.evidence import gather
from detrans.features import CLIP, FEATURES, MOST_CANDIDATES, NEAR, Features, Phrasebook
from detrans.lexicon import Form, Lexicon
from detrans.match import Matcher
from detrans.ngrams import BACKOFF, STEP, UNKNOWN, NgramModel, word_hash
from detrans.normalise import Scored
from detrans.scorers import BLOCK, SOUND, LexicalScorer, Network
from detrans.spin import Spinner
from tests.test_cheap import odd_texts
from tests.test_hostile import texts

LEXICAL = model_directory("lexical")
PRIME, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


@cache
def table() -> tuple[memoryview, memoryview]:
    tensors = load_file(LEXICAL / "ngrams.safetensors")
    return np.cumsum(tensors["gaps"], dtype=np.uint32).data, tensors["values"].data


@cache
def log_prob(before2: str, before: str, word: str) -> float:
    """ln P(word | before2 before): the longest history that the table knows."""
    keys, values = table()
    gram = (before2, before, word)
    for skip in range(3):
        value = 0
        for w in gram[skip:]:
            value = ((value ^ word_hash(w)) * PRIME) & MASK
            value ^= value >> 29
        at = bisect_left(keys, value >> 32)
        if at < len(keys) and keys[at] == value >> 32:
            return skip * BACKOFF - STEP * values[at]
    return UNKNOWN + 2 * BACKOFF


def sequence(words: Sequence[str]) -> float:
    """ln P of the words after the first two."""
    return sum(log_prob(*words[i - 2 : i + 1]) for i in range(2, len(words)))


def key(phrase: str) -> str:
    return phrase.lower().encode("ascii", "replace").decode("ascii")


class PlainFeatures:
    """Features one row at a time."""

    def __init__(self, document: Document, level: int) -> None:
        self.document, self.level = document, level
        forms = [f for m in document.matches for f in m.candidates]
        phrases = list({key(p) for f in forms for p in (f.spun, f.original)})
        found, _, _ = Matcher(phrases).find(document.folded)
        self.counts = dict(zip(phrases, np.bincount(found, minlength=len(phrases)).tolist(), strict=True))
        self.mass = (len(document.words) + 1) * [0.0]
        self.family: defaultdict[str, float] = defaultdict(float)
        for match in document.matches:
            evidence = min(max(match.evidence, 0.0), CLIP)
            self.mass[match.first] = max(self.mass[match.first], evidence / CLIP)
            self.family[match.candidates[0].family] += evidence

    def habit(self, phrase: str) -> tuple[float, float]:
        share = sequence(["", "", *phrase.lower().split(" ")]) - 2 * BACKOFF
        expected = self.document.word_count * math.exp(share)
        return math.log1p(self.counts[key(phrase)]) / 2, math.log1p(expected) / 2

    def near(self, match: Match) -> float:
        low, high = max(match.first - NEAR, 0), min(match.last + NEAR, len(self.document.words))
        around = sum(self.mass[low:high]) - sum(self.mass[match.first : match.last])
        return around / math.sqrt(high - low)

    def kin(self, form: Form) -> tuple[float, float]:
        if form.family == "any":
            return 0.0, 0.0
        kind = -1.0 if form.family == "thesaurus" else 1.0
        return kind, self.family[form.family] / (1 + sum(self.family.values()))

    def rows(self, match: Match) -> list[list[float]]:
        words, spun, candidates = self.document.words, match.candidates[0], match.candidates[:MOST_CANDIDATES]
        left, right = words[match.first - 2 : match.first], words[match.last : match.last + 2]
        here = words[match.first : match.last]
        ending = here[-1][len(spun.spun.split(" ")[-1]) :]
        readings = [here, *((c.original.lower() + ending).split(" ") for c in candidates)]
        own, *others = scores = [sequence([*left, *reading, *right]) for reading in readings]
        best = max(scores)
        common = math.log10(spun.rate + 0.01) / 3
        keep = [1.0, 0.0, (own - best) / 8, own / 40, 0.0, spun.evidence / 4, common, 0.0]
        rows = [[*keep, *self.habit(spun.spun), 0.0, 0.0]]
        for form, score in zip(candidates, others, strict=True):
            fit = [0.0, (score - own) / 8, (score - best) / 8, score / 40, math.log(form.share + 1e-4) / 4]
            longer = (form.original.count(" ") - spun.spun.count(" ")) / 2
            rows.append([*fit, 0.0, 0.0, longer, *self.habit(form.original), *self.kin(form)])
        place = [*rows[0], self.level / 4 - 1, self.near(match)]
        return [[*row, *place] for row in rows]


class PlainScorer:
    """The lexical scorer one match at a time."""

    def __init__(self) -> None:
        self.weights = load_file(LEXICAL / "scorer.safetensors")

    def probabilities(self, rows: list[list[float]]) -> list[float]:
        hidden = np.maximum(np.array(rows, np.float32) @ self.weights["w1"] + self.weights["b1"], 0.0)
        logits = (hidden @ self.weights["w2"])[:, 0].tolist()
        weights = [math.exp(x - max(logits)) for x in logits]
        return [w / sum(weights) for w in weights]

    def score(self, document: Document, level: int) -> list[Scored]:
        features, scored = PlainFeatures(document, level), []
        for match in features.document.matches:
            keep, *rest = self.probabilities(features.rows(match))
            if keep < SOUND:
                scored.append(Scored(match, keep, rest))
        return scored


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    return Phrasebook(NgramModel.load(LEXICAL / "ngrams.safetensors"))


def compare(document: Document, book: Phrasebook) -> None:
    level = gather(document).level
    features, plain_features = Features(document, level, book), PlainFeatures(document, level)
    rows, starts = features.rows()
    for match, part in zip(document.matches, np.split(rows, starts)[1:], strict=True):
        np.testing.assert_allclose(part, plain_features.rows(match), rtol=1e-5, atol=1e-5)


def test_rows_are_those_of_one_at_a_time(lexicon: Lexicon, spinner: Spinner, book: Phrasebook) -> None:
    for text in odd_texts(spinner):
        compare(Document(text, lexicon), book)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_rows_of_odd_texts(lexicon: Lexicon, book: Phrasebook, text: str) -> None:
    compare(Document(text, lexicon), book)


@st.composite
def pairs_and_text(draw: st.DrawFn) -> tuple[list[Form], str]:
    """Pairs whose originals may be in the text too, with possessives, accents and punctuation."""
    words = st.sampled_from(["the", "navy", "navy's", "said", "café", ".", "e-mail", "s"])
    phrases = st.lists(words, min_size=1, max_size=4).map(" ".join)
    families = st.sampled_from(["any", "crude", "mt", "own", "thesaurus"])
    forms = [
        Form(spun, draw(phrases), draw(st.floats(0, 1)), draw(st.floats(-2, 6)), 1.0, draw(families), "test")
        for spun in draw(st.lists(phrases.filter(str.isascii), min_size=1, max_size=6))
    ]
    pieces = draw(st.lists(st.one_of(words, st.sampled_from([",", "’s", "\n"])), max_size=30))
    return forms, draw(st.sampled_from([" ", ""])).join(pieces)


@given(pairs_and_text())
@settings(max_examples=300, deadline=None)
def test_rows_of_any_pairs(book: Phrasebook, case: tuple[list[Form], str]) -> None:
    forms, text = case
    compare(Document(text, Lexicon(forms)), book)


def test_cases_compete_among_themselves() -> None:
    network = Network.load(LEXICAL / "scorer.safetensors", FEATURES)
    cases = [np.random.default_rng(n).normal(size=(n, 26)).astype(np.float32) for n in (1, 2, 11, 1, 5)]
    starts = np.cumsum([0, *map(len, cases)])[:-1]
    together = np.split(network.cases(np.concatenate(cases), starts), starts)[1:]
    for rows, probabilities in zip(cases, together, strict=True):
        assert probabilities.tolist() == pytest.approx(PlainScorer().probabilities(rows.tolist()), abs=1e-5)
        alone = network.cases(rows, np.zeros(1, np.int64))
        assert probabilities.tolist() == pytest.approx(alone.tolist(), abs=1e-5)


def test_blocks_of_a_long_document(lexical: Detrans, monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document("The navy mentioned final week that it despatched ships. " * 30, lexical._lexicon)
    scorer = LexicalScorer(LEXICAL, lexical._ngrams)
    assert 20 < len(document.matches) < BLOCK
    whole = scorer.score(document, 5)
    monkeypatch.setattr("detrans.scorers.BLOCK", 7)
    blocks = scorer.score(document, 5)
    assert [s.match for s in blocks] == [s.match for s in whole] != []
    assert 0 < len(whole) < len(document.matches)
    for a, b in zip(blocks, whole, strict=True):
        assert [a.keep, *a.probabilities] == pytest.approx([b.keep, *b.probabilities], abs=1e-5)


@pytest.mark.parametrize("name", ["wild/*.gold", "wild_dev.gold", "written_dev.gold"])
def test_repairs_are_those_of_one_at_a_time(name: str, lexical: Detrans) -> None:
    slow = Detrans(model="none")
    slow.__dict__["_counting"] = PlainScorer()
    gold = [plain(text) for path in sorted(DATA.glob(name)) for text in passages(path)]
    ours, theirs = lexical.repair_batch(gold), slow.repair_batch(gold)
    for quick, patient in zip(ours, theirs, strict=True):
        assert quick.text == patient.text
        for a, b in zip(quick.edits, patient.edits, strict=True):
            assert (a.start, a.end, a.replacement, a.reason) == (b.start, b.end, b.replacement, b.reason)
            assert a.score == pytest.approx(b.score, abs=2e-4)
    assert any(repair.edits for repair in ours)
