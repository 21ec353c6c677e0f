"""Results as small HTML tables, which notebooks show. No TensorFlow."""

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["page", "table"]


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], title: str = "", notes: str = ""
) -> str:
    """Returns a plain HTML table, with every text escaped.

    Args:
        header: sequence of str. Titles of the columns.
        rows: iterable of sequences. Cells; numbers that are already formatted are right-aligned.
        title: str. Caption; empty for none.
        notes: str. Lines below the table; empty for none.
    """
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    below = "".join(f"<div>{escape(line)}</div>" for line in notes.splitlines())
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def page(*parts: str) -> str:
    """Returns several pieces of HTML as one."""
    return f"<div>{''.join(parts)}</div>"


def _cell(value: object) -> str:
    text = str(value)
    side = "right" if _is_number(text) else "left"
    return f'<td style="text-align: {side}; padding: 0 0.6em">{escape(text)}</td>'


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return text == "-"
    return True
