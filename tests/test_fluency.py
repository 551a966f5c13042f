"""Fluency: what it counts, word by word; that damage lowers it; that what is no prose tells little."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detrans import Detrans
from detrans.assets import model_directory
from detrans.document import Document
from detrans.fluency import COMMON, COMMONEST, FEW, LEAST, MOST, SCALE, USUAL, fluency
from detrans.lexicon import Lexicon
from detrans.ngrams import BACKOFF, BOUNDARY, UNKNOWN, NgramModel, combine_arrays, word_hash
from tests.test_hostile import texts

SOUND = (
    "The council said on Monday that it would not be able to pay for the work before the end of the year. "
    "Most of the people who live there have asked for a new bridge, and some of them said they would wait. "
    "It was one of the first things that the mayor had promised, but there has been no money for it."
)
# The same, as a translation out and back might leave it.
GARBLED = (
    "The council said in the Monday that it not would be able of pay the work before of the end of year. "
    "The most of people who they live there has asked by a new bridge, and some them said would wait. "
    "Was one of first the things that had promised mayor, but not there has been money for him."
)
words = st.sampled_from(["the", "of", "in", "was", "said", "house", "zyx", "it", ",", "and"])


def words_plainly(document: Document) -> tuple[list[str], list[int]]:
    """Words and their offsets, one after the other."""
    data, hard = document.folded.data, document.folded.hard
    found, offsets = [BOUNDARY, BOUNDARY], [-1, -1]
    at, marks = 0, 0
    for word in data.decode("ascii").split(" "):
        if word:
            if hard[at] > marks:
                found.append(BOUNDARY)
                offsets.append(at - 1)
                marks = int(hard[at])
            found.append(word)
            offsets.append(at)
        at += len(word) + 1
    return [*found, BOUNDARY, BOUNDARY], offsets


def fluency_plainly(document: Document, ngrams: NgramModel) -> list[float]:
    """The five means, counted with Python's own numbers."""
    found = document.words
    hashes = ngrams.hashes(found)

    def known(last: int, length: int) -> float | None:
        columns = [hashes[i : i + 1] for i in range(last - length + 1, last + 1)]
        some, values = ngrams._find(combine_arrays(*columns))
        return float(values[0]) if some[0] else None

    counted: list[list[float]] = [[], [], [], [], []]
    alone = [known(i, 1) for i in range(len(found))]
    shares = [UNKNOWN if a is None else a for a in alone]
    for i, word in enumerate(found):
        if word == BOUNDARY:
            continue
        pair, inner = known(i, 2), found[i - 1] != BOUNDARY
        counted[2].append(shares[i])
        counted[3].append(pair is not None)
        if inner and shares[i] > COMMON and shares[i - 1] > COMMON:
            counted[1].append(pair is None)
        if inner and shares[i] > COMMONEST:
            backed = 2 * BACKOFF + shares[i] if pair is None else BACKOFF + pair
            triple = known(i, 3)
            counted[0].append((backed if triple is None else triple) - shares[i])
            if shares[i - 1] > COMMONEST and BOUNDARY not in found[i - 2 : i] and shares[i - 2] > COMMONEST:
                counted[4].append(triple is None)
    means = [(math.fsum(c) + FEW * usual) / (len(c) + FEW) for c, usual in zip(counted, USUAL, strict=True)]
    bounds = zip(means, USUAL, LEAST, MOST, SCALE, strict=True)
    return [(min(max(mean, low), high) - usual) * scale for mean, usual, low, high, scale in bounds]


@given(texts)
@settings(max_examples=300, deadline=None)
def test_words_lie_where_they_stand(lexicon: Lexicon, text: str) -> None:
    document = Document(text, lexicon)
    found, offsets = words_plainly(document)
    assert document.words == found
    assert document._words[1].tolist() == offsets


@given(st.lists(words, max_size=60).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_fluency_is_what_it_says(lexical: Detrans, text: str) -> None:
    document = Document(text, lexical._lexicon)
    assert fluency(document, lexical._ngrams) == pytest.approx(fluency_plainly(document, lexical._ngrams))


def test_of_a_long_text_the_beginning_tells(lexical: Detrans, monkeypatch: pytest.MonkeyPatch) -> None:
    ngrams, lexicon = lexical._ngrams, lexical._lexicon
    text = f"{SOUND} See https://example.org/a/long/address/of/many/words and more. {GARBLED}"
    size = text.index("many")  # within what is never touched
    whole = fluency(Document(text, lexicon), ngrams)
    monkeypatch.setattr("detrans.fluency.LONGEST", size)
    start = fluency(Document(text, lexicon), ngrams)
    assert start == fluency(Document(text[:size], lexicon), ngrams)
    assert start != whole
    monkeypatch.setattr("detrans.fluency.LONGEST", len(text))
    assert fluency(Document(text, lexicon), ngrams) == whole


def test_words_are_known_however_many(lexical: Detrans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many words it begins anew, and threads that share it see the same."""
    monkeypatch.setattr("detrans.ngrams.MOST_WORDS", 8)
    ngrams = NgramModel.load(model_directory("lexical") / "ngrams.safetensors")
    lists = [[f"w{i % 7}", "the", f"xq{i}zz", "the"] for i in range(200)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ngrams.words, lists))
    for some, known in zip(lists, found, strict=True):
        assert known["hash"].tolist() == [word_hash(word) for word in some]
        assert known["share"][1] == known["share"][3] == pytest.approx(-3, abs=1)
        assert np.isnan(known["share"][2])
    assert len(ngrams.words([])) == 0


def test_damage_shows_where_the_lexicon_does_not_know_it(lexical: Detrans) -> None:
    sound, garbled = lexical.scores([SOUND, GARBLED])
    assert sound < 0.1
    assert garbled > sound + 0.3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello.",
        "1, 2, 3\n4, 5, 6\n" * 50,
        "def f(x):\n    return g(x) + 1\n" * 40,
        "Smith, John; Brown, Ann; Green, Albert\n" * 20,
    ],
)
def test_what_is_no_prose_is_no_damage(lexical: Detrans, text: str) -> None:
    assert lexical.scores([text])[0] < 0.5
    assert lexical.clean(text) == text
