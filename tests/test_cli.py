"""The command line through real processes: results on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from detrans import Detrans, Edit, apply
from tests.conftest import ROOT

SEED = ROOT / "seeds" / "001_d4d637be339d7832.txt"
FAST = ("--model", "none")


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "detrans", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=ROOT, check=False)


def test_clean_equals_the_library(lexical: Detrans) -> None:
    expected = lexical.clean(SEED.read_text(encoding="utf-8")).encode()
    assert run("clean", *FAST, SEED).stdout == expected
    assert run("clean", *FAST, stdin=SEED.read_bytes()).stdout == expected
    assert run("clean", *FAST, "-", stdin=SEED.read_bytes()).stdout == expected


def test_the_model_is_used_by_default(base: Detrans) -> None:
    result = run("clean", "--device", "cpu", SEED)
    assert result.stdout == base.clean(SEED.read_text(encoding="utf-8")).encode()
    assert result.stderr == b""


def test_output_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    result = run("clean", *FAST, SEED, "-o", target)
    assert (result.returncode, result.stdout) == (0, b"")
    assert target.read_bytes() == run("clean", *FAST, SEED).stdout
    target.unlink()
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "fine"}\nnot json\n')
    result = run("clean", *FAST, bad, "-o", target)
    assert result.returncode == 1
    assert f"{bad}:2: not JSON" in result.stderr.decode()
    assert not list(tmp_path.glob("out*"))


def test_input_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("Some text.")
    result = run("clean", *FAST, path, "-o", path)
    assert result.returncode == 1
    assert "input and output at once" in result.stderr.decode()
    assert path.read_text() == "Some text."


def test_jsonl_keeps_its_other_fields(tmp_path: Path, lexical: Detrans) -> None:
    path = tmp_path / "docs.jsonl"
    text = SEED.read_text(encoding="utf-8")
    path.write_text(json.dumps({"id": 7, "body": text, "x": None}) + "\n")
    record = json.loads(run("clean", *FAST, "--text-field", "body", path).stdout)
    assert record == {"id": 7, "body": lexical.clean(text), "x": None}
    result = run("clean", *FAST, path)
    assert result.returncode == 1
    assert "no text in field 'text' (has: id, body, x); see --text-field" in result.stderr.decode()


def test_json_carries_replayable_edits() -> None:
    data = json.loads(run("clean", *FAST, "--json", SEED).stdout)
    edits = [Edit.from_dict(e) for e in data["edits"]]
    assert apply(SEED.read_text(encoding="utf-8"), edits) == data["text"]
    assert "lexicon:" in data["signature"]


def test_detect_scores_each_document() -> None:
    lines = (
        run("detect", *FAST, SEED, ROOT / "seeds" / "002_b1a3bc4991b9d4a0.txt").stdout.decode().splitlines()
    )
    scores = [float(line.split("\t")[0]) for line in lines]
    assert scores[0] > 0.9 > 0.2 > scores[1]
    data = json.loads(run("detect", *FAST, "--json", SEED).stdout)
    assert data["sentences"][0]["spans"]


def test_explain_shows_old_and_new() -> None:
    shown = run("explain", *FAST, SEED).stdout.decode()
    assert "[-mentioned-]{+said+}" in shown


def test_undecodable_bytes_come_back(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 and \x00\r\n")
    assert run("clean", *FAST, path).stdout == path.read_bytes()
    line = run("clean", *FAST, "--json", path).stdout
    assert json.loads(line)["text"] == "caf\udce9 and \x00\r\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("clean", "/no/such/file.txt"), 1, "No such file"),
        (("clean", "--threshold", "2", SEED), 1, "between 0 and 1"),
        (("clean", "--lexicon", "/no/such.tsv", SEED), 1, "cannot be read"),
        (("clean", "--no-such-option"), 2, "No such option"),
        (("polish",), 2, "No such command"),
    ],
)
def test_errors_say_what_to_do(arguments: tuple[str | Path, ...], code: int, message: str) -> None:
    result = run(*arguments)
    assert result.returncode == code
    assert message in result.stderr.decode()
    assert result.stdout == b""


def test_keep_and_lexicon(tmp_path: Path) -> None:
    keep = tmp_path / "keep.txt"
    keep.write_text("mentioned\nnavy\n")
    own = tmp_path / "own.tsv"
    own.write_text("spun\toriginal\nkursk oblast\tKursk Region\n")
    cleaned = run("clean", *FAST, "--keep", keep, "--lexicon", own, SEED).stdout.decode()
    assert cleaned.count("mentioned") == SEED.read_text(encoding="utf-8").count("mentioned")
    assert "Kursk Region" in cleaned


def test_import_is_quick_and_light() -> None:
    code = (
        "import time; t = time.perf_counter(); import detrans; print(time.perf_counter() - t); "
        "import sys; print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, heavy = out.splitlines()
    assert float(seconds) < 0.2
    assert heavy == "[]"


def test_no_network_is_asked_for() -> None:
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        f"import detrans; detrans.clean(open({str(SEED)!r}, encoding='utf-8').read(), device='cpu')"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "0"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
