"""Adapters for clusters and data sets give what `clean` gives. Skipped where their libraries are missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detrans import Detrans, DetransError
from detrans.datasets import Clean
from detrans.errors import extra

OPTIONS = {"model": "none"}


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


def test_datasets(texts: list[str], expected: list[str]) -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_dict({"body": [*texts, None], "id": list(range(len(texts) + 1))})
    done = dataset.map(Clean("body", score="score", **OPTIONS), batched=True, batch_size=3, num_proc=2)
    assert done["body"][:] == [*expected, None]
    assert done["id"][:] == dataset["id"][:]
    assert done["score"][0] > 0.5 > done["score"][len(texts) - 2]


def test_datatrove(texts: list[str], expected: list[str]) -> None:
    data = pytest.importorskip("datatrove.data")
    from detrans.datatrove import DamageFilter, RepairFormatter

    def documents() -> list[Any]:
        return [data.Document(text=t, id=str(i)) for i, t in enumerate(texts)]

    assert [d.text for d in RepairFormatter(**OPTIONS).run(documents())] == expected
    human = list(DamageFilter(**OPTIONS).run(documents()))
    spun = list(DamageFilter(least=0.5, most=1.0, **OPTIONS).run(documents()))
    assert {d.id for d in human} | {d.id for d in spun} == {str(i) for i in range(len(texts))}
    assert min(d.metadata["detrans_score"] for d in spun) >= 0.5 >= human[0].metadata["detrans_score"]


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray")
class TestRay:
    def test_a_node_is_lost_on_the_way(self, texts: list[str], expected: list[str]) -> None:
        import ray
        from ray.cluster_utils import Cluster

        import detrans.ray

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
        try:
            node = cluster.add_node(num_cpus=1, object_store_memory=10**8)
            ray.init(address=cluster.address, log_to_driver=False)
            ray.data.DataContext.get_current().execution_options.preserve_order = True
            rows = [{"id": i, "text": t, "n": i} for i, t in enumerate(texts * 12)]
            dataset = ray.data.from_items(rows).repartition(24)
            done = detrans.ray.clean(dataset, score="score", workers=(1, 2), batch_size=4, **OPTIONS)
            found = []
            for number, row in enumerate(done.iter_rows()):
                if number == 4:
                    cluster.remove_node(node, allow_graceful=False)
                found.append(row)
        finally:
            ray.shutdown()
            cluster.shutdown()
        assert [r["text"] for r in sorted(found, key=lambda r: r["id"])] == expected * 12
        assert all(r["n"] == r["id"] and 0 <= r["score"] <= 1 for r in found)

    def test_on_the_command_line(self, texts: list[str], expected: list[str], tmp_path: Path) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        source = tmp_path / "in.parquet"
        parquet.write_table(pyarrow.table({"text": texts, "id": range(len(texts))}), source)
        command = [sys.executable, "-m", "detrans", "clean", str(source), "--ray", "local", "--model", "none"]
        done = subprocess.run(
            [*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        table = parquet.read_table(tmp_path / "out")
        assert table["text"].to_pylist() == expected
        assert table["id"].to_pylist() == list(range(len(texts)))
        bad = subprocess.run(command, capture_output=True, text=True)
        assert bad.returncode == 1 and "-o FOLDER" in bad.stderr
