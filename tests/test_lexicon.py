"""Tables are checked, phrases are found by whole words, and the shipped lexicon is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from detrans import ConfigError, Detrans, LexiconError
from detrans.assets import model_directory
from detrans.document import Document
from detrans.fold import fold
from detrans.lexicon import TABLES, Form, Lexicon, read_table, read_user_pairs
from detrans.lexicon.compiled import CompiledLexicon
from detrans.match import Matcher
from detrans.normalise import in_place

HEADER = "spun\toriginal\tpos\tweight\tfamily\n"


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.tsv")), ids=lambda p: p.stem)
def test_shipped_tables_are_valid(path: Path) -> None:
    assert read_table(path)


def test_there_are_ten_thousand_base_pairs() -> None:
    pairs = {(e.spun, e.original) for path in TABLES.glob("*.tsv") for e in read_table(path)}
    assert len(pairs) >= 10_000


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("same\tsame\tx\t1\tany", "maps to itself"),
        ("two  spaces\tx\tx\t1\tany", "stray white space"),
        (" lead\tx\tx\t1\tany", "stray white space"),
        ("a\t\tx\t1\tany", "empty cell"),
        ("a\tb\tq\t1\tany", "part of speech 'q'"),
        ("a\tb\tx\t9\tany", "weight '9'"),
        ("a\tb\tx\t1\tmars", "family 'mars'"),
        ("Upper\tb\tx\t1\tany", "lower-case ASCII"),
        ("a\tb\tx", "3 columns where 5"),
        ("ok\tfine\tx\t1\tany\nok\tfine\tx\t2\tany", "already on line 2"),
    ],
)
def test_malformed_rows_name_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    table = tmp_path / "bad.tsv"
    table.write_text(HEADER + row + "\n")
    with pytest.raises(LexiconError, match=message) as caught:
        read_table(table)
    assert f"{table}:{2 + row.count(chr(10))}:" in str(caught.value)


def test_header_and_encoding_are_checked(tmp_path: Path) -> None:
    table = tmp_path / "bad.tsv"
    table.write_text("wrong\theader\n")
    with pytest.raises(LexiconError, match=r":1: the header must be"):
        read_table(table)
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(LexiconError, match="cannot be read as UTF-8"):
        read_table(table)


@pytest.mark.parametrize(
    ("rows", "message"),
    [("a\tb\nb\ta", "closes a cycle"), ("a\tb\na\tc", "already has an original"), ("a\tA", "maps to itself")],
)
def test_user_pairs_are_checked(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "own.tsv"
    path.write_text("spun\toriginal\n" + rows + "\n")
    with pytest.raises(LexiconError, match=message):
        read_user_pairs(path)


def test_the_compiled_lexicon_says_what_the_table_says(lexicon: Lexicon) -> None:
    compiled = CompiledLexicon(model_directory("lexical") / "lexicon.safetensors")
    assert compiled.phrases == lexicon.phrases
    assert list(compiled.candidates) == lexicon.candidates
    assert compiled.evidence == lexicon.evidence
    assert compiled.hash == lexicon.hash


def found(text: str, *phrases: str) -> list[str]:
    lexicon = Lexicon([Form(p, "x", 1.0, 3.0, 0.0, "any", "test") for p in phrases])
    return [text[m.start : m.end] for m in Document(text, lexicon).matches]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fake information", ["fake information"]),
        ("FAKE  Information!", ["FAKE  Information"]),
        ("“fake information”", ["fake information"]),
        ("fake, information", []),
        ("fake. Information", []),
        ("unfake information", []),
        ("fake informations", []),
        ("fake information’s end", ["fake information"]),
        ("fáke information", ["fáke information"]),
        ("fa\u200bke information", ["fa\u200bke information"]),
        ("fake\tinformation", []),  # a repair would lose the tab
        ("x-fake information", []),
        ("fake information", ["fake information"]),
        ("https://example.org/fake information", []),
        ("`fake information`", []),
        ("#fake information", []),
        ("<b title='fake information'>", []),
    ],
)
def test_phrases_are_found_by_whole_words(text: str, expected: list[str]) -> None:
    assert found(text, "fake information") == expected


def test_overlapping_matches_are_all_found_in_a_fixed_order() -> None:
    text = "the final week of"
    assert found(text, "week", "final week", "final", "the final") == [
        "the final",
        "final week",
        "final",
        "week",
    ]


def test_matcher_agrees_with_a_plain_search() -> None:
    phrases = ["a", "a b", "b", "b c", "c a", "abc"]
    text = "a b c a. abc b a b c"
    which, start, end = Matcher(phrases).find(fold(text))
    plain = {
        (p, i)
        for p in range(len(phrases))
        for i in range(len(text))
        if f" {text.replace('.', ' ')} ".startswith(f" {phrases[p]} ", i)
        and "." not in text[i : i + len(phrases[p])]
    }
    assert {(int(w), int(s) - 1) for w, s in zip(which, start, strict=True)} == plain
    assert all(e - s == len(phrases[w]) for w, s, e in zip(which, start, end, strict=True))


def test_a_singular_does_not_stand_for_a_plural(lexicon: Lexicon) -> None:
    originals = {
        phrase: {f.original for f in forms}
        for phrase, forms in zip(lexicon.phrases, lexicon.candidates, strict=True)
    }
    assert "heart" in originals["coronary heart"] - originals["coronary hearts"]
    assert "hearts" in originals["coronary hearts"] - originals["coronary heart"]


def test_tables_can_be_left_out() -> None:
    full, less = Detrans(model="none"), Detrans(model="none", without=["sport"])
    tables = {f.table for forms in less._lexicon.candidates for f in forms}
    assert tables == {f.table for forms in full._lexicon.candidates for f in forms} - {"sport"}
    assert all(sum(f.share for f in forms) == pytest.approx(1) for forms in less._lexicon.candidates)
    assert less.signature != full.signature
    with pytest.raises(ConfigError, match="no table chess"):
        Detrans(model="none", without=["chess"]).clean("Text.")


@pytest.mark.parametrize(
    ("text", "spun", "original", "expected"),
    [
        ("She signed an settlement.", "settlement", "contract", "a contract"),
        ("He had a disease.", "disease", "urinary infection", "urinary infection"),
        ("He had a disease.", "disease", "infection", "an infection"),
        # The article was as good or bad before.
        ("He had a odd type of dog.", "odd type of dog", "odd dog", "odd dog"),
    ],
)
def test_the_article_suits_what_is_written_after_it(
    text: str, spun: str, original: str, expected: str
) -> None:
    document = Document(text, Lexicon([form := Form(spun, original, 1.0, 4.0, 0.0, "any", "made")]))
    start, written = in_place(document, document.matches[0], form)
    assert written == expected
    assert text[start:].startswith(("a ", "an ") if expected.startswith("a") else spun)
