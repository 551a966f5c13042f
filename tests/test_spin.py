"""The synthetic spinner says exactly what it did, and does the same again for the same seed."""

from __future__ import annotations

from detrans.lexicon import Lexicon
from detrans.spin import UNSEEN_FAMILY, Spinner, Spun
from tests.test_properties import CLEAN


def unspun(spun: Spun) -> str:
    pieces, at = [], 0
    for span in spun.spans:
        pieces += [spun.text[at : span.start], span.original]
        at = span.end
    return "".join((*pieces, spun.text[at:]))


def test_putting_the_originals_back_gives_the_clean_text(spinner: Spinner) -> None:
    for seed in range(50):
        assert unspun(spinner.spin(CLEAN, seed)) == CLEAN


def test_the_seed_decides(spinner: Spinner, lexicon: Lexicon) -> None:
    assert spinner.spin(CLEAN, 3) == Spinner(lexicon).spin(CLEAN, 3)
    assert len({spinner.spin(CLEAN, seed).text for seed in range(20)}) > 15


def test_the_rate_is_obeyed(spinner: Spinner) -> None:
    assert spinner.spin(CLEAN, 1, rate=0.0).text == CLEAN
    some = sum(len(spinner.spin(CLEAN, s, rate=0.3).spans) for s in range(30))
    many = sum(len(spinner.spin(CLEAN, s, rate=0.9).spans) for s in range(30))
    assert 1.5 * some < many


def test_an_original_keeps_one_spun_form(spinner: Spinner) -> None:
    text = "The report was long. The report was read. A report came. That report went. One report stayed.\n"
    for seed in range(30):
        spun = spinner.spin(text, seed, rate=1.0)
        forms = {spun.text[s.start : s.end].lower() for s in spun.spans if s.original == "report"}
        assert len(forms) <= 1


def test_held_out_pairs_are_apart(lexicon: Lexicon) -> None:
    held = [f for candidates in lexicon.candidates for f in candidates if f.held_out]
    assert 0.15 < len(held) / sum(map(len, lexicon.candidates)) < 0.25
    unseen = [f for some in lexicon.candidates for f in some if f.family == UNSEEN_FAMILY]
    assert unseen
    assert all(f.held_out for f in unseen)
    pairs = {(f.spun, f.original.lower()) for f in held}
    spinner = Spinner(lexicon, held_out=True)
    for seed in range(30):
        spun = spinner.spin(CLEAN, seed, rate=1.0)
        for s in spun.spans:
            both = (spun.text[s.start : s.end], s.original)
            damaged, original = (t.lower().replace("’", "'") for t in both)
            assert (damaged, original) in pairs or original[0].isdigit()
