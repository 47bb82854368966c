# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd under an instrument, and what the instrument found.

rsyslogd is the distribution's; only the module is ours. A finding is ours if one of its
stacks goes through omsmtpblock.so: for a leak or a bad access through any frame, for a race
by the code that did the access. Others are counted, but fail nothing. Nothing is suppressed
by name. tests/integration/run --under names the instrument in OMSMTPBLOCK_UNDER.
"""

import dataclasses
import functools
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from lib import pidfd

OURS = "omsmtpblock.so"

ADDRESS_OPTIONS = ""

# These functions only act for their caller.
RUNTIME = re.compile(r"vgpreload|lib[at]san\.so|libc\.so|ld-linux|libpcre2|libestr")


@dataclasses.dataclass(frozen=True)
class Instrument:
    """One way to run rsyslogd.

    `patience` multiplies deadlines. `built_with` is a symbol that the module must refer
    to, "" if it must be an ordinary build.
    """

    words: callable
    read: callable
    patience: float
    built_with: str = ""


def _library(name):
    """The compiler's own runtime: the one that the module was linked with."""
    path = subprocess.run(["gcc", f"-print-file-name={name}"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    return os.path.realpath(path)


# --- sanitizers ------------------------------------------------------------

def _sanitizers(reports, few_messages):
    """Stacks through libraries without frame pointers, such as those that read the
    configuration, take too long with many messages. The quarantine of freed memory is
    small: a larger one would look like growth of rsyslogd. A scenario in which rsyslogd
    itself does what the sanitizers abort for adds an option in ADDRESS_OPTIONS."""
    libraries = " ".join(map(_library, ("libasan.so", "libubsan.so")))
    return ["env", f"LD_PRELOAD={libraries}",
            f"ASAN_OPTIONS=detect_leaks=1:log_path={reports}/address"
            f":fast_unwind_on_malloc={int(not few_messages)}:quarantine_size_mb=8"
            f':stack_trace_format="    #%n %p %F %L %m"{ADDRESS_OPTIONS}',
            "UBSAN_OPTIONS=print_stacktrace=1"]


def _thread_sanitizer(reports, _few_messages):
    """Its shadow memory has fixed addresses: no address randomization."""
    return ["setarch", "-R", "env", f"LD_PRELOAD={_library('libtsan.so')}",
            # It takes threads that pthread_clockjoin_np(3) has joined for leaked.
            "TSAN_OPTIONS=report_thread_leaks=0:second_deadlock_stack=1:"
            f"log_path={reports}/thread"]


# LeakSanitizer cannot suspend a thread that a scenario holds with ptrace(2). That is no finding.
HELD = re.compile(r"^==\d+==Running thread \d+ was not suspended\. False leaks are possible\.$",
                  re.M)


def _read_address(text):
    """Leaks one by one; any other finding aborts the process and is ours."""
    text = HELD.sub("", text)
    if "ERROR: LeakSanitizer" in text:
        for leak in re.findall(r"^(?:Direct|Indirect) leak of .*?(?=^$)", text, re.M | re.S):
            yield OURS in leak, leak
    elif text.strip():
        yield True, text


def _read_undefined(path):
    """Only our code is built with it. It writes to rsyslogd's stderr, whatever its options
    are; an rsyslogd in the background aborts without a report."""
    if "runtime error: " in (text := path.read_text(errors="replace")):
        yield True, text


def _read_thread(text):
    for race in text.split("=" * 18):
        if "ThreadSanitizer" in race and "WARNING" in race:
            yield _race_is_ours(_text_stacks(race)), race


def _text_stacks(text):
    """The frames of each stack, "function file (object+offset)"."""
    stacks = []
    for number, frame in re.findall(r"^\s+#(\d+) (.*)$", text, re.M):
        if number == "0":
            stacks.append([])
        stacks[-1].append(frame)
    return stacks


def _race_is_ours(stacks):
    return any(OURS in next((f for f in stack if not RUNTIME.search(f)), "") for stack in stacks)


def _read_sanitizer_files(reports):
    readers = {"address": _read_address, "thread": _read_thread}
    for path in sorted(reports.iterdir()):
        yield from readers[path.name.split(".")[0]](path.read_text(errors="replace"))
    for path in sorted(reports.parent.glob("*/stderr")):
        yield from _read_undefined(path)


# --- valgrind --------------------------------------------------------------

@functools.cache
def _pidfd(directory):
    """One broker per scenario, however often it starts rsyslogd."""
    return pidfd.start(directory)


def _valgrind(tool, *options):
    def words(reports, _few_messages):
        # rsyslogd unloads its modules when it stops: their symbols are kept.
        return ["env", *_pidfd(reports.parent), "valgrind", f"--tool={tool}", "--xml=yes",
                f"--xml-file={reports}/%p.xml", "--keep-debuginfo=yes", "--num-callers=40",
                *options]
    return words


def _frame(node):
    return " ".join(node.findtext(key, "") for key in ("fn", "file", "line", "obj")).strip()


def _stacks(error):
    return [[_frame(frame) for frame in stack.iter("frame")] for stack in error.iter("stack")]


def _finding(error, stacks):
    what = error.findtext("what") or error.findtext("xwhat/text") or ""
    return "\n".join([f"{error.findtext('kind')}: {what}"]
                     + ["\n".join(f"    {frame}" for frame in stack) + "\n" for stack in stacks])


def _read_valgrind(reports):
    """One file per process; a killed process reports no leaks, but not all may be killed."""
    if not any("</valgrindoutput>" in path.read_text(errors="replace")
               for path in reports.glob("*.xml")):
        yield True, f"no rsyslogd has exited by itself under valgrind: {reports}"
    for path in sorted(reports.glob("*.xml")):
        for error in re.findall(r"<error>.*?</error>", path.read_text(errors="replace"), re.S):
            node = ElementTree.fromstring(error)
            stacks = _stacks(node)
            if node.findtext("kind", "").endswith("Race"):
                ours = _race_is_ours(stacks)
            else:
                ours = any(OURS in frame for stack in stacks for frame in stack)
            yield ours, _finding(node, stacks)


# --- what the runner and lib/rsyslog.py use --------------------------------

INSTRUMENTS = {
    "sanitizers": Instrument(_sanitizers, _read_sanitizer_files, 3, "__asan_init"),
    "tsan": Instrument(_thread_sanitizer, _read_sanitizer_files, 5, "__tsan_init"),
    "memcheck": Instrument(_valgrind("memcheck", "--leak-check=full"), _read_valgrind, 10),
    "helgrind": Instrument(_valgrind("helgrind"), _read_valgrind, 15),
    "drd": Instrument(_valgrind("drd"), _read_valgrind, 15),
}


def _reports(directory):
    """A directory that rsyslogd can write to, whatever user it becomes."""
    path = Path(directory) / "reports"
    path.mkdir(exist_ok=True)
    path.chmod(0o1777)
    return path


def words(*, few_messages=False):
    """The words to put in front of rsyslogd; none without an instrument."""
    name = os.environ.get("OMSMTPBLOCK_UNDER")
    if not name:
        return []
    return INSTRUMENTS[name].words(_reports(os.environ["SCENARIO_DIR"]), few_messages)


def findings(name, directory):
    """A scenario's findings: (ours, how many others)."""
    found = list(INSTRUMENTS[name].read(_reports(directory)))
    return [text for ours, text in found if ours], sum(1 for ours, _ in found if not ours)


def unfit_module(name, module):
    """Why this build of the module does not fit the instrument; "" if it does."""
    wanted, content = INSTRUMENTS[name].built_with, Path(module).read_bytes()
    for symbol in sorted({i.built_with for i in INSTRUMENTS.values()} - {""}):
        if (symbol.encode() in content) != (symbol == wanted):
            return f"{module} is {'not ' if symbol == wanted else ''}built with {symbol}"
    return ""
