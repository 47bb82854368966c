#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The curves of several runs as wave.svg, wave.png and wave.csv: waveplot.py NAME=RESULTS..."""

import argparse
import csv
import subprocess
from pathlib import Path

from table import named_runs

TERMINALS = {
    "svg": "svg size 900,450 dynamic enhanced font 'DejaVu Sans,Helvetica,sans-serif,14'"
           " background '#ffffff'",
    "png": "pngcairo size 1800,900 enhanced font 'DejaVu Sans,14' fontscale 1.5 linewidth 2",
}
COLOURS = ("#c8102e", "#00629b", "#7a7a7a", "#6a9a2d")

STYLE = """
set encoding utf8
set border 3 linecolor rgb '#404040'
set tics nomirror out textcolor rgb '#404040'
set grid ytics linetype 1 linecolor rgb '#e4e4e4' linewidth 0.7
set key off
set xlabel 'time since the wave began (s)'
set ylabel 'open SMTP connections (slots in use)'
set datafile separator ','
"""


def write_csv(runs, path):
    """One row per moment, with a column for each run."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["seconds"] + [f"{what}, {run.name}" for run in runs
                                     for what in ("slots", "connections")])
        for moment in zip(*(run.looks for run in runs)):
            rows.writerow([f"{moment[0].seconds:.1f}"] + [
                value for look in moment for value in (look.slots, look.connections)])


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def label_at(run):
    """The place of a label: right of a peak; below the curve of a host that stays full."""
    if run.at_end >= 0.9 * run.peak:
        return run.looks[-1].seconds * 0.5, run.peak - 0.08 * run.wave["slots"]
    flank = max(look.seconds for look in run.looks if look.slots >= 0.9 * run.peak)
    return flank + 0.015 * run.looks[-1].seconds, run.peak


def labels(runs):
    return "".join(
        f"set label {quoted(run.name)} at {x:.2f},{y:.2f} left textcolor rgb '{colour}'\n"
        for run, colour in zip(runs, COLOURS) for x, y in [label_at(run)])


def frame(runs):
    """Axes, and the label of the line of all slots."""
    wave, end = runs[0].wave, runs[0].looks[-1].seconds
    limit = wave["slots"]
    return (f"set xrange [0:{end:g}]\nset yrange [0:{limit * 1.12:g}]\n"
            f"set title {quoted(title(wave))} font ',13' textcolor rgb '#404040'\n"
            f"set label 'all {limit} slots taken' at {end:g},{limit * 1.045:g} right "
            f"textcolor rgb '#404040'\n")


def title(wave):
    return (f"{wave['addresses']} DNSBL-listed hosts, {wave['rate']:g} connections/s "
            f"for {wave['duration']:g} s")


def script(runs, table, kind, output):
    curves = ", ".join(
        f"{quoted(str(table))} every ::1 using 1:{2 + 2 * number} with lines linewidth 2.5 "
        f"linecolor rgb '{COLOURS[number]}'" for number in range(len(runs)))
    return (f"set terminal {TERMINALS[kind]}\nset output {quoted(str(output))}\n"
            f"{STYLE}{frame(runs)}{labels(runs)}plot {runs[0].wave['slots']} with lines "
            f"dashtype 2 linecolor rgb '#404040', {curves}\n")


def draw(runs, directory):
    table = directory / "wave.csv"
    write_csv(runs, table)
    for kind in TERMINALS:
        subprocess.run(["gnuplot", "-"], text=True, check=True,
                       input=script(runs, table, kind, directory / f"wave.{kind}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("."), metavar="DIRECTORY")
    parser.add_argument("runs", nargs="+", metavar="NAME=RESULTS")
    options = parser.parse_args()
    draw(named_runs(options.runs), options.output)


if __name__ == "__main__":
    main()
