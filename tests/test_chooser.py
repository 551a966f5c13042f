"""The small model: passages, the encoder, and that neither a batch nor a thread changes anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from detrans import Detrans
from detrans.assets import model_directory
from detrans.chooser import EDGE, WINDOW, Chooser, Reader, competing, windows
from detrans.encoder import MASK, Encoder, Passage, collate
from detrans.judge import CASE_FEATURES, Proposed, doubtful
from tests.test_judge import SPUN, proposed
from training.chooser import Run, begin, hide, lessons, written

SETTINGS = {"layers": 2, "heads": 4, "width": 64, "vocabulary": 200, "positions": 40}
LONG = "\n".join(f"{SPUN} It was the {number}th time." for number in range(30))


@pytest.fixture
def chooser(small: Detrans) -> Chooser:
    assert isinstance(small._second, Chooser)
    return small._second


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(SETTINGS).eval().requires_grad_(False)


def passage(size: int, seed: int) -> Passage:
    """Tokens at random, with two places of three and of two rows."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(103, 200, size).tolist()
    rows = rng.normal(size=(5, CASE_FEATURES)).astype(np.float32)
    return Passage(tokens, [1, 4], [2, 4], rows, [0, 3], [(110,), (120, 121), (130,), (140,), (110,)])


@pytest.mark.parametrize("count", [1, WINDOW, WINDOW + 1, 3 * WINDOW + 7])
def test_every_token_is_looked_at_from_one_passage(count: int) -> None:
    found = list(windows(count))
    assert [n for _, _, start, end in found for n in range(start, end)] == list(range(count))
    for low, high, start, end in found:
        assert high - low <= WINDOW
        assert low == 0 or start - low == EDGE
        assert high == count or high - end == EDGE


def test_places_lie_where_their_words_are(small: Detrans, lexical: Detrans, chooser: Chooser) -> None:
    one = proposed(lexical, LONG)
    cases = doubtful(one[0], one[2])
    ids, begins, ends = chooser.reader.tokens(LONG)
    seen = []
    for low, places, part in chooser.reader.passages(one, cases):
        assert part.tokens == ids[low : low + len(part.tokens)]
        seen += places
        for number, first, last in zip(places, part.first, part.last, strict=True):
            place = cases[number].place
            assert LONG[begins[low + first] : ends[low + last]] == LONG[place.start : place.end]
        sizes = np.diff(part.starts, append=len(part.rows)).tolist()
        assert sizes == [len(cases[number].place.phrases) for number in places]
        assert len(part.phrases) == len(part.rows)
    assert seen == list(range(len(cases)))


def test_a_reader_neither_cuts_nor_pads(chooser: Chooser) -> None:
    tokenizer = Tokenizer.from_file(str(model_directory("small") / "tokenizer.json"))
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(length=128)
    reader = Reader(tokenizer)
    assert reader.tokens(LONG) == chooser.reader.tokens(LONG)
    assert len(reader.tokens(LONG)[0]) > 128
    assert len(reader._pieces("city")) == 1


def test_padding_changes_nothing(encoder: Encoder) -> None:
    parts = [passage(30, 1), passage(12, 2)]
    alone = []
    for part in parts:
        batch = collate([part])
        alone.append(encoder.scores(encoder.states(batch.tokens, batch.padding), batch))
    batch = collate(parts)
    together = encoder.scores(encoder.states(batch.tokens, batch.padding), batch)
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)
    assert together.std() > 0.01


def test_the_encoder_is_that_of_transformers(encoder: Encoder, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=200,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=40,
    )
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    begin(encoder, tmp_path)
    batch = collate([passage(30, 1)])
    with torch.no_grad():
        expected = theirs(batch.tokens).last_hidden_state
        assert torch.allclose(encoder.states(batch.tokens, batch.padding), expected, atol=1e-4)


def test_the_probabilities_of_a_place_add_up() -> None:
    values = competing([[0.0, 0.0], [1.0, 2.0, 3.0]])
    assert values[:2].tolist() == [0.5, 0.5]
    assert values[2:].sum() == pytest.approx(1.0)
    assert values[4] / values[3] == pytest.approx(np.e)


def test_a_batch_changes_no_bit(small: Detrans, lexical: Detrans, chooser: Chooser) -> None:
    some: list[Proposed] = [proposed(lexical, text) for text in (LONG, "Nothing here.", SPUN)]
    together = chooser.score(some)
    assert together == [chooser.score([one])[0] for one in some]
    assert together[1] == some[1][2]  # no doubtful place: as proposed
    assert any(new.keep != old.keep for new, old in zip(together[0], some[0][2], strict=True))


def test_threads_change_no_bit(lexical: Detrans, chooser: Chooser) -> None:
    one, before = proposed(lexical, LONG), torch.get_num_threads()
    found = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(chooser.score([one]))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_batch_within_a_budget_is_about_the_same(
    lexical: Detrans, chooser: Chooser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: passages of several documents together, padded."""
    some = [proposed(lexical, text) for text in (LONG, SPUN)]
    alone = chooser.score(some)
    monkeypatch.setattr("detrans.chooser.batches", lambda jobs, length, _: iter([list(jobs)]))
    for new, old in zip(chooser.score(some), alone, strict=True):
        for a, b in zip(new, old, strict=True):
            assert a.match is b.match or a.match == b.match
            assert a.keep == pytest.approx(b.keep, abs=0.05)
            assert a.probabilities == pytest.approx(b.probabilities, abs=0.05)


def test_lessons_know_what_is_right(lexical: Detrans, chooser: Chooser, tmp_path: Path) -> None:
    path = tmp_path / "made.gold"
    path.write_text("# a\nThe {navy=>military} {mentioned=>said} final week that it met.\n")
    (lesson,) = written(chooser.reader, path)
    assert len(lesson.right) == len(lesson.passage.rows)
    repairs = [
        (lesson.passage.phrases[start], [n for n in range(start, end) if lesson.right[n]])
        for start, end in zip(
            lesson.passage.starts, [*lesson.passage.starts[1:], len(lesson.right)], strict=True
        )
        if not lesson.right[start]
    ]
    assert len(repairs) == 2
    assert all(right for _, right in repairs)
    assert sum(lesson.damage) == 2
    assert len(lesson.damage) == len(lesson.passage.tokens)


def test_only_tokens_outside_the_places_are_hidden() -> None:
    part = passage(30, 1)
    batch = collate([part])
    before = batch.tokens.clone()
    hide(batch, 1.0)
    kept = (batch.tokens == before).nonzero()[:, 1].tolist()
    assert kept == [0, 2, 3, 5, 31]  # the places at 1 to 2 and 4, and the tokens around the passage
    assert (batch.tokens[batch.tokens != before] == MASK).all()


def test_a_run_learns_and_goes_on_where_it_stopped(
    lexical: Detrans, chooser: Chooser, tmp_path: Path
) -> None:
    one = proposed(lexical, LONG)
    cases = doubtful(one[0], one[2])
    labels = [[number % 2 == 0, *(number % 2 == 1 for _ in c.candidates)] for number, c in enumerate(cases)]
    some = list(lessons(chooser.reader, one, zip(cases, labels, strict=True), [(0, 40, 1)], 1.0))
    settings = {**SETTINGS, "vocabulary": 30522, "positions": 512}

    def run(resume: bool) -> Run:
        torch.manual_seed(0)
        return Run(Encoder(settings), tmp_path, torch.device("cpu"), resume)

    first = run(False)
    losses = [first.learn(some, 0.2) for _ in range(8)]
    assert losses[-1] < 0.95 * losses[0]
    first.save()
    again = run(True)
    losses = []
    for each in (first, again):
        torch.manual_seed(1)  # of the tokens that are masked
        losses.append(each.learn(some, 0.3))
    assert losses[0] == losses[1]
    figures = again.evaluate(some)
    assert figures.keys() == {"loss", "recall", "precision"}
