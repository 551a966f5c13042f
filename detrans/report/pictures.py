"""Small pictures as inline SVG; the page's style sheet gives the colours."""

from __future__ import annotations

from collections.abc import Iterable

_LEFT, _WIDTH, _TOP, _HEIGHT = 10, 320, 16, 92  # of the field of bars; above it is room for the counts


def bar(share: float) -> str:
    """A bar that fills `share` (0 to 1) of its place; the number always stands beside it."""
    width = round(100 * share, 1)
    return (
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rail" width="100" height="6"/><rect width="{width:g}" height="6"/></svg>'
    )


def histogram(values: Iterable[float], title: str, low: int = 0) -> str:
    """Counts of `values` (0 to 1) in tenths, from the tenth `low` on; smaller ones go into the first."""
    counts = [0] * (10 - low)
    for value in values:
        counts[min(max(int(value * 10 + 1e-9) - low, 0), len(counts) - 1)] += 1
    most, wide, floor = max(1, *counts), _WIDTH / len(counts), _TOP + _HEIGHT
    told = ", ".join(f"{(low + i) / 10:.1f} to {(low + i + 1) / 10:.1f}: {n}" for i, n in enumerate(counts))
    pieces = [
        f'<svg class="histogram" viewBox="0 0 {_WIDTH + 2 * _LEFT} {floor + 18}" role="img" '
        f'aria-label="{title}. {told}"><path d="M{_LEFT} {floor}h{_WIDTH}"/>'
    ]
    for i, n in enumerate(counts):
        x = _LEFT + wide * i
        if n:
            height = max(2, round(_HEIGHT * n / most))
            pieces.append(
                f'<rect x="{x + 2:g}" y="{floor - height}" width="{wide - 4:g}" height="{height}" rx="2"/>'
                f'<text x="{x + wide / 2:g}" y="{floor - height - 4}">{n:,}</text>'
            )
    for i in range(len(counts) + 1):
        x = _LEFT + wide * i
        pieces.append(f'<text class="tick" x="{x:g}" y="{floor + 14}">{(low + i) / 10:.1f}</text>')
    return "".join((*pieces, "</svg>"))
