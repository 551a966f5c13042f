"""Stretches that are never touched: addresses, handles, code, markup."""

from __future__ import annotations

import regex

# Every alternative starts with a fixed character or string and runs over one character class,
# so matching is linear; the possessive quantifiers leave nothing to backtrack into.
_PROTECTED = regex.compile(
    r"""
      ```.*?(?:```|\Z)                          # fenced code
    | `[^`\n]++`                                # code span
    | <!--.*?-->                                # HTML comment
    | </?[A-Za-z][^<>]*+>                       # HTML tag
    | (?:https?://|www\.)[^\s<>"”]++            # web address
    | (?<![\w.+-])[\w.+-]++@\w[\w-]*+\.[\w.-]++ # e-mail address
    | (?<!\w)[@\#]\w++                          # handle, hash tag
    | \]\([^()\n]*+\)                           # target of a Markdown link
    """,
    regex.VERBOSE | regex.DOTALL,
)


def protected_spans(text: str) -> list[tuple[int, int]]:
    """[start, end) of each stretch that no edit may touch, in order."""
    return [m.span() for m in _PROTECTED.finditer(text)]
