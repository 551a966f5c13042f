"""Corpora through the command line: every format, order, rejects, interruption, bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from detrans import Config, Detrans
from detrans.corpus import Options, run
from detrans.corpus.formats import chunks, compress, expand, read_records
from detrans.corpus.run import pool
from detrans.corpus.work import Task
from detrans.errors import DetransError
from tests.conftest import ROOT

SPUN = (
    "He mentioned that the troops had been despatched to the entrance line final week, and that pretend "
    "information was unfold by the navy intelligence. The overseas minister informed the White Home so."
)
CLEAN = "The committee met on Tuesday and agreed to publish its report in the spring."
TASK = Task(Config(model="none"))


@pytest.fixture(scope="module")
def repaired(lexical: Detrans) -> str:
    text = lexical.clean(SPUN)
    assert text != SPUN
    return text


def records(count: int) -> list[dict[str, Any]]:
    return [{"id": i, "text": f"{i}. {SPUN if i % 5 == 0 else CLEAN}", "x": [1, None]} for i in range(count)]


def jsonl(count: int) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in records(count)).encode()


def expected(lexical: Detrans, count: int) -> list[dict[str, Any]]:
    return [r | {"text": lexical.clean(r["text"])} for r in records(count)]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_json_lines_compressed_or_not(tmp_path: Path, lexical: Detrans, suffix: str) -> None:
    source, target = tmp_path / f"in.jsonl{suffix}", tmp_path / f"out.jsonl{suffix}"
    source.write_bytes(compress(jsonl(20), suffix))
    summary = run([str(source)], TASK, Options(target))
    assert [r.data for r in read_records([str(target)], "text")] == expected(lexical, 20)
    assert (summary.documents, summary.flagged, summary.rejects) == (20, 4, 0)
    assert not list(tmp_path.glob("*.partial"))


def test_clean_json_lines_stay_byte_for_byte(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    line = b'{"text" :"' + CLEAN.encode() + b' caf\\u00e9",   "n":1.50}\n'
    source.write_bytes(line * 3)
    run([str(source)], TASK, Options(target))
    assert target.read_bytes() == source.read_bytes()


def test_csv_keeps_its_columns(tmp_path: Path, repaired: str) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "body"], ["1", SPUN], ["2", 'with "quotes",\nand a line']])
    run([str(source)], Task(Config(model="none"), "body", add_score=True), Options(target))
    rows = list(csv.reader(io.StringIO(target.read_text(), newline="")))
    assert rows[0] == ["id", "body", "detrans_score"]
    assert rows[1][:2] == ["1", repaired]
    assert rows[2][:2] == ["2", 'with "quotes",\nand a line']
    assert float(rows[1][2]) > 0.9 > float(rows[2][2])


def test_parquet(tmp_path: Path, lexical: Detrans) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    parquet.write_table(arrow.Table.from_pylist(records(600)), source)
    run([str(source)], TASK, Options(target))
    assert parquet.read_table(target).to_pylist() == expected(lexical, 600)
    with pytest.raises(DetransError, match="no column 'body'"):
        run([str(source)], Task(Config(model="none"), "body"), Options(tmp_path / "x.parquet"))
    assert not list(tmp_path.glob("x*"))


def test_folders_are_mirrored_and_lines_are_documents(tmp_path: Path, repaired: str) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text(f"{SPUN}\n{CLEAN}\n")
    (tmp_path / "in" / "deep" / "b.txt.gz").write_bytes(gzip.compress(f"{SPUN}\r\n".encode()))
    run([str(tmp_path / "in")], TASK, Options(tmp_path / "out", lines=True))
    assert (tmp_path / "out" / "a.txt").read_text() == f"{repaired}\n{CLEAN}\n"
    assert (
        gzip.decompress((tmp_path / "out" / "deep" / "b.txt.gz").read_bytes()) == f"{repaired}\r\n".encode()
    )
    assert [s.relative for s in expand([str(tmp_path / "in" / "*.txt")])] == ["a.txt"]


def test_filters(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(jsonl(20))
    run([str(source)], Task(Config(model="none"), repair=False, most=0.5), Options(target))
    kept = [r.data for r in read_records([str(target)], "text")]
    assert kept == [r for r in records(20) if SPUN not in r["text"]]


def test_any_worker_count_and_chunk_size_gives_the_same(
    tmp_path: Path, lexical: Detrans, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(jsonl(30))
    outputs = []
    for workers, size in ((1, 256), (1, 1), (2, 4)):
        monkeypatch.setattr("detrans.corpus.formats.CHUNK_RECORDS", size)
        target = tmp_path / f"out-{workers}-{size}.jsonl"
        run([str(source)], TASK, Options(target, workers=workers))
        outputs.append(target.read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
    assert [json.loads(line) for line in outputs[0].splitlines()] == expected(lexical, 30)


def test_bad_records_are_noted_and_the_run_goes_on(tmp_path: Path) -> None:
    source, target, rejects = (tmp_path / n for n in ("in.jsonl", "out.jsonl", "bad.jsonl"))
    source.write_bytes(b'{"text": "fine"}\nnot json\n{"text": 7}\n{"body": "x"}\n[1]\n{"text": "good"}\n')
    command = [sys.executable, "-m", "detrans", "clean", "--model", "none", str(source), "-o", str(target)]
    done = subprocess.run([*command, "--rejects", str(rejects)], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 3
    assert [r.text for r in read_records([str(target)], "text")] == ["fine", "good"]
    noted = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [n["record"] for n in noted] == [2, 3, 4, 5]
    assert noted[0]["reason"].startswith("not JSON")
    assert json.loads(done.stderr)["rejects"] == 4


@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_resume_after_kill(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in.jsonl"
    whole, target = tmp_path / f"whole.jsonl{suffix}", tmp_path / f"out.jsonl{suffix}"
    source.write_bytes(jsonl(3000))
    run([str(source)], TASK, Options(whole))
    command = [sys.executable, "-m", "detrans", "clean", "--model", "none", str(source), "-o", str(target)]
    journal = target.with_name(target.name + ".journal")
    process = subprocess.Popen([*command, "--workers", "1"], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    partial = target.with_name(target.name + ".partial")
    with partial.open("ab") as file:  # what was on its way when the process died
        file.write(b"half a rec")
    summary = run([str(source)], TASK, Options(target, resume=True))
    assert 0 < summary.resumed < 3000
    assert target.read_bytes() == whole.read_bytes()
    assert not partial.exists()
    assert not journal.exists()
    again = run([str(source)], TASK, Options(target, resume=True))
    assert again.documents == 0


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Ten times the input takes hardly more memory: a generator feeds the runner, nothing piles up."""

    def peak(count: int) -> int:
        source = tmp_path / "in.jsonl"
        source.write_bytes((json.dumps({"text": CLEAN * 40}) + "\n").encode() * count)
        with pool(TASK, 1) as ordered:
            stream = ordered(chunks(expand([str(source)])[0]))
            next(stream)
            tracemalloc.start()
            for _ in stream:
                pass
            high = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return high

    small, large = peak(700), peak(3500)
    assert large < 1.2 * small


def test_unreadable_input_is_a_plain_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl.xz"
    broken.write_bytes(lzma.compress(jsonl(2000))[:-40])
    target = tmp_path / "out.jsonl"
    with pytest.raises(DetransError, match="cannot be read"):
        run([str(broken)], TASK, Options(target))
    assert not target.exists()
    with pytest.raises(DetransError, match="no file matches"):
        expand([str(tmp_path / "*.csv")])
    both = [str(tmp_path / "a" / "x.txt"), str(tmp_path / "b" / "x.txt")]
    with pytest.raises(DetransError, match="would both be written"):
        run(both, TASK, Options(tmp_path / "out"))
