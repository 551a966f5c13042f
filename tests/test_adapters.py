"""Adapters for clusters and data sets give what `clean` gives. Skipped where their libraries are missing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import detrans
from detrans import Detrans, DetransError
from detrans.datasets import Clean
from detrans.errors import extra

OPTIONS = {"model": "none"}
WORKER = {"num_cpus": 2, "object_store_memory": 10**8}


@pytest.fixture(scope="module")
def texts(seeds: dict[str, str]) -> list[str]:
    spun = [line for line in seeds["001"].split("\n") if len(line) > 100]
    return ["\n".join(spun[i : i + 4]) for i in range(0, len(spun), 4)] + [seeds["002"][:2000], ""]


@pytest.fixture(scope="module")
def expected(texts: list[str]) -> list[str]:
    result = Detrans(**OPTIONS).clean_batch(texts)
    assert result != texts
    return result


def test_a_missing_library_is_named() -> None:
    with pytest.raises(DetransError, match=r"pip install 'detrans\[ray\]'"):
        extra("no_such_library_of_ours", "ray")


@pytest.mark.parametrize("name", ["ray", "datatrove"])
def test_without_its_library_an_adapter_says_what_to_install(name: str) -> None:
    use = "ray.clean(None)" if name == "ray" else "datatrove"
    code = f"import sys; sys.modules[{name!r}] = None; import detrans.{name}; detrans.{use}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"pip install 'detrans[{name}]'" in done.stderr


class TestDatasets:
    def test_two_processes(self, texts: list[str], expected: list[str]) -> None:
        datasets = pytest.importorskip("datasets")
        dataset = datasets.Dataset.from_dict({"body": [*texts, None], "id": list(range(len(texts) + 1))})
        clean = Clean("body", add_score=True, **OPTIONS)
        done = dataset.map(clean, batched=True, batch_size=3, num_proc=2)
        assert done["body"][:] == [*expected, None]
        assert done["id"][:] == dataset["id"][:]
        assert done["detrans_score"][0] > 0.5 > done["detrans_score"][len(texts) - 2]
        assert done["detrans_score"][len(texts)] is None

    def test_the_same_options_have_the_same_hash(self) -> None:
        fingerprint = pytest.importorskip("datasets.fingerprint")
        assert fingerprint.Hasher.hash(Clean(**OPTIONS)) == fingerprint.Hasher.hash(Clean(**OPTIONS))
        assert fingerprint.Hasher.hash(Clean()) != fingerprint.Hasher.hash(Clean(**OPTIONS))

    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(DetransError, match=r"no column 'text' \(has: body\)"):
            Clean()({"body": ["Text."]})

    def test_the_default_model(self, texts: list[str]) -> None:
        text = texts[0]
        assert Clean()({"text": [text, None]})["text"] == [detrans.clean(text), None] != [text, None]


def test_datatrove(texts: list[str], expected: list[str], tmp_path: Path) -> None:
    data = pytest.importorskip("datatrove.data")
    from datatrove.executor import LocalPipelineExecutor

    from detrans.datatrove import DamageFilter, RepairFormatter

    def read(_: Any, rank: int, world_size: int) -> Iterator[Any]:
        return (data.Document(text=t, id=str(i)) for i, t in enumerate(texts))

    def write(documents: Any, rank: int, world_size: int) -> Iterator[Any]:
        lines = [json.dumps({"id": d.id, "text": d.text, "metadata": d.metadata}) for d in documents]
        (tmp_path / "out").write_text("\n".join(lines), encoding="utf-8")
        return iter(())

    steps = [
        read,
        DamageFilter(most=1.0, least=0.5, **OPTIONS),
        RepairFormatter(batch_size=2, **OPTIONS),
        write,
    ]
    LocalPipelineExecutor(steps, logging_dir=str(tmp_path / "logs")).run()
    documents = [json.loads(line) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]

    repairs = Detrans(**OPTIONS).repair_batch(texts)
    spun = [i for i, repair in enumerate(repairs) if repair.score >= 0.5]
    assert [int(d["id"]) for d in documents] == spun
    assert 0 < len(spun) < len(texts)
    for d, i in zip(documents, spun, strict=True):
        assert d["text"] == expected[i]
        assert d["metadata"]["detrans_edits"] == len(repairs[i].edits)
        assert d["metadata"]["detrans_score"] == repairs[i].score

    kept = DamageFilter(**OPTIONS).run(data.Document(text=t, id=str(i)) for i, t in enumerate(texts))
    assert {int(d.id) for d in kept} == set(range(len(texts))) - set(spun)
    assert RepairFormatter(**OPTIONS).format(texts[0]) == expected[0]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without processors, so that all work is on the second node."""
    pytest.importorskip("ray")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 10**8})
    cluster.add_node(**WORKER)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def lose_the_worker(cluster: Any) -> None:
    """Kill the node that has all work, actors and results when another has joined."""
    (worker,) = (node for node in cluster.list_all_nodes() if node is not cluster.head_node)
    cluster.add_node(**WORKER)
    cluster.remove_node(worker, allow_graceful=False)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray")
class TestRay:
    def test_a_node_is_lost_on_the_way(self, cluster: Any, texts: list[str], expected: list[str]) -> None:
        import ray

        import detrans.ray

        ray.init(address=cluster.address, log_to_driver=False)
        ray.data.DataContext.get_current().execution_options.preserve_order = True
        rows = [{"id": i, "text": t, "n": i} for i, t in enumerate(texts * 12)]
        dataset = ray.data.from_items(rows).repartition(24)
        done = detrans.ray.clean(dataset, add_score=True, batch_size=4, **OPTIONS)
        found = []
        for number, row in enumerate(done.iter_rows()):
            if number == 4:
                lose_the_worker(cluster)
            found.append(row)
        assert [r["text"] for r in found] == expected * 12
        assert [r["id"] for r in found] == [r["n"] for r in found] == list(range(len(rows)))
        assert all(0 <= r["detrans_score"] <= 1 for r in found)

    def test_command_line(self, cluster: Any, texts: list[str], tmp_path: Path) -> None:
        """A node is lost on the way here, too; bad records are noted; same bytes as without a cluster."""
        source = tmp_path / "in"
        source.mkdir()
        for number in range(6):
            lines = [json.dumps({"text": t, "n": number}) for t in texts * 4]
            (source / f"{number}.jsonl").write_text("\n".join([*lines, "{bad", ""]), encoding="utf-8")
        (source / "a.csv").write_text('id,text\r\n007,"Some, text"\r\n', encoding="utf-8", newline="")
        (source / "b.txt").write_text("\n".join(texts), encoding="utf-8")

        def command(name: str, *options: str) -> list[str]:
            places = ["-o", str(tmp_path / name), "--rejects", str(tmp_path / f"{name}.rejects")]
            command = [sys.executable, "-m", "detrans", "clean", str(source), *places, "--model", "none"]
            return [*command, "--lines", "--add-score", "--lexicon", "pairs.tsv", *options]

        (tmp_path / "pairs.tsv").write_text("spun\toriginal\nbosom growth\tbreast cancer\n", encoding="utf-8")
        far = command("far", "--ray", cluster.address)
        process = subprocess.Popen(far, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        while process.poll() is None and not list((tmp_path / "far").glob("*.jsonl")):
            time.sleep(0.05)
        lose_the_worker(cluster)
        _, messages = process.communicate(timeout=120)
        assert process.returncode == 3, messages

        near = subprocess.run(command("near"), capture_output=True, text=True, check=False, cwd=tmp_path)
        assert near.returncode == 3, near.stderr
        names = sorted(p.name for p in source.iterdir())
        assert sorted(p.name for p in (tmp_path / "far").iterdir()) == names
        for name in names:
            assert (tmp_path / "far" / name).read_bytes() == (tmp_path / "near" / name).read_bytes()
        rejects = [(tmp_path / f"{name}.rejects").read_text(encoding="utf-8") for name in ("far", "near")]
        assert rejects[0] == rejects[1] and rejects[0].count("\n") == 6
        sums = [json.loads(text.splitlines()[-1]) for text in (messages, near.stderr)]
        for total in sums:
            total.pop("seconds")
        assert sums[0] == sums[1]

    def test_plain_errors(self, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("body\nA text.\n", encoding="utf-8")
        command = [sys.executable, "-m", "detrans", "clean", str(tmp_path / "in.csv"), "--ray", "local"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "-o for the output" in done.stderr
        command += ["-o", str(tmp_path / "out.csv"), "--model", "none"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith("no column 'text' (has: body); see --text-field")
        assert "Traceback" not in done.stderr
        command[command.index("local")] = "nowhere"
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and done.stderr.startswith("detrans: error: no Ray cluster at 'nowhere'")
