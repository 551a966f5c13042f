"""The report in headless Chromium: hostile text, filters, reasons by keyboard, wide and narrow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from detrans import Edit
from detrans.pipeline import Span
from detrans.report import page
from tests.test_report import Elements, entry, hostile

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

# Stands after the page's own script; what it returns is left in the page as text.
ACT = """
const $ = (selector) => document.querySelector(selector);
const shown = () => [...document.querySelectorAll(".doc:not([hidden]) h3")].map((h) => h.textContent);
const said = (selector) => {
  const node = $(selector);
  node.focus();
  return document.getElementById(node.getAttribute("aria-describedby"))?.textContent ?? null;
};
const slide = (id, value) => { $(id).value = value; $(id).dispatchEvent(new Event("input")); };
addEventListener("load", () => setTimeout(() => {
  const seen = { all: shown(), repair: said("#list ins"), suspicion: said("#list mark") };
  const [before, after] = [...$("#list .row:not(.names)").children].map((c) => c.getBoundingClientRect());
  seen.beside = before.top === after.top && before.right <= after.left;
  seen.stacked = before.bottom <= after.top;
  seen.overflow = document.documentElement.scrollWidth > innerWidth;
  slide("#high", 0.7);
  seen.low_scores = shown();
  $("#reset").click();
  $('[data-name="rule:x"]').click();
  seen.without_rule = shown();
  seen.muted = said("#list ins");
  $("#none").click();
  seen.none = [shown(), $("#shown").textContent];
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(seen) }));
}));
"""


def dom(html: str, folder: Path, width: int = 1280) -> str:
    """The page as it stands after its scripts have run."""
    target = folder / "report.html"
    target.write_text(html, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", "--dump-dom"]
    command = [str(CHROMIUM), *flags, "--virtual-time-budget=2000", target.as_uri()]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()


def test_hostile_text_runs_nothing(tmp_path: Path) -> None:
    shown = dom(page([hostile()]), tmp_path)
    assert "<title>detrans report</title>" in shown
    tags = [tag for tag, _ in Elements(shown).tags]
    assert "img" not in tags
    assert tags.count("script") == 2
    # The first document is open and rendered: its edit, its suspicion, and the example of each above.
    assert [tags.count(t) for t in ("del", "ins", "mark")] == [2, 2, 2]
    assert "1 of 1 shown" in shown


@pytest.mark.parametrize("width", [1280, 500])
def test_filters_reasons_and_columns(tmp_path: Path, width: int) -> None:
    rule, pair = (Edit(0, 4, "Any", source, 0.9, "the reason") for source in ("rule:x", "lexicon:y"))
    odd = Span(5, 9, "text", 0.6, "an oddity")
    html = page(
        [
            entry("Some text. " * 30, [rule], source="first", score=0.9, spans=(odd,)),
            entry("Some text.", [pair], source="second", score=0.7),
            entry("Some text.", [], source="third", score=0.1),
        ]
    )
    html = re.sub(r"<meta http-equiv.*?>", "", html).replace("</body>", f"<script>{ACT}</script></body>")
    found = re.search(r"<pre>(.*?)</pre>", dom(html, tmp_path, width))
    assert found
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    assert seen["all"] == ["first", "second", "third"]
    assert seen["low_scores"] == ["second", "third"]
    assert seen["without_rule"] == ["second", "third"]
    assert seen["none"] == [[], "0 of 3 shown, by score"]
    assert "the reason" in seen["repair"]
    assert "an oddity" in seen["suspicion"]
    assert seen["muted"] is None
    assert (seen["beside"], seen["stacked"]) == (width > 760, width <= 760)
    assert not seen["overflow"]
