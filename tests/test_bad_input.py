"""Odd input: every text comes back whole, and what cannot be read is refused with a way out."""

from __future__ import annotations

import time

import pytest

from detrans import ConfigError, Detrans, DetransError, ModelError

ODD = {
    "empty": "",
    "space": " \t \n ",
    "no letters": "1234 5678 -- !!! ...",
    "crlf": "One line.\r\nAnother line.\r\n",
    "tabs": "a\tb\tc",
    "bom": "\ufeffA text with a byte order mark.",
    "nul": "nul \x00 inside",
    "surrogate": "a lone \udc80 surrogate",
    "controls": "".join(map(chr, range(32))),
    "right to left": "שלום עולם \u202eabc\u202c",
    "emoji": "👩‍👩‍👧 family 🇪🇺",
    "combining": "e" + "\u0301" * 1000,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_text_passes_through(detrans: Detrans, name: str) -> None:
    text = ODD[name]
    assert detrans.clean(text) == text
    found = detrans.detect(text)
    assert "".join(s.text for s in found.sentences) == text
    assert 0 <= found.score < 0.5


def test_spun_text_with_odd_characters_keeps_them(base: Detrans, seeds: dict[str, str]) -> None:
    text = "\ufeff" + seeds["001"].replace("\n", "\r\n") + "\x00\udc80"
    cleaned = base.clean(text)
    assert cleaned != text
    assert cleaned.startswith("\ufeff")
    assert cleaned.endswith("\x00\udc80")
    assert cleaned.count("\r\n") == text.count("\r\n")


def test_a_megabyte_in_one_line(lexical: Detrans) -> None:
    line = "The committee met on Tuesday and the people of the city said that it was good. "
    text = line * (1_000_000 // len(line))
    started = time.perf_counter()
    assert lexical.clean(text) == text
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("unit", ["a", "a ", "navy ", "'", "-", "<", "@", "`", "three,000", "[](", "http://"])
def test_repetition_takes_linear_time(lexical: Detrans, unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        started = time.perf_counter()
        lexical.detect(text)
        return time.perf_counter() - started

    seconds(1000)
    small, large = seconds(20_000), seconds(200_000)
    assert large < 0.5 or large < 40 * small, (small, large)


def test_bytes_are_refused_with_a_hint(lexical: Detrans) -> None:
    with pytest.raises(TypeError, match="decode bytes first"):
        lexical.clean(b"bytes")  # type: ignore[arg-type]


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="no option 'treshold'; there are threshold"):
        Detrans(treshold=0.5)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Detrans(threshold=1.5)
    with pytest.raises(ConfigError, match="cannot read"):
        Detrans(keep="/no/such/file")
    with pytest.raises(ModelError, match="no model 'tiny'"):
        Detrans(model="tiny").clean(
            "Fake information was despatched final week by the navy, he mentioned. " * 9
        )
    assert issubclass(ConfigError, DetransError)
