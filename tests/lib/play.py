# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Runs a scenario: play.py FILE [ARGUMENT...] calls the file's scenario(points)."""

import importlib.util
import sys

from lib import tap


def scenario(points):
    sys.argv.pop(0)
    spec = importlib.util.spec_from_file_location("__scenario__", sys.argv[0])
    module = sys.modules["__scenario__"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.scenario(points)


if __name__ == "__main__":
    tap.main(scenario)
