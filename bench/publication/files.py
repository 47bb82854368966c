# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The parts' files, and the documents that are made of them."""

import json

from publication import page, readme

# What a reader of the repository is to fetch: a plot or a part's file at most.
MAX_BYTES = 100_000


def load(directory):
    """The parts' files that are there, by the part."""
    paths = {part: directory / f"{part}.json" for part in page.PARTS}
    return {part: json.loads(path.read_text(encoding="utf-8"))
            for part, path in paths.items() if path.exists()}


def names(part):
    """A part's file, and its plot with it: they are of one run."""
    return [f"{part}.json"] + [f"{part}.svg"] * (part in page.PLOTS)


def texts(tree):
    """The documents as they have to be, by path."""
    found = load(tree / "doc/performance")
    text = (tree / "README").read_text(encoding="utf-8")
    return {"doc/performance.rst": page.page(found), "README": readme.with_section(text, found)}
