# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Figures from samples, and medians with their spread from rounds."""

import statistics


def percentile(ordered, percent):
    """The percentile of sorted values."""
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def describe(values):
    """The figures of one round; None if there are no samples."""
    if not values:
        return None
    ordered = sorted(values)
    return {"min": ordered[0], "p50": statistics.median(ordered), "p90": percentile(ordered, 90),
            "p99": percentile(ordered, 99), "max": ordered[-1]}


def spread(values, sign="", digits=1):
    """Median over the rounds, with the lowest and the highest."""
    return (f"{statistics.median(values):{sign}.{digits}f} "
            f"({min(values):{sign}.{digits}f} .. {max(values):{sign}.{digits}f})")


def differences(mine, others):
    """Round by round, so that a slow round does not distort it."""
    return [a - b for a, b in zip(mine, others)]
