"""Training: labels of matches, derived tables, the language model's adapter on one text of a few words."""

from __future__ import annotations

import importlib
import random
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.gold import located, plain
from detrans.assets import model_directory, read_config
from detrans.document import Match
from detrans.lexicon import Entry, Form
from detrans.llama import Llama, adapt
from detrans.lm import LanguageModel
from detrans.scorers import Network
from training.network import Example, train
from training.table import rejected, write_table
from training.texts import MOST_REPAIRED, partly_repaired, right, styles
from training.tune import Run, Tuned, fresh, written

GOLD = (
    "# made up; mentioned\n"
    "The ministry {mentioned=>said} on Monday that the {navy=>military} had sent a {variety=>number} of men "
    "to the border, and that {a number of=>several} of them would {practice=>train} there.\n"
)


@pytest.mark.parametrize(
    ("gold", "spun", "originals", "expected"),
    [
        (
            "We use {profound learning=>deep learning} here.",
            "profound",
            ["deep", "wise"],
            [False, True, False],
        ),
        ("We use {profound learning=>deep learning} here.", "learning", ["study"], [True, False]),
        (
            "We use {a profound learning=>deep learning}.",
            "a profound learning",
            ["deep learning"],
            [False, True],
        ),
        ("The {navy=>military} came.", "the navy", ["the military", "the army"], [False, True, False]),
        ("The {?navy=>military} came.", "navy", ["military", "army"], [True, True, False]),
        ("The navy came.", "navy", ["military"], [True, False]),
        (
            "A {repetitive neural organization=>recurrent neural network}.",
            "organization",
            ["network"],
            [False, True],
        ),
    ],
)
def test_what_is_right_for_a_match(gold: str, spun: str, originals: list[str], expected: list[bool]) -> None:
    text = plain(gold)
    start = text.lower().index(spun)
    forms = [Form(spun, original, 0.5, 1.0, 1.0, "any", "t") for original in originals]
    match = Match(start, start + len(spun), 0, 1, forms)
    assert right(match, text, located(gold), tuple(range(len(forms)))) == expected


def test_marks_of_a_partly_repaired_text_stay_on_their_words() -> None:
    gold = "The {navy=>military} {mentioned=>said/told} {final week=>last week} that {overseas=>foreign} men."
    marks = located(gold)
    words = {plain(gold)[start:end]: accepted for start, end, _, accepted in marks}
    left = []
    for seed in range(200):
        text, some = partly_repaired(plain(gold), marks, random.Random(seed))
        left.append(len(some))
        for start, end, required, accepted in some:
            assert required
            assert words[text[start:end]] == accepted
        gone = set(words) - {text[start:end] for start, end, *_ in some}
        assert all(words[word][0] in text and word not in text for word in gone)
    assert set(left) == {0, 1, 2, 3, 4}
    assert sum(left) / len(left) / 4 == pytest.approx(1 - MOST_REPAIRED / 2, abs=0.06)


def test_refused_rows_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    spun, original, pos = min(rejected())
    write_table([(spun, original, pos, 1, "any"), (spun, original + "s", pos, 2, "mt")])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("\t") == ["spun", "original", "pos", "weight", "family"]
    assert rows == [f"{spun}\t{original}s\t{pos}\t2\tmt"]


@pytest.fixture
def observed() -> ModuleType:
    """The table maker, where what inflects words for it is installed (the extra group `train`)."""
    pytest.importorskip("lemminflect")
    return importlib.import_module("training.observed")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("She went to the ", "n"),
        ("It is hard to ", "v"),
        ("the minister’s ", "n"),
        ("let's ", "v"),
        ("They don’t ", "v"),
        ("He saw old ", ""),
        ("And it’s ", ""),
        ("that ", ""),
        ("", ""),
    ],
)
def test_what_stands_before_tells_noun_from_verb(observed: ModuleType, before: str, expected: str) -> None:
    assert observed.kind(before) == expected


def test_bases_of_a_word_that_is_both(observed: ModuleType) -> None:
    assert {pos for *_, pos in observed.bases("store", "shop", "")} == {"n", "v"}
    assert list(observed.bases("stores", "shops", "n")) == [("store", "shop", "n")]
    assert list(observed.bases("mentioned", "said", "n")) == []


def test_marks_know_what_stands_before_them(observed: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "made.gold"
    path.write_text(
        "# a; stated\nThe {store=>shop} will {store=>shop}.\n---\n# b; own: odd\nHe {saved=>kept} it.\n"
    )
    assert dict(observed.marked(path)) == {
        ("store", "shop", "n"): 1,
        ("store", "shop", "v"): 1,
        ("saved", "kept", "v"): 1,
    }
    assert styles(path) == ["stated", "own: odd"]


def test_a_list_says_which_kind_a_pair_is_of(
    observed: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seen.tsv"
    rows = ["promoting selling 2 v", "made_utilization_of used 1 v", "extra more 4 x", "store shop 1"]
    lines = ["spun original count pos", *rows]
    path.write_text("".join(line.replace(" ", "\t").replace("_", " ") + "\n" for line in lines))
    monkeypatch.setattr("sys.argv", ["observed", str(path)])
    observed.main()
    assert [line.split("\t")[:4] for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["extra", "more", "x", "3"],
        ["make utilization of", "use", "v", "1"],
        ["promote", "sell", "v", "2"],
        ["store", "shop", "x", "1"],  # a noun's or a verb's: nobody says
    ]


def test_a_small_network_learns_which_row_is_right(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    examples = []
    for _ in range(400):
        rows = rng.normal(size=(3, 4)).astype(np.float32)
        best = rows[:, 1].argmax()
        examples.append(Example(rows, [i == best for i in range(3)]))
    network = Network(train(examples, 40, 8, 30, 16))
    rows = np.concatenate([e.rows for e in examples[:40]])
    chosen = network.cases(rows, np.arange(0, 120, 3)).reshape(-1, 3).argmax(1)
    assert np.mean(chosen == [e.right.index(True) for e in examples[:40]]) > 0.9


def test_the_screen_is_fitted() -> None:
    pytest.importorskip("sklearn")  # in the extra group `train`
    rng = np.random.default_rng(0)
    table = np.column_stack((np.ones(4000), rng.normal(size=(4000, 2))))
    probability = 1 / (1 + np.exp(-(table @ np.array([-1.0, 2.0, 0.0]))))
    labels = (rng.random(4000) < probability).tolist()
    weights = importlib.import_module("training.calibrate").fit(table[:, 1:].tolist(), labels)
    assert weights == pytest.approx([-1.0, 2.0, 0.0], abs=0.2)


@pytest.fixture
def language() -> LanguageModel:
    directory = model_directory("base")
    return LanguageModel(directory, read_config(directory), "cpu", adapted=False)


def test_a_written_text_asks_about_its_marks(language: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "made.gold"
    path.write_text(GOLD)
    ((window, questions),) = written(language, path, random.Random(0))
    assert len({v.place for v in window.variants}) == len(questions)
    assert len(window.variants) == sum(len(q.right) for q in questions)
    assert all(len(q.prior) == len(q.right) and any(q.right) for q in questions)
    assert 0 < sum(not q.right[0] for q in questions) < len(questions)


def test_a_run_learns_and_goes_on_where_it_stopped(language: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "made.gold"
    path.write_text(GOLD)
    asked = written(language, path, random.Random(0))
    before = language.network
    torch.manual_seed(0)
    run = Run(language, tmp_path, resume=False)
    first = run.learn(asked, None, 1.0)
    run.step = 100  # past the warm-up
    for _ in range(3):
        last = run.learn(asked, None, 1.0)
    assert last < 0.9 * first
    run.save()
    reached = (run.step, run.tokens)
    run.learn(asked, None, 1.0)

    language.network = before
    torch.manual_seed(1)
    again = Run(language, tmp_path, resume=True)
    assert (again.step, again.tokens) == reached
    again.learn(asked, None, 1.0)
    for name, parameter in run.adapter.items():
        assert torch.equal(again.adapter[name], parameter), name

    # What is shipped: the change merged into the weights, in half precision.
    windows = [window for window, _ in asked]
    again.save()
    weights = {name: weight.clone() for name, weight in before.weights.items()}
    adapt(weights, load_file(tmp_path / "adapter.safetensors"))
    merged = Llama(read_config(model_directory("base"))["language"], weights)
    with torch.no_grad():
        language.network = Tuned(before, dict(again.adapter))
        beside = language.log_probabilities(windows)
        language.network = merged
        near = (language.log_probabilities(windows) - beside).abs().mean()
        language.network = before
        far = (language.log_probabilities(windows) - beside).abs().mean()
    assert near < 0.25 * far  # merging rounds to bfloat16
    assert far > 0.2


def test_a_fresh_adapter_changes_nothing(language: LanguageModel) -> None:
    adapter = fresh(language.network)
    merged = {name: weight.clone() for name, weight in language.network.weights.items()}
    adapt(merged, adapter)
    assert adapter
    for name, weight in language.network.weights.items():
        assert torch.equal(merged[name], weight)


def test_shares_say_nothing_of_the_text_itself(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    shares = importlib.import_module("training.shares")
    gold = tmp_path / "here.gold"
    marks = "{navy=>military} and {shores=>coasts} and {stocks=>shares} "
    gold.write_text(f"# made up; mentioned\nThe {1500 * marks}\n", encoding="utf-8")

    def entry(spun: str, original: str, table: str, family: str = "any") -> Entry:
        return Entry(spun, original, "n", 1, family, table)

    entries = [
        *(entry("navy", "military", table) for table in ("core", "written_here")),
        *(entry("navy", other, "thesaurus", "thesaurus") for other in ("fleet", "blue")),
        *(
            entry("shores", word, "core" if word == "coasts" else "wordnet", "crude")
            for word in ("coasts", "props")
        ),
        entry("stocks", "shares", "core"),
        entry("stocks", "cattle", "thesaurus", "thesaurus"),
        entry("stocks", "stores", "written_here"),
        # Never marked, but of the same kinds.
        entry("foliage", "leaves", "core"),
        entry("foliage", "wrap", "thesaurus", "thesaurus"),
    ]
    sources: dict[tuple[str, str], list[Entry]] = {}
    for e in entries:
        sources.setdefault((e.spun, e.original), []).append(e)
    pairs = shares.Pairs(sources, dict.fromkeys(["navy", "military", "leaves"], 30.0))
    network = shares.learn(pairs, set(), [gold])
    found = dict(zip(pairs.pairs, shares.shares(pairs, network), strict=True))
    assert found["foliage", "leaves"] > 0.8
    own = dict(zip(pairs.pairs, shares.shares(pairs, network, "written_here"), strict=True))
    assert own["stocks", "stores"] == 0.0 < found["stocks", "stores"]
    # The table of the text itself is as good as not there.
    less = {pair: [e for e in some if e.table != "written_here"] for pair, some in sources.items()}
    bare = shares.Pairs(
        {pair: some for pair, some in less.items() if some},
        dict.fromkeys(["navy", "military", "leaves"], 30.0),
    )
    for pair, share in zip(bare.pairs, shares.shares(bare, network), strict=True):
        assert own[pair] == pytest.approx(share)
    for spun in {spun for spun, _ in sources}:
        for some in (found, own):
            assert sum(share for (s, _), share in some.items() if s == spun) == pytest.approx(1)


def test_nothing_is_learnt_from_pairs_kept_apart(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    shares = importlib.import_module("training.shares")
    gold = tmp_path / "here.gold"
    gold.write_text(
        "# made up; mentioned\nThe {navy=>military} and the {stocks=>shares} fell.\n", encoding="utf-8"
    )
    sources = {
        pair: [Entry(*pair, "n", 1, "any", "core")] for pair in (("navy", "military"), ("stocks", "shares"))
    }
    pairs = shares.Pairs(sources, {})
    asked: list[int] = []

    def noted(examples: Sequence[Example], *rest: int) -> dict[str, np.ndarray]:
        asked.append(len(examples))
        return {name: np.zeros((1, 1)) for name in ("w1", "b1", "w2")}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "train", noted)
        for held_out in (set(), {("navy", "military")}):
            shares.learn(pairs, held_out, [gold])
    assert asked == [2, 1]
