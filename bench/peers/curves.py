# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The curves of some runs as one SVG: slots in use over the time of the wave."""

import subprocess

from waveplot import STYLE, TERMINALS, quoted

# The runs whose curves are drawn, if they ran, and their colours.
SHOWN = {"nothing": "#c8102e", "fail2ban": "#d98200", "drop": "#7a7a7a",
         "dnsbl": "#00629b", "connect": "#6a9a2d"}


def blocks_of_data(runs):
    """gnuplot's inline data, one block a run."""
    return "".join(f"${name.replace('-', '_')} << EOD\n" + "".join(
        f"{look.seconds:.1f} {look.slots}\n" for look in run.looks) + "EOD\n"
        for name, run in runs.items())


def script(runs, labels, title, output):
    some = next(iter(runs.values()))
    limit, end = some.wave["slots"], some.looks[-1].seconds
    curves = ", ".join(
        f"${name.replace('-', '_')} using 1:2 with lines linewidth 2.5 "
        f"linecolor rgb '{SHOWN[name]}' title {quoted(labels[name])}" for name in runs)
    return (f"set terminal {TERMINALS['svg']}\nset output {quoted(str(output))}\n{STYLE}"
            f"set title {quoted(title)} font ',13' textcolor rgb '#404040'\n"
            f"set key outside right top Left reverse width 1 textcolor rgb '#404040'\n"
            f"set xrange [0:{end:g}]\nset yrange [0:{limit * 1.12:g}]\n"
            f"set datafile separator whitespace\n{blocks_of_data(runs)}"
            f"plot {limit} with lines dashtype 2 linecolor rgb '#404040' "
            f"title 'all {limit} slots', {curves}\n")


def draw(runs, labels, title, output):
    """`runs` and `labels` by the run's name; runs that are not in SHOWN are left out."""
    shown = {name: runs[name] for name in SHOWN if name in runs}
    if shown:
        subprocess.run(["gnuplot", "-"], text=True, check=True,
                       input=script(shown, labels, title, output))
