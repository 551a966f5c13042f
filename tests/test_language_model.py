"""The language model and the judge: packed weights, the architecture, trunk and branches."""

from __future__ import annotations

import pytest
import torch

from detrans import Detrans, ModelError
from detrans.assets import model_directory, read_config
from detrans.document import Document
from detrans.fourbit import GROUP, pack, pack_all, unpack, unpack_all
from detrans.judge import FEATURES, Features, Judge
from detrans.llama import Llama
from detrans.lm import TOKENS, TRUNK, LanguageModel, Place
from detrans.scorers import Network

SENTENCE = "The minister mentioned on Monday that the navy had despatched a variety of troops to the border. "
SETTINGS = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
}


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    directory = model_directory("base")
    return LanguageModel(directory, read_config(directory), "cpu")


def places(text: str, words: dict[str, tuple[str, ...]]) -> list[Place]:
    """Every occurrence of `words` in `text`, with the candidates there."""
    found = []
    for word, candidates in words.items():
        at = text.find(word)
        while at >= 0:
            found.append(Place(at, at + len(word), (word, *candidates)))
            at = text.find(word, at + 1)
    return found


def plain(language: LanguageModel, text: str, place: Place, phrase: str) -> float:
    """ln P of a phrase by the slow way: the whole text before it and the phrase, in one sequence."""
    tokens = language._tokenizer
    before = tokens.encode(text[: place.start].rstrip(" "), add_special_tokens=False).ids
    own = tokens.encode(" " * (text[place.start - 1] == " ") + phrase, add_special_tokens=False).ids
    ids = torch.tensor([[1, *before, *own]])
    positions = torch.arange(ids.shape[1])[None]
    mask = torch.ones(1, 1, ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    with torch.inference_mode():
        states = language._network.states(ids, positions, mask)[0, len(before) : -1]
        logits = (states @ language._network.vectors.T).float()
    return float(logits.log_softmax(-1).gather(1, torch.tensor(own)[:, None]).sum())


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
    assert unpack(pack(matrix), torch.float32) == pytest.approx(matrix, abs=5e-3)


def test_the_architecture_is_that_of_transformers() -> None:
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=SETTINGS["num_hidden_layers"],
        num_attention_heads=SETTINGS["num_attention_heads"],
        num_key_value_heads=SETTINGS["num_key_value_heads"],
        head_dim=SETTINGS["head_dim"],
        rms_norm_eps=SETTINGS["rms_norm_eps"],
        rope_parameters={"rope_theta": SETTINGS["rope_theta"], "rope_type": "default"},
    )
    theirs = LlamaModel(config).eval()
    ours = Llama(SETTINGS, theirs.state_dict())
    tokens = torch.randint(0, 100, (2, 17))
    positions = torch.arange(17).repeat(2, 1)
    mask = torch.ones(2, 1, 17, 17, dtype=torch.bool).tril()
    with torch.inference_mode():
        expected = theirs(input_ids=tokens).last_hidden_state
        got = ours.states(tokens, positions, mask)
    assert torch.allclose(got, expected, atol=1e-4)


def test_branches_say_what_whole_texts_say(language: LanguageModel) -> None:
    text = SENTENCE.strip()
    words = {"mentioned": ("said", "noted"), "navy": ("military",), "variety": ("number", "range of sorts")}
    asked = places(text, words)
    (found,) = language.score([(text, asked)])
    for place, likelihoods in zip(asked, found, strict=True):
        for phrase, likelihood in zip(place.phrases, likelihoods, strict=True):
            assert likelihood.phrase == pytest.approx(plain(language, text, place, phrase), abs=0.5)
            assert likelihood.following < 0
    said, mentioned = found[0][1], found[0][0]
    assert said.total > mentioned.total + 2


@pytest.mark.parametrize("sentences", [1, 3, TRUNK // 18, TRUNK // 18 + 1, 30])
def test_long_texts_are_cut_without_losing_a_place(language: LanguageModel, sentences: int) -> None:
    text = (SENTENCE * sentences).strip()
    asked = places(text, {"mentioned": ("said",), "navy": ("military",)})
    trees = list(language._trees(text, asked))
    assert sorted({b.place for t in trees for b in t.branches}) == list(range(2 * sentences))
    assert all(t.size() <= TOKENS for t in trees)
    (found,) = language.score([(text, asked)])
    assert all(len(f) == 2 for f in found)


def test_a_batch_of_trees_agrees_with_single_ones(language: LanguageModel) -> None:
    text = (SENTENCE * 12).strip()
    texts = [
        (text, places(text, {"mentioned": ("said",)})),
        ("A navy blue coat", [Place(2, 6, ("navy", "red"))]),
    ]
    single = language.score(texts)
    language._batches = lambda jobs: [jobs]  # type: ignore[method-assign]
    try:
        batched = language.score(texts)
    finally:
        del language._batches
    for a, b in zip(single, batched, strict=True):
        for one, other in zip(a, b, strict=True):
            assert [x.total for x in one] == pytest.approx([x.total for x in other], abs=0.5)


@pytest.mark.parametrize(
    "text", ["navy", "navy\n", "(navy)", "\ud800 navy \ud800", "é navy 🙂🙂", "a\nnavy\nb"]
)
def test_odd_texts_are_scored(language: LanguageModel, text: str) -> None:
    at = text.index("navy")
    ((likelihoods,),) = language.score([(text, [Place(at, at + 4, ("navy", "military"))])])
    assert all(x.total < 0 for x in likelihoods)


def test_nothing_to_score(language: LanguageModel) -> None:
    assert language.score([]) == []
    assert language.score([("A text.", [])]) == [[]]


def test_the_judges_rows_have_the_shape_of_its_network(base: Detrans, seeds: dict[str, str]) -> None:
    judge = base._scorer
    assert isinstance(judge, Judge)
    document = Document(seeds["001"][:1500], base._lexicon)
    (judgement,), (cases,) = judge.cases([(document, 5)])
    features = Features(document, 5, judgement.scored, cases)
    assert cases
    for case in cases:
        rows = features.rows(case)
        assert [len(r) for r in rows] == [FEATURES] * (1 + len(case.candidates))
        assert max(abs(x) for row in rows for x in row) < 20


def test_a_language_model_that_does_not_fit_is_refused() -> None:
    directory = model_directory("base")
    config = read_config(directory)
    with pytest.raises(ModelError, match="cannot load the language model"):
        LanguageModel(directory, {**config, "language": {}}, "cpu")


def test_the_network_is_its_formula() -> None:
    import numpy as np

    weights = {
        "w1": np.eye(2, dtype=np.float32),
        "b1": np.zeros(2, np.float32),
        "w2": np.ones((2, 1), np.float32),
    }
    low, high = Network(weights).probabilities([[0.0, -5.0], [1.0, 1.0]])
    assert high == pytest.approx(1 / (1 + np.exp(-2)))
    assert low + high == pytest.approx(1)
