"""What a tool leaves out of a suite: the table of left_out.toml, in which everything has a reason.

Usage: left_out.py TOOL SUITE <NAMES. Reads the names of all tests of the suite, and prints those to leave out as a
filter of cargo-nextest. Fails when the table names one that is not there: it would say that something is left out
that nobody has.
"""

import sys
import tomllib
from pathlib import Path


def left_out(tool, suite):
    """The entries of the table."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return [entry for entry in table["left_out"] if suite in entry["suites"] and tool in entry["tools"]]


if __name__ == "__main__":
    tests = {test for entry in left_out(*sys.argv[1:]) for test in entry.get("tests", [])}
    known = {line.split()[-1] for line in sys.stdin if line.strip()}
    if unknown := sorted(tests - known):
        sys.exit(f"left_out.toml names tests that are not there: {', '.join(unknown)}")
    print("all()" if tests == known else " | ".join(f"test(={test})" for test in sorted(tests)) or "none()")
