# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""SVG plots by gnuplot, without a background and in colours that are distinct on white and
on black."""

import shutil
import subprocess

INK = "#808080"
COLOURS = ("#d1495b", "#3a86c8", "#3f9b5b", "#c98a1b", "#8f6bc2", "#5aa5a5")

STYLE = f"""
set encoding utf8
set border 3 linecolor rgb '{INK}'
set tics nomirror out textcolor rgb '{INK}'
set grid ytics linetype 1 linecolor rgb '{INK}' linewidth 0.25
set key outside bottom center horizontal textcolor rgb '{INK}' noautotitle
set title font ',14' textcolor rgb '{INK}'
set xlabel textcolor rgb '{INK}'
set ylabel textcolor rgb '{INK}'
"""


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def draw(path, commands, blocks, size="900,420"):
    """`commands` ends in a plot of $data0, $data1 ...: `blocks`, lists of rows."""
    if not shutil.which("gnuplot"):
        print(f"no gnuplot: {path.name} is not drawn")
        return
    data = "".join(f"$data{number} << EOD\n" + "".join(
        " ".join(str(cell) if isinstance(cell, (int, float)) else f'"{cell}"' for cell in row)
        + "\n" for row in rows) + "EOD\n" for number, rows in enumerate(blocks))
    subprocess.run(["gnuplot", "-"], text=True, check=True, input=(
        f"set terminal svg size {size} dynamic enhanced font 'sans-serif,13'\n"
        f"set output {quoted(path)}\n{STYLE}{data}{commands}\n"))
