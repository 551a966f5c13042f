"""The shipped model: verified when loaded, and a changed file is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.speed import Documents
from detrans import Detrans, ModelError
from detrans.assets import MANIFEST, model_directory, verify
from detrans.judge import Proposed
from detrans.normalise import Scored
from tests.conftest import ROOT

SPUN = "Fake information was despatched final week by the navy, the chief mentioned. " * 4


@pytest.mark.parametrize("name", ["lexical", "small", "base"])
def test_shipped_files_match_their_manifest(name: str) -> None:
    verify(model_directory(name))


def test_no_pickle_is_shipped() -> None:
    kinds = {p.suffix for p in model_directory("base").parent.rglob("*") if p.is_file()}
    assert kinds <= {".safetensors", ".json", ".tsv", ".md", ""}


FILES = [
    *(("base", name) for name in ("language.safetensors", "language.json", "adapter.safetensors")),
    *(("base", name) for name in ("judge.safetensors", "config.json")),
    *(("small", name) for name in ("encoder.safetensors", "tokenizer.json", "config.json")),
]


@pytest.mark.parametrize(("model", "name"), FILES)
@pytest.mark.parametrize("how", ["changed", "truncated", "missing"])
def test_tampering_is_noticed(tmp_path: Path, model: str, name: str, how: str) -> None:
    directory = tmp_path / "model"
    shutil.copytree(model_directory(model), directory)
    path = directory / name
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-100] if how == "truncated" else data[:50] + b"!" + data[51:])
    with pytest.raises(ModelError, match=f"{name}.*(was changed|cannot be read)"):
        Detrans(model=str(directory)).clean(SPUN)


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{MANIFEST} is missing or damaged"):
        Detrans(model=str(tmp_path)).clean(SPUN)


def test_a_file_that_no_manifest_names_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "model"
    shutil.copytree(model_directory("base"), directory)
    (directory / "notes.md").write_text("Notes beside a model are welcome.")
    verify(directory)
    (directory / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"weights\.safetensors does not belong to this model; remove it"):
        verify(directory)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 5}', "[" * 100_000, '{"sha256": {"a": "b"'])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match=f"{MANIFEST} is missing or damaged"):
        verify(tmp_path)


@pytest.mark.parametrize(
    "name", ["ngrams.safetensors", "scorer.safetensors", "lexicon.safetensors", "config.json"]
)
def test_the_lexical_files_are_verified_too(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "lexical"
    shutil.copytree(model_directory("lexical"), directory)
    data = (directory / name).read_bytes()
    (directory / name).write_bytes(data[:60] + b"!" + data[61:])
    monkeypatch.setattr("detrans.pipeline.model_directory", lambda _: directory)
    with pytest.raises(ModelError, match=f"{name} was changed.*Reinstall detrans"):
        Detrans(model="none").clean(SPUN)


@pytest.mark.parametrize(
    ("model", "name", "what"),
    [("base", "language", "the language model"), ("small", "encoder", "the encoder")],
)
def test_weights_of_another_kind_are_refused(tmp_path: Path, model: str, name: str, what: str) -> None:
    """A pickled checkpoint under our name is read as safetensors or not at all."""
    import pickle

    from training.manifest import write

    directory = tmp_path / "model"
    shutil.copytree(model_directory(model), directory)
    (directory / f"{name}.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}))
    write(directory)
    with pytest.raises(ModelError, match=f"cannot load {what}"):
        Detrans(model=str(directory), device="cpu").clean(SPUN)


def test_loading_executes_nothing() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "detrans").rglob("*.py"))
    for loader in ("pickle", "torch.load", "marshal", "shelve", "joblib", "yaml", "exec(", "allow_pickle"):
        assert loader not in source
    assert "eval(" not in source.replace(".eval()", "")


def test_examining_reads_a_document_once(base: Detrans, monkeypatch: pytest.MonkeyPatch) -> None:
    assert base._second
    score, read = base._second.score, []

    def watched(proposed: Sequence[Proposed]) -> list[list[Scored]]:
        read.extend(document.text for document, *_ in proposed)
        return score(proposed)

    monkeypatch.setattr(base._second, "score", watched)
    detection, repair = base.examine(SPUN)
    assert read.count(SPUN) == 1
    monkeypatch.undo()
    assert (detection, repair) == (base.detect(SPUN), base.repair(SPUN))
    assert repair.edits


def test_the_second_gate_saves_the_network_work(base: Detrans, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def watched(proposed: Sequence[Proposed]) -> list[list[Scored]]:
        read.extend(document.text for document, *_ in proposed)
        return [scored for *_, scored in proposed]

    monkeypatch.setattr(base._second, "score", watched)
    clean = [t for t in Documents().draw(200, 0.0) if base.scores([t])[0] >= base._lexical["gate"]]
    assert clean
    base.repair_batch([*clean, SPUN])
    assert SPUN in read
    assert len(set(read) & set(clean)) < 0.4 * len(clean)
