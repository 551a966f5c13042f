"""Names mended from the document: what is clear is repaired, what is merely alike stays."""

from __future__ import annotations

import time

import pytest

from detrans import Detrans
from detrans.document import Document
from detrans.lexicon import Lexicon
from detrans.names import name_edits

SPEAKERS = "Pentagon spokeswoman Sabrina Singh said troops had left. {} said more would follow."


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (SPEAKERS.format("Shin"), SPEAKERS.format("Singh")),
        (
            "Sergei Lavrov spoke. “No,” Lavrovov said, and Lavrovov’s aides left.",
            "Sergei Lavrov spoke. “No,” Lavrov said, and Lavrov’s aides left.",
        ),
    ],
)
def test_one_name_in_two_spellings(detrans: Detrans, text: str, repaired: str) -> None:
    repair = detrans.repair(text)
    assert repair.text == repaired
    assert all(edit.source == "document:name" for edit in repair.edits)
    assert detrans.clean(repaired) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "Kim Yong-hyun met Kim Jong Un. Kim said little. Kam said less.",
        "The president of Georgia, Salome Zourabichvili, said so. Georgian said otherwise.",
        "Anne Brown said yes. Anna said no.",
        "Anna Karlsson said yes. Anton Carlsson said no. Karlsson said it again, and Carlsson said no again.",
        "Hillary Clinton said yes. The Clintons said no.",
        "Bill Gates said so, and the Gateses stayed. Tom Jones came with the Joneses.",
        "Mary Barbar sang. Barbara said it was fine, and Barbara Hall agreed.",
        "Sabrina Singh said yes. Shin said no. Shin, a farmer, has two sons.",
        "Sabrina Singh said yes. Mr. Shin said no.",
        "Sabrina Singh said yes. Ravi Sinhg said yes. Shing said no.",  # which of the two?
        "The people of Arkansas voted, and most Arkansans said yes.",
        SPEAKERS.format("Shin").replace("Shin", "`Shin`"),
    ],
)
def test_names_that_are_merely_alike_stay(detrans: Detrans, text: str) -> None:
    assert detrans.clean(text) == text


def test_names_may_be_left_alone() -> None:
    text = SPEAKERS.format("Shin")
    assert Detrans(model="none", names=False).clean(text) == text
    assert Detrans(model="none", keep=["Shin"]).clean(text) == text


def test_a_crowd_of_speakers_takes_linear_time() -> None:
    def seconds(count: int) -> float:
        letters = "abcdefghijklmnopqrstuvwxyz"
        names = (
            "S" + "".join(letters[i // 26**k % 26] for k in range(4)) + "abc" for i in range(0, count * 7, 7)
        )
        text = ". ".join(f"{name} said so" for name in names)
        start = time.process_time()
        name_edits(Document(text, Lexicon([])))
        return time.process_time() - start

    # The best of three: in a long test run the garbage collector may come in between.
    small, large = (min(seconds(count) for _ in range(3)) for count in (1000, 8000))
    assert large < 20 * max(small, 0.01)
