"""Look-alike letters: found, repaired inside Latin words, left where they are meant."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from detrans import Detrans, apply
from detrans.lookalikes import disguises
from tests.conftest import cases

SPUN = "The navy mentioned final week that the variety of troops had elevated, an army chief mentioned. "


@pytest.mark.parametrize("case", cases("lookalikes"))
def test_case(lexical: Detrans, case: dict[str, Any]) -> None:
    repair = lexical.repair(case["text"])
    assert repair.text == case["plain"]
    assert apply(case["text"], repair.edits) == repair.text
    assert {e.source for e in repair.edits} <= {"rule:lookalike"}


def test_disguised_damage_is_repaired_like_plain_damage(lexical: Detrans, seeds: dict[str, str]) -> None:
    hidden = seeds["001"].replace("o", "\u043e")
    assert hidden.count("\u043e") > 100
    again = lexical.clean(hidden)
    assert again == lexical.clean(seeds["001"])
    assert lexical.clean(again) == again
    assert lexical.clean_batch([seeds["001"], hidden])[1] == again


def test_disguises_are_evidence(lexical: Detrans) -> None:
    text = "The committee met on Tuesday and said that it would rep\u043ert later."
    found = lexical.detect(text)
    (span,) = found.sentences[0].spans
    assert (span.text, span.score) == ("rep\u043ert", 0.99)
    assert "cyrillic small letter o for “o”" in span.evidence
    assert found.sentences[0].score > 0.5
    assert found.score > lexical.detect(text.replace("\u043e", "o")).score


def test_a_disguised_match_is_one_span(lexical: Detrans) -> None:
    text = SPUN.replace("mentioned", "m\u0435ntion\u0435d") * 3
    spans = [s for sentence in lexical.detect(text).sentences for s in sentence.spans]
    ends = [(s.start, s.end) for s in spans]
    assert all(a[1] <= b[0] for a, b in pairwise(ends))
    both = [s for s in spans if "look-alike" in s.evidence]
    assert len(both) == text.count("m\u0435ntion\u0435d")


def test_the_option(lexical: Detrans) -> None:
    plain = Detrans(model="none", lookalikes=False)
    text = "They rep\u043ert later."
    assert plain.clean(text) == text
    assert plain.detect(text).sentences[0].spans
    assert plain.signature == lexical.signature + "|lookalikes:no"
    assert Detrans(model="none", keep=["report"]).clean(text) == text


def test_a_reason_is_short() -> None:
    text = "𝐜𝐨𝐦𝐦𝐢𝐭𝐭𝐞𝐞"
    (disguise,) = disguises(text)
    assert disguise.describe(text).endswith("mathematical bold small m for “m” …")
