"""The report: nothing lost, nothing executed, nothing loaded, the same page every time."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from detrans import Detrans, Edit, apply
from detrans.pipeline import Detection, Repair, Sentence, Span
from detrans.report import Entry, page
from detrans.report.parts import Swap, sentence_parts
from detrans.report.pictures import histogram
from tests.test_cli import FAST, SEED, run

HOSTILE = (
    "</script><script>document.title='pwned'</script> <img src=x onerror=\"document.title='pwned'\">\n"
    "<!--<script> & &lt; </details></main> \"quoted' ]]> <svg onload=alert(1)>\n"
    "\u202egnirts desrever \u2028 $script ${documents} \x00\x1b[31m 😀 caf\udce9"
)


def entry(
    text: str, edits: list[Edit], *, source: str = "a.txt", score: float = 0.9, spans: tuple[Span, ...] = ()
) -> Entry:
    """An entry with one sentence a line, made without a pipeline."""
    bounds = [m.span() for m in re.finditer(r"[^\n]*\n|[^\n]+", text)]
    sentences = tuple(
        Sentence(a, b, text[a:b], 0.7, tuple(s for s in spans if a <= s.start < b)) for a, b in bounds
    )
    return Entry(
        source,
        text,
        Detection(score, sentences, "signed"),
        Repair(apply(text, edits), tuple(edits), score, "signed"),
    )


def hostile() -> Entry:
    edits = [Edit(0, 9, HOSTILE, f"lexicon:{HOSTILE}", 0.97, HOSTILE)]
    return entry(
        HOSTILE,
        edits,
        source=HOSTILE,
        spans=(Span(len(HOSTILE) - 5, len(HOSTILE), HOSTILE[-5:], 0.6, "<b>"),),
    )


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._script: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs)

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts.append((self._script, data))

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def documents(self) -> list[list[list[object]]]:
        return [json.loads(data) for attrs, data in self.scripts if attrs.get("type") == "application/json"]


def joined(parts: list[tuple[float, list[str | Swap]]], side: str) -> str:
    return "".join(p if isinstance(p, str) else getattr(p, side) for _, parts_ in parts for p in parts_)


@pytest.mark.parametrize(
    "edits",
    [
        [],
        [(0, 3, "New")],
        [(0, 0, "Well, "), (30, 30, " The end.")],
        [(12, 20, "")],  # across the end of a sentence, nothing left
        [(4, 7, "x"), (7, 9, "y"), (26, 30, "😀")],
    ],
)
def test_parts_join_to_before_and_after(edits: list[tuple[int, int, str]]) -> None:
    text = "One two three.\nFour five six.\n"
    assert len(text) == 30
    span = Span(4, 7, "two", 0.6, "odd")
    e = entry(text, [Edit(a, b, new, "rule:x", 0.9, "why") for a, b, new in edits], spans=(span,))
    parts = sentence_parts(e.text, e.detection, e.repair)
    assert joined(parts, "before") == text
    assert joined(parts, "after") == e.repair.text
    swaps = [p for _, ps in parts for p in ps if isinstance(p, Swap)]
    assert [s.edit for s in swaps if s.edit] == list(e.repair.edits)
    assert (span.text in [s.before for s in swaps if not s.edit]) == (
        edits != [(4, 7, "x"), (7, 9, "y"), (26, 30, "😀")]
    )


def test_a_real_document_is_in_the_page_whole(lexical: Detrans, seeds: dict[str, str]) -> None:
    text = seeds["001"]
    repair = lexical.repair(text)
    found = Elements(page([Entry("seed", text, lexical.detect(text), repair)]))
    parts = [p for _, parts in found.documents()[0] for p in parts]  # type: ignore[attr-defined]
    assert "".join(p if isinstance(p, str) else p[0] for p in parts) == text
    assert "".join(p if isinstance(p, str) else p[1] for p in parts) == repair.text
    edits = [p for p in parts if not isinstance(p, str) and p[2] is not None]
    assert [p[4] for p in edits] == [e.reason for e in repair.edits]
    names = {a["value"]: a["data-name"] for tag, a in found.tags if tag == "input" and "data-name" in a}
    assert [names[str(p[2])] for p in edits] == [e.source for e in repair.edits]


def test_hostile_text_stays_text() -> None:
    plain = entry(
        "Some text.", [Edit(0, 4, "Any", "rule:x", 0.9, "why")], spans=(Span(5, 9, "text", 0.6, "odd"),)
    )
    found, usual = Elements(page([hostile()])), Elements(page([plain]))
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in usual.tags]
    assert {a for _, attrs in found.tags for a in attrs} == {a for _, attrs in usual.tags for a in attrs}
    parts = [p for _, parts in found.documents()[0] for p in parts]  # type: ignore[attr-defined]
    assert "".join(p if isinstance(p, str) else p[0] for p in parts) == HOSTILE.replace("\udce9", "\ufffd")
    written = page([hostile()])
    assert "pwned'</script>" not in written
    assert written.encode()  # undecodable bytes do not reach the page


def test_the_page_loads_and_runs_nothing_else() -> None:
    import base64
    import hashlib

    written = page([hostile()])
    found = Elements(written)
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    (script,) = re.findall(r"<script>(.*?)</script>", written, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", written, re.DOTALL)
    for body in (script, style):
        assert base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() in policy
    assert not re.search(
        r"\beval\b|innerHTML|outerHTML|insertAdjacent|document\.write|fetch\(|import\(", script
    )
    assert not re.search(r"url\(|@import", style)
    links = [
        v for _, attrs in found.tags for k, v in attrs.items() if k in {"src", "href", "action", "srcset"}
    ]
    assert links == ["#documents"]


def test_documents_by_score_and_the_same_page_again() -> None:
    edit = Edit(0, 4, "Any", "rule:x", 0.9, "why")
    entries = [
        entry("Some text.", [], source="low", score=0.1),
        entry("Some text.", [edit], source="high", score=0.97),
        entry("Some text.", [], source="middle", score=0.6),
        entry("Some text.", [edit], source="middle, edited", score=0.6),
    ]
    written = page(entries)
    assert re.findall(r"<h3><bdi>(.*?)</bdi>", written) == ["high", "middle, edited", "middle", "low"]
    assert re.findall(r'data-kinds="(.*?)"', written) == ["0", "0", "1", "1"]
    assert re.findall(r"<dd>(.*?)</dd>", written) == ["4", "3", "2", "2", "250.0", "0"]
    assert page(iter(entries)) == written


def test_many_documents_and_none() -> None:
    text = "Some text that goes on. " * 40
    one = entry(text, [Edit(0, 4, "Any", "rule:x", 0.9, "why")])
    found = Elements(page(replace(one, source=f"{i}.txt") for i in range(1000)))
    assert len(found.documents()) == 1000
    # A closed document is a line and its data; its sentences are made when it is opened.
    assert len(found.tags) < 20 * 1000
    assert Elements(page([])).documents() == []


def test_histogram_counts_every_value() -> None:
    drawn = histogram([0.0, 0.099, 0.1, 0.3, 0.95, 1.0, 1.0], "Scores")
    assert "0.0 to 0.1: 2, 0.1 to 0.2: 1, 0.2 to 0.3: 0, 0.3 to 0.4: 1" in drawn
    assert "0.9 to 1.0: 3" in drawn
    assert "0.5 to 0.6: 2" in histogram([0.2, 0.55, 0.9], "Edits", low=5)


def test_command_line(tmp_path: Path, lexical: Detrans) -> None:
    text = SEED.read_text(encoding="utf-8")
    path, target = tmp_path / "docs.jsonl", tmp_path / "report.html"
    path.write_text(json.dumps({"body": text}) + "\n" + json.dumps({"body": "Fine."}) + "\n")
    result = run("report", *FAST, "--text-field", "body", path, "-o", target)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    entries = [
        Entry(f"{path}:{i}", t, lexical.detect(t), lexical.repair(t))
        for i, t in enumerate([text, "Fine."], 1)
    ]
    assert target.read_text(encoding="utf-8") == page(entries)
    result = run("report", *FAST, tmp_path / "none.txt", "-o", tmp_path / "other.html")
    assert result.returncode == 1
    assert not (tmp_path / "other.html").exists()
