"""Stretches that are never touched: addresses, handles, code, markup.

Every pattern is linear whatever it is fed: possessive quantifiers leave nothing to backtrack into,
and a construct that is never closed runs to the end of the text (as HTML says of comments and
scripts) or is searched at most once more. Most text has none of the characters that begin such
stretches, and looking for those is nearly free.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator

import regex

Spans = list[tuple[int, int]]

# A tag as HTML reads it: ">" and "<" may stand in quoted attribute values.
_TAG = r"""[^<>"'=]*+ (?: (?: =\s*+"[^"]*+" | =\s*+'[^']*+' | ["'=] ) [^<>"'=]*+ )*+"""
_MARKUP_RULES = r"""
    (?=[`~<&\[\]])(?:
      (?<=^[ \t>]*)(?P<fence>```+|~~~+) .*? (?: ^[ \t>]*+(?P=fence) | \Z )
    | (?<!`)``(?!`) (?: [^`\n']++ | `(?!`) | '(?!') )++ ``(?!`)
    | (?<![`\w])` [^`\n]++ `(?![`\w])
    | <!-- .*? (?: --> | \Z )
    | <!\[CDATA\[ .*? (?: \]\]> | \Z )
    | <[!?][^<>]*+>
    | <(?P<raw>script|style|pre|code|kbd|samp|var|tt|textarea|svg|math)\b
      (?&inside)> .*? (?: </(?P=raw)\s*+> | \Z )
    | </?(?P<tag>[a-z][^\s<>"'=/]*+) (?&inside) (?: > | (?P<open>) )
    | (?P<entity>&(?:\#\d{1,7}|\#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});)
    | \]\( (?: [^()\n]++ | \([^()\n]*+\) )*+ \)
    | \]\[ [^\[\]\n]*+ \]
    | \[\[ [^\[\]\n]*+ \]\]
    | \[\^ [^\[\]\n]*+ \]
    | (?<=^[ ]{0,3})\[(?P<label>[^\[\]\n]++)\]:[ \t]*+\S++
      (?:[ \t]++(?:"[^"\n]*+"|'[^'\n]*+'|\([^()\n]*+\)))?+[ \t]*+$
    )
"""


_MARKS = ("<", "`", "&", "](", "][", "]:", "[[", "[^", "~~~")  # one of them is in all of these


def _rules(inside: str, opened: str) -> regex.Pattern[str]:
    rules = _MARKUP_RULES.replace("(?&inside)", inside).replace("(?P<open>)", opened)
    return regex.compile(rules, regex.VERBOSE | regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)


# What begins like a tag and has no end is `open`: that stretch is read once more without quotes.
_MARKUP = _rules(_TAG, "(?P<open>)")
_UNQUOTED = _rules("[^<>]*+", "(?P<open>(?!))")
_SHORTCUT = re.compile(r"\[([^\[\]\n]+)\]")
_INLINE = regex.compile(
    "a|abbr|acronym|b|bdi|bdo|big|cite|del|dfn|em|font|i|ins|mark|nobr|q|s|small|span|strike|strong|"
    "sub|sup|u|wbr",
    regex.IGNORECASE,
)

# The look-behinds stand after the first character, so that the search can jump from one to the next.
_SCHEME = re.compile(r"://[^\s<>\"“”«»]*")
_AT = re.compile(r"@[\w.-]*")
_HASH = re.compile(r"#(?<!\w#)\w[\w-]*")
_DOT = re.compile(r"\.(?<=\w\.)[a-z][\w./?=&%#~+:@-]*")  # example.org/page, report.pdf, p.m.
_MOST_LOCAL = 64  # characters before the @ of an address (RFC 5321)

_MARKDOWN = re.compile(r"^(?:#{1,6} |```|~~~|\|.*\||\[[^\]\n]+\]: )|\]\(", re.MULTILINE)
_INDENTED = re.compile(r"(?:    |\t)[^\r\n]*\S")
_LIST_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]")
_FRONT_MATTER = regex.compile(r"---\r?\n(?=[\w-]+:).*?^---[ \t]*+$", regex.DOTALL | regex.MULTILINE)


def protected_spans(text: str) -> Spans:
    """[start, end) of each stretch that no edit may touch, in order, none overlapping another."""
    spans: Spans = []
    if "://" in text:
        spans += (_leftwards(text, m, 20, "+.-") for m in _SCHEME.finditer(text))
    if "@" in text:
        spans += _handles(text)
    if "#" in text:
        spans += (m.span() for m in _HASH.finditer(text))
    spans += (_leftwards(text, m, 200, "-._@") for m in _DOT.finditer(text))
    if any(mark in text for mark in "<`&[]~") and any(mark in text for mark in _MARKS):
        spans += _markup(text)
    if ("\t" in text and "\n\t" in text) or "\n    " in text:
        spans += _indented_code(text)
    if text.startswith("---") and (front := _FRONT_MATTER.match(text)):
        spans.append(front.span())
    return merge(spans)


def merge(spans: Spans) -> Spans:
    """The same stretches in order, those that overlap or touch joined."""
    result: Spans = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def touches(spans: Spans, start: int, end: int) -> bool:
    """Whether [start, end) shares a character with one of `spans` (merged)."""
    at = bisect_right(spans, start, key=lambda s: s[1])
    return at < len(spans) and spans[at][0] < end


def _leftwards(text: str, match: re.Match[str], most: int, others: str) -> tuple[int, int]:
    """A match together with the letters, digits and `others` before it."""
    start = match.start()
    stop = max(0, start - most)
    while start > stop and (text[start - 1].isalnum() or text[start - 1] in others):
        start -= 1
    return start, match.end()


def _handles(text: str) -> Iterator[tuple[int, int]]:
    for m in _AT.finditer(text):
        start, end = _leftwards(text, m, _MOST_LOCAL, "_.+-")
        if end - start > 1:
            yield start, end


def _markup(text: str) -> Spans:
    spans: Spans = []
    inline: Spans = []
    labels: set[str] = set()
    for m in _constructs(text):
        spans.append(m.span())
        if m["label"]:
            labels.add(m["label"].casefold())
        elif m["tag"] and _INLINE.fullmatch(m["tag"]):
            inline.append(m.span())
        elif m["entity"] and _in_word(html.unescape(m["entity"])):
            spans.append(_glued(text, *m.span()))
    for start, end in merge(inline):
        if text[max(start - 1, 0)].isalnum() and text[end : end + 1].isalnum():
            spans.append(_glued(text, start, end))  # a word with markup inside is no word to match
    if labels:  # "[label]" alone is a link where the label is defined
        spans += (m.span() for m in _SHORTCUT.finditer(text) if m[1].casefold() in labels)
    return spans


def _constructs(text: str) -> Iterator[regex.Match[str]]:
    for m in _MARKUP.finditer(text):
        if m["open"] is None:
            yield m
        else:
            yield from _UNQUOTED.finditer(text, m.start(), m.end() + 1)


def _in_word(character: str) -> bool:
    return character.isalnum() or character in "'’\u00ad\u200b\u200c\u200d"


def _glued(text: str, start: int, end: int) -> tuple[int, int]:
    """A stretch together with the letters and digits that touch it."""
    while start and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return start, end


def _indented_code(text: str) -> Spans:
    """Lines indented by four columns after an empty line, in Markdown, outside lists."""
    if not _MARKDOWN.search(text):
        return []
    spans: Spans = []
    at, empty, in_list, in_code = 0, True, False, False
    for line in text.splitlines(keepends=True):
        if not line.strip():
            empty = True
        elif _INDENTED.match(line):
            in_code = in_code or (empty and not in_list)
            if in_code:
                spans.append((at, at + len(line)))
            empty = False
        else:
            in_code = False
            # A list goes on until a line that is neither an item nor indented follows an empty one.
            in_list = bool(_LIST_ITEM.match(line)) or (in_list and not (empty and line[0] not in " \t"))
            empty = False
        at += len(line)
    return spans
