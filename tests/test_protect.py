"""What is never touched: markup, code, addresses, other languages, numbers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from detrans.articles import agreeing_article
from detrans.casing import match_case
from detrans.document import Document
from detrans.language import foreign, foreign_spans
from detrans.lexicon import Lexicon
from detrans.lookalikes import disguises
from detrans.normalise import _spelt_numbers
from detrans.protect import merge, protected_spans, touches
from detrans.segment import sentence_spans
from fuzz.checks import eager
from tests.conftest import cases

SPUN = "The army despatched troops final week, the chief mentioned, and the navy mentioned it too."


def test_the_words_are_edited_in_prose() -> None:
    # Else the cases below would prove nothing.
    text = f"{SPUN} And the navy mentioned final week that three,000 had gone."
    assert "navy" not in eager().clean(text)
    assert "3,000" in eager().clean(text)


@pytest.mark.parametrize("case", cases("untouched"))
def test_protected_stretches_stay(case: dict[str, Any]) -> None:
    cleaned = eager().clean(f"{SPUN}\n\n{SPUN}\n\n{case['text']}")
    assert cleaned.endswith(f"\n\n{case['text']}"), case["comment"]
    assert "mentioned" not in cleaned.removesuffix(case["text"])


def test_front_matter_and_the_text_after_it() -> None:
    cleaned = eager().clean(f"---\ntitle: The navy mentioned\ntags: [navy]\n---\n{SPUN}")
    assert cleaned.startswith("---\ntitle: The navy mentioned\ntags: [navy]\n---\n")
    assert not cleaned.endswith(SPUN)


def test_text_between_markup_is_repaired_and_the_markup_kept() -> None:
    page = (
        f'<p class="navy">{SPUN}</p>\n<ul><li>The <b>navy</b> mentioned it.</li></ul>'
        "\n\n## The navy mentioned\n\n* The army, [the navy](http://a.b/navy)\n\n"
        "| navy | army |\n|---|:-:|\n"
    )
    cleaned = eager().clean(page)
    assert cleaned.count("navy") == 2  # the class and the link's target
    for mark in (
        '<p class="navy">',
        "</p>\n<ul><li>",
        "<b>",
        "</b>",
        "</li></ul>\n\n## ",
        "](http://a.b/navy)",
    ):
        assert cleaned.count(mark) == page.count(mark)
    assert cleaned.endswith(" |\n|---|:-:|\n")


@pytest.mark.parametrize(
    "between", ["</b> ", " <br> ", " | ", "* ", " `a` ", "\n# ", "&nbsp;", " @a ", "](b) "]
)
def test_no_match_straddles_a_boundary(lexicon: Lexicon, between: str) -> None:
    def found(text: str) -> list[str]:
        return [text[m.start : m.end] for m in Document(text, lexicon).matches]

    assert "final week" in found("It was final week.")
    assert not any("final" in match and "week" in match for match in found(f"It was final{between}week."))


@pytest.mark.parametrize("before", ["@a ", "#a ", "https://b.c/a ", "`a` a@b.a "])
def test_an_article_in_an_address_is_no_article(before: str) -> None:
    assert eager().clean(f"{before}navy mentioned it; the army mentioned it.").startswith(before)


def test_spans_that_overlap_or_touch_are_joined() -> None:
    spans = merge([(5, 7), (0, 2), (2, 3), (6, 9)])
    assert spans == [(0, 3), (5, 9)]
    assert [touches(spans, *s) for s in [(3, 5), (2, 3), (8, 12), (9, 12)]] == [False, True, True, False]


FOREIGN = [
    "El ejército mencionó que la marina estaba en la frontera desde el lunes",
    "L'armée a dit qu'il n'y avait pas de problème",
    "Die Marine erklärte, dass die Truppen an der Grenze stehen",
    "Il governo ha detto che la marina non era presente",
    "O ministro disse que a marinha estava na fronteira",
    "De minister zei dat de marine niet aanwezig was",
    "Ministern sade att marinen inte var på plats",
    "Minister powiedział, że marynarka nie jest na granicy",
    "Ministeri sanoi, että laivasto ei ollut rajalla",
    "Menteri mengatakan bahwa angkatan laut tidak ada di perbatasan",
    "Bộ trưởng cho biết hải quân không có ở biên giới",
    "部長は海軍が国境にいなかったと述べた",
    "قال الوزير إن البحرية لم تكن على الحدود",
]
ENGLISH = [
    "Army chief fired",
    "Javier de la Rosa, Maria de los Angeles",
    "La Liga: Real Madrid beat Las Palmas",
    "Ludwig van der Rohe and Oscar de la Renta met in Rio de Janeiro",
    "Blogs come in many different forms",
    "Plessy v. Ferguson",
    "Zelenskyy, Łukaszenka, Müller, Erdoğan",
    "It’s a later case",
    "THE ARMY SAID",
    "The café, the naïve façade and the résumé",
]


def test_languages_are_told_apart() -> None:
    assert [text for text in FOREIGN if foreign(text) is not True] == []
    assert [text for text in ENGLISH if foreign(text)] == []


def test_only_the_foreign_sentences_of_a_mixed_text_are_left_out() -> None:
    text = f"{SPUN} {FOREIGN[0]}. La marina. {FOREIGN[0]}. {SPUN}\n{FOREIGN[2]}.\n"
    stretches = [text[a:b].strip() for a, b in foreign_spans(text)]
    assert stretches == [f"{FOREIGN[0]}. La marina. {FOREIGN[0]}.", f"{FOREIGN[2]}."]
    assert foreign_spans(f"{SPUN}\n" + "\n".join(ENGLISH)) == []


# Whatever is searched for with a pattern, and the pieces that such patterns begin with.
PATTERNS: dict[str, Callable[[str], object]] = {
    "protect": protected_spans,
    "lookalikes": disguises,
    "language": foreign_spans,
    "numbers": _spelt_numbers,
    "articles": lambda text: agreeing_article(text, "apple"),
    "segment": sentence_spans,
    "casing": lambda text: match_case("fake news", text),
}
ATTACKS = [
    "a", " ", "<", "<a ", "<a =", "<a ='", "<a ='<a' ", "<a \"'", '<a "', "<!--", "<![CDATA[", "<pre>",
    "<code ", "<pre ='<pre' =' ", "`", "``", "`a", "``a'", "```\n", " ```", "~~~", "> ", "](", "](a(",
    "](()", "\n[a]: b ", "[[", "][", "[^", "&", "&#1", "a&eacute;", "a<b>", "<b>a", "@", "a@", "#a",
    "://", "a://", "a.a", "\n\n    x", "- x\n\n    x", "\n---\na:", "three,000", "three,", ",000",
    "a\u0430", "\u0430\u200b", "\uff41 ", "\U0001d41a", "\U0001d41a \uff41", "\u200b", "“", "... ",
    ".) ", "l'", "qu'", "it's'", "é", "e\u0301", "\u0600", "M.", "an \"",
]  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_can_be_driven_beyond_linear_time(name: str) -> None:
    def seconds(attack: str, size: int) -> float:
        text = attack * (size // len(attack))
        best = float("inf")
        for _ in range(2):
            started = time.process_time()
            PATTERNS[name](text)
            best = min(best, time.process_time() - started)
        return best

    for attack in ATTACKS:
        # Four times the text: linear is 4, quadratic is 16. Below a few milliseconds all is noise.
        for _ in range(3):
            small, large = seconds(attack, 8_000), seconds(attack, 32_000)
            if large < 0.02 or large < 8 * small:
                break
        else:
            pytest.fail(f"{attack!r}: {small:.4f} s, four times as much {large:.4f} s")
