# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Numbers, paragraphs and tables as text: for reStructuredText, and for a page that
is read as it is."""

import re
import textwrap

WIDTH = 88

# What begins like a figure stands right in its column.
FIGURE = re.compile(r"[-+<]?[0-9]|none$|$")


def number(value):
    """As many digits as tell something, and no exponent."""
    if value is None:
        return "none"
    size = abs(value)
    return f"{value:.0f}" if size >= 100 or value == int(value) else \
        f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _lines(row):
    """A cell may have lines: the row has as many as the highest of them."""
    cells = [cell.split("\n") for cell in row]
    height = max(map(len, cells))
    return [[cell[line] if line < len(cell) else "" for cell in cells]
            for line in range(height)]


def _widths(rows):
    return [max(map(len, column)) for column in zip(*rows)]


def _sides(rows):
    return [">" if all(FIGURE.match(cell) for cell in column) else "<" for column in zip(*rows)]


def _without_empty(head, rows):
    """Columns in which something stands."""
    kept = [number for number, column in enumerate(zip(*rows)) if any(column)]
    return [head[number] for number in kept], [[row[number] for number in kept] for row in rows]


def _join(cells, widths, sides, gap="  "):
    return gap.join(f"{cell:{side}{width}}"
                    for cell, width, side in zip(cells, widths, sides)).rstrip()


def rst_table(head, rows):
    """A simple table. A lone dash would begin a list there, and lines of a heading
    that do not begin below each other would be a quotation."""
    head, rows = _without_empty(head, rows)
    top = _lines(head)
    body = [["none" if cell == "-" else cell for cell in row] for row in rows]
    widths, sides = _widths(top + body), _sides(body)
    rule = "  ".join("=" * width for width in widths)
    above = sides if len(top) == 1 else "<" * len(widths)
    return "\n".join([rule, *(_join(row, widths, above) for row in top), rule,
                      *(_join(row, widths, sides) for row in body), rule]) + "\n"


def plain_table(head, rows):
    """Set in."""
    top = _lines(head)
    widths, sides = _widths(top + rows), _sides(rows)
    return "".join(f"    {_join(row, widths, sides, '   ')}".rstrip() + "\n"
                   for row in top + rows)


def paragraph(text, width=WIDTH):
    """Nothing is broken but at blanks."""
    return textwrap.fill(" ".join(text.split()), width, break_long_words=False,
                         break_on_hyphens=False) + "\n"


def heading(title, character="="):
    return f"{title}\n{character * len(title)}\n"


def literal(text):
    return f".. code-block:: none\n\n   {text}\n"


def image(path, what):
    return f".. image:: {path}\n   :alt: {what}\n"
