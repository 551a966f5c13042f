"""What must hold for every input. The fuzz targets look for inputs that break it; the tests replay
those kept in `corpus/`."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from detrans import Detrans, DetransError, Edit, apply
from detrans.assets import read_config, verify
from detrans.corpus.formats import read_records
from detrans.document import Document
from detrans.language import foreign_spans
from detrans.lexicon import read_table, read_user_pairs
from detrans.protect import protected_spans, touches
from detrans.segment import sentence_spans


@cache
def eager() -> Detrans:
    """An instance that lets every text through the gate and edits at the slightest suspicion."""
    detrans = Detrans(model="none", threshold=0.2)
    detrans._lexical["gate"] = 0.0
    return detrans


def check_text(data: bytes) -> None:
    """Nothing is lost, moved or edited where it must not be; AssertionError otherwise."""
    text = data.decode("utf-8", "surrogateescape")
    sentences = sentence_spans(text)
    assert "".join(text[a:b] for a, b in sentences) == text
    for spans in (protected_spans(text), foreign_spans(text)):
        assert all(0 <= a < b <= len(text) for a, b in spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    detrans = eager()
    document = Document(text, detrans._lexicon)
    assert all(0 <= m.start < m.end <= len(text) for m in document.matches)
    assert all(document.touchable(m.start, m.end) for m in document.english().matches)
    found = detrans.detect(text)
    assert "".join(s.text for s in found.sentences) == text
    for sentence in found.sentences:
        for span in sentence.spans:
            assert text[span.start : span.end] == span.text
        assert all(a.end <= b.start for a, b in pairwise(sentence.spans))
    repair = detrans.repair(text)
    assert apply(text, repair.edits) == repair.text
    assert breaks(repair.text) == breaks(text)
    kept = protected_spans(text)
    assert not any(touches(kept, e.start, e.end) for e in repair.edits)
    again = [Edit.from_dict(e) for e in json.loads(json.dumps(repair.to_dict()))["edits"]]
    assert apply(text, again) == repair.text
    assert detrans.clean(repair.text) == repair.text
    assert detrans.clean_batch(["Another text.", text]) == ["Another text.", repair.text]


def breaks(text: str) -> list[str]:
    """The line breaks of a text, in order."""
    return [line[len(line.rstrip("\r\n")) :] for line in text.splitlines(keepends=True)]


def check_files(data: bytes) -> None:
    """Any bytes in any file are read, or refused with an error of ours that names the file."""
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        text = directory / "a.txt"
        text.write_bytes(data)
        (record,) = read_records([str(text)], "text")
        assert record.text.encode("utf-8", "surrogateescape") == data
        lines = directory / "a.jsonl"
        lines.write_bytes(data)
        table = directory / "a.tsv"
        table.write_bytes(data)
        for name in ("manifest.json", "config.json"):
            (directory / name).write_bytes(data)
        for read in (
            lambda: list(read_records([str(lines)], "text")),
            lambda: read_table(table),
            lambda: read_user_pairs(table),
            lambda: verify(directory),
            lambda: read_config(directory),
        ):
            try:
                read()
            except DetransError as error:
                assert folder in str(error), error
