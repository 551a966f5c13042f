"""The language model and the judge: packed weights, the architecture, trunk and branches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from detrans import Detrans, ModelError, lm
from detrans.assets import model_directory, read_config
from detrans.batches import batches
from detrans.document import Document, Match
from detrans.fourbit import GROUP, pack, pack_all, unpack, unpack_all
from detrans.judge import CASE_FEATURES, Case, CaseFeatures, Judge, doubtful
from detrans.lexicon import Form, Lexicon
from detrans.llama import Llama
from detrans.lm import LanguageModel, Likelihood, Place
from detrans.normalise import Scored
from detrans.scorers import Network

SENTENCE = "The minister mentioned on Monday that the navy had despatched a variety of troops to the border. "
WORDS = {"mentioned": ("said", "noted"), "navy": ("military",), "variety": ("number", "range of sorts")}
SETTINGS = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
}


@pytest.fixture(scope="module")
def language() -> Iterator[LanguageModel]:
    """In float32, so that the slow way and the fast one differ by rounding alone."""
    directory = model_directory("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detrans.lm.fast_bfloat16", lambda device: False)
        yield LanguageModel(directory, read_config(directory), "cpu")


def places(text: str, words: dict[str, tuple[str, ...]]) -> list[Place]:
    """Every occurrence of `words` in `text`, with the candidates there."""
    found = []
    for word, candidates in words.items():
        at = text.find(word)
        while at >= 0:
            found.append(Place(at, at + len(word), (word, *candidates)))
            at = text.find(word, at + 1)
    return found


def slow(language: LanguageModel, text: str, place: Place, phrase: str) -> tuple[float, float]:
    """ln P of a phrase and of what follows it by the plain way: all of it in one sequence."""

    def encode(part: str) -> list[int]:
        ids: list[int] = language._tokenizer.encode(part, add_special_tokens=False).ids
        return ids

    before = encode(text[: place.start].rstrip(" "))
    space = " " * (text[place.start - 1 : place.start] == " ")
    after = language._tokenizer.encode(text[place.end :], add_special_tokens=False)
    rest = text[place.end : place.end + after.offsets[: lm.FOLLOWING][-1][1]]
    whole = encode(space + phrase + rest)
    ids = torch.tensor([[lm.BEGIN, *before, *whole]])
    length = ids.shape[1]
    with torch.inference_mode():
        states = language.network.states(ids, torch.arange(length)[None])[0][0, len(before) : -1]
        logits = states @ language.network.vectors.T
    each = logits.log_softmax(-1).gather(1, torch.tensor(whole)[:, None])[:, 0].tolist()
    own = len(encode(space + phrase))
    return sum(each[:own]), sum(each[own:])


def check(language: LanguageModel, text: str, asked: list[Place]) -> None:
    """Every likelihood is what the plain way gives."""
    (found,) = language.score([(text, asked)])
    for place, likelihoods in zip(asked, found, strict=True):
        assert list(likelihoods) == list(range(len(place.phrases)))
        for phrase, likelihood in zip(place.phrases, likelihoods.values(), strict=True):
            expected = slow(language, text, place, phrase)
            assert (likelihood.phrase, likelihood.following) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("groups", [1, 2, 7])
def test_four_bits_come_near(rows: int, groups: int) -> None:
    torch.manual_seed(rows * groups)
    matrix = torch.randn(rows, groups * GROUP)
    back = unpack(pack(matrix), torch.float32)
    assert back.shape == matrix.shape
    assert (back - matrix).norm() < 0.12 * matrix.norm()


def test_packing_twice_changes_nothing_more() -> None:
    torch.manual_seed(0)
    weights = {"a.weight": torch.randn(4, 2 * GROUP), "norm.weight": torch.randn(8).half()}
    once = unpack_all(pack_all(weights), torch.float32)
    twice = unpack_all(pack_all(once), torch.float32)
    assert torch.equal(once["norm.weight"], weights["norm.weight"].float())
    assert (once["a.weight"] - twice["a.weight"]).norm() < 0.02 * once["a.weight"].norm()


def test_constant_and_zero_rows_are_packed() -> None:
    matrix = torch.zeros(3, GROUP)
    matrix[1], matrix[2] = 0.5, -0.25
    assert (unpack(pack(matrix), torch.float32) - matrix).abs().max() < 5e-3


def test_the_architecture_is_that_of_transformers() -> None:
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    shape = {k: v for k, v in SETTINGS.items() if k != "rope_theta"}
    config = LlamaConfig(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=96,
        rope_parameters={"rope_theta": SETTINGS["rope_theta"], "rope_type": "default"},
        **shape,
    )
    theirs = LlamaModel(config).eval()
    ours = Llama(SETTINGS, theirs.state_dict())
    tokens = torch.randint(0, 100, (2, 17))
    positions = torch.arange(17).repeat(2, 1)
    mask = torch.ones(2, 17, 17, dtype=torch.bool).tril()
    with torch.inference_mode():
        expected = theirs(input_ids=tokens).last_hidden_state
        got, _ = ours.states(tokens, positions)
        masked, _ = ours.states(tokens, positions, mask)
        start, past = ours.states(tokens[:, :9], positions[:, :9])
        rest, _ = ours.states(tokens[:, 9:], positions[:, 9:], mask[:, 9:], past)
    for states in (got, masked, torch.cat((start, rest), 1)):
        assert torch.allclose(states, expected, atol=1e-4)


def test_branches_say_what_whole_texts_say(language: LanguageModel) -> None:
    text = SENTENCE.strip()
    asked = places(text, WORDS)
    check(language, text, asked)
    (found,) = language.score([(text, asked)])
    mentioned, said, _ = found[0].values()
    assert said.total > mentioned.total + 2


@pytest.mark.parametrize("tokens", [1, 8, 30])
def test_groups_change_nothing(language: LanguageModel, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    """Whatever branches are read together."""
    text = (SENTENCE * 3).strip()
    monkeypatch.setattr(lm, "GROUP", tokens)
    asked = places(text, WORDS)
    (window,) = language.windows(text, asked)
    longest = max(v.left for v in window.variants)
    states, read = language.network.states, []

    def noted(ids: torch.Tensor, *rest: Any) -> Any:
        read.append(ids.shape[1])
        return states(ids, *rest)

    monkeypatch.setattr(language.network, "states", noted)
    language.score([(text, asked)])
    assert read[0] == len(window.tokens)
    assert len(read) > 2
    assert all(size <= max(tokens, longest) for size in read[1:])
    monkeypatch.undo()
    monkeypatch.setattr(lm, "GROUP", tokens)
    check(language, text, asked)


@pytest.mark.parametrize("trunk", [1, 30, 60])
def test_cuts_change_nothing(language: LanguageModel, monkeypatch: pytest.MonkeyPatch, trunk: int) -> None:
    """Wherever a window ends, what its places see is the same, as long as it reaches back far enough."""
    text = (SENTENCE * 3).strip()
    monkeypatch.setattr(lm, "TRUNK", trunk)
    monkeypatch.setattr(lm, "BEFORE", 1000)
    asked = places(text, WORDS)
    assert trunk == 60 or len(list(language.windows(text, asked))) > 1
    check(language, text, asked)


@pytest.mark.parametrize("trunk", [1, 20, 21, 22, 60])
def test_a_trunk_ends_where_it_should(
    language: LanguageModel, monkeypatch: pytest.MonkeyPatch, trunk: int
) -> None:
    text = (SENTENCE * 3).strip()
    monkeypatch.setattr(lm, "TRUNK", trunk)
    monkeypatch.setattr(lm, "BEFORE", 0)
    windows = list(language.windows(text, places(text, WORDS)))
    assert all(max(v.at for v in w.variants) - w.low <= trunk for w in windows)
    assert sorted({v.place for w in windows for v in w.variants}) == list(range(9))


def test_threads_change_nothing(language: LanguageModel) -> None:
    """Neither the result, to the bit, nor the setting of the process."""
    text = (SENTENCE * 12).strip()
    asked = [(text, places(text, WORDS)), ("A navy blue coat", [Place(2, 6, ("navy", "red"))])]
    before = torch.get_num_threads()
    read = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            read.append(language.score(asked))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert read[1:] == read[:1] * 2


def test_a_batch_of_windows_agrees_with_single_ones(
    language: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SENTENCE * 12).strip()
    texts = [(text, places(text, WORDS)), ("A navy blue coat", [Place(2, 6, ("navy", "red"))])]
    single = language.score(texts)
    monkeypatch.setattr(LanguageModel, "_budget", lm.GPU_TOKENS)
    batched = language.score(texts)
    for a, b in zip(single, batched, strict=True):
        for one, other in zip(a, b, strict=True):
            assert [x.total for x in one.values()] == pytest.approx(
                [x.total for x in other.values()], abs=0.02
            )


@pytest.mark.parametrize(
    "text",
    ["navy", "navy\n", "(navy)", "\ud800 navy \ud800", "é navy 🙂🙂", "a\r\nnavy\r\nb", "navy, navy"],
    ids=range(7),
)
def test_odd_texts_are_scored(language: LanguageModel, text: str) -> None:
    at = text.index("navy")
    place = Place(at, at + 4, ("navy", "military", "\ud800"))
    ((found,),) = language.score([(text, [place])])
    navy, military, lone = found.values()
    assert len({navy.phrase, military.phrase, lone.phrase}) == 3
    followed = text[at + 4 : at + 5].strip() != ""
    assert (navy.following < 0) == (military.following < 0) == followed or text[at + 4 : at + 5] == " "


def test_a_screen_leaves_out_and_changes_nothing_else(language: LanguageModel) -> None:
    text = (SENTENCE * 2).strip()
    asked = places(text, WORDS)
    (whole,) = language.score([(text, asked)])

    def some(number: int, firsts: dict[int, list[float]]) -> dict[int, list[int]]:
        assert number == 0
        assert [len(firsts[i]) for i in range(len(asked))] == [len(p.phrases) for p in asked]
        for i, first in firsts.items():
            # "mentioned", "said", "navy" and their like are one token each: the phrase and its first are one.
            assert first[0] == pytest.approx(whole[i][0].phrase, abs=0.02)
        return {i: [0, 1] for i in firsts if i % 2}

    (part,) = language.score([(text, asked)], some)
    assert [list(found) for found in part] == [[0, 1] if i % 2 else [] for i in range(len(asked))]
    for before, after in zip(whole, part, strict=True):
        for n, likelihood in after.items():
            assert likelihood.total == pytest.approx(before[n].total, abs=0.02)


@pytest.mark.parametrize("budget", [None, lm.GPU_TOKENS])
def test_nothing_to_score(
    language: LanguageModel, monkeypatch: pytest.MonkeyPatch, budget: int | None
) -> None:
    monkeypatch.setattr(LanguageModel, "_budget", budget)
    assert language.score([]) == []
    assert language.score([("A text.", [])]) == [[]]


def test_the_judges_rows_have_the_shape_of_its_network(base: Detrans, seeds: dict[str, str]) -> None:
    judge = base._second
    assert isinstance(judge, Judge)
    document = Document(seeds["001"][:1500], base._lexicon)
    scored = base._counting.score(document, 5)
    (cases,) = judge.cases([(document, 5, scored)])
    rows, starts = CaseFeatures(document, 5, scored, cases).rows()
    assert len(starts) == len(cases) > 20
    assert rows.shape == (sum(1 + len(case.candidates) for case in cases), CASE_FEATURES)
    assert abs(rows).max() < 20


def test_candidates_are_judged_as_they_would_be_written(base: Detrans) -> None:
    text = "Individuals despatched an settlement. Obviously the navy mentioned an enormous variety of it."
    document = Document(text, base._lexicon)
    found = doubtful(document, base._counting.score(document, 5))
    variants = {case.place.phrases[0]: set(case.place.phrases[1:]) for case in found}
    assert "People" in variants["Individuals"]
    assert "a deal" in variants["an settlement"]
    assert all(p[:1].isupper() for p in variants.get("Obviously", ()))


def test_repetition_takes_linear_time() -> None:
    match = Match(0, 4, 2, 3, [Form("navy", "military", 1.0, 1.0, 1.0, "any", "t")])
    document = Document("The navy. " * 4000, Lexicon([]))

    def seconds(count: int) -> float:
        scored = Scored(match, 0.5, [0.5])
        place = Place(0, 4, ("navy", "military"))
        case = Case(0, scored, (0,), place, (Likelihood(-3.0, -9.0), Likelihood(-2.0, -8.0)))
        start = time.process_time()
        CaseFeatures(document, 5, [scored], [case] * count).rows()
        return time.process_time() - start

    # The best of three: a collection of garbage left by other tests is no part of the work.
    small, large = (min(seconds(count) for _ in range(3)) for count in (2_000, 16_000))
    assert large < 0.2 or large < 20 * small, (small, large)


def test_a_language_model_that_does_not_fit_is_refused() -> None:
    directory = model_directory("base")
    config = read_config(directory)
    with pytest.raises(ModelError, match=r"cannot load the language model.*onto cpu"):
        LanguageModel(directory, {**config, "language": {}}, "cpu")


def test_a_judge_for_other_rows_is_refused(tmp_path: Path) -> None:
    save_file({"w1": np.zeros((3, 2), np.float32)}, tmp_path / "judge.safetensors")
    with pytest.raises(ModelError, match=r"cannot load .*judge\.safetensors: its rows have 3 numbers"):
        config = {"screen": {"weights": [], "least": 0.5}}
        Judge(tmp_path, config, None)._network  # type: ignore[arg-type]  # noqa: B018


def test_a_model_of_before_the_screen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json has no “screen”: it was made for an older detrans"):
        Judge(tmp_path, {"version": "3"}, None)  # type: ignore[arg-type]


def test_the_network_is_its_formula() -> None:
    weights = {
        "w1": np.eye(2, dtype=np.float32),
        "b1": np.zeros(2, np.float32),
        "w2": np.ones((2, 1), np.float32),
    }
    low, high = Network(weights).cases(np.array([[0.0, -5.0], [1.0, 1.0]], np.float32), np.array([0]))
    assert high == pytest.approx(1 / (1 + np.exp(-2)))
    assert low + high == pytest.approx(1)


def test_threads_share_an_instance(seeds: dict[str, str]) -> None:
    texts = [seeds["001"], seeds["004"], *(seeds["001"][i * 300 : i * 300 + 900] for i in range(10))]
    expected = [Detrans(model="none").clean(t) for t in texts]
    fresh = Detrans(model="none")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fresh.clean, texts * 3)) == expected * 3


@pytest.mark.parametrize("budget", [5, 6, 7, 100])
def test_batches_keep_to_their_budget(budget: int) -> None:
    items = ["a" * n for n in (3, 1, 2, 3, 2, 1, 5)]
    groups = list(batches(items, len, budget))
    assert sorted(item for group in groups for item in group) == sorted(items)
    assert all(max(map(len, g)) * len(g) <= budget for g in groups)
    assert list(batches(items, len, None)) == [[item] for item in items]
