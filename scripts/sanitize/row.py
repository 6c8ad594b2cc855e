"""Prints the row of a run: what it did, what it left out, and what the tool found, counted in the tool's reports.

Usage: row.py TOOL PROGRAM THREADS FOLDER_OF_REPORTS [SUMMARY]. Fails when there are findings, or tests that failed.
"""

import json
import re
import sys
from pathlib import Path

from left_out import left_out

NAMES = {
    "address": "AddressSanitizer, LeakSanitizer",
    "thread": "ThreadSanitizer",
    "memcheck": "valgrind memcheck",
}
FINDING = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|ERROR: ThreadSanitizer")
VALGRIND = re.compile(r"ERROR SUMMARY: ([\d,]+) errors from [\d,]+ contexts \(suppressed: ([\d,]+)")
# A line of what LeakSanitizer's suppressions were used for: how many leaks, of how many bytes.
SUPPRESSED = re.compile(r"^ +(\d+) +\d+ \^?\w", re.MULTILINE)
TESTS = re.compile(r"(\d+) tests? run: (\d+) passed")

tool, program, threads, folder, *summary = sys.argv[1:]
reports = [path.read_text(errors="replace") for path in Path(folder).glob("report.*")]
number = lambda text: int(text.replace(",", ""))
by_valgrind = [(number(found), number(kept)) for text in reports for found, kept in VALGRIND.findall(text)]
findings = sum(len(FINDING.findall(text)) for text in reports) + sum(found for found, _ in by_valgrind)
suppressed = sum(kept for _, kept in by_valgrind) + sum(
    number(count) for text in reports for count in SUPPRESSED.findall(text.partition("Suppressions used:")[2])
)
ran = TESTS.findall(Path(folder, "output").read_text(errors="replace"))
tests, passed = map(int, ran[-1]) if ran else (0, 0)
done = json.loads(Path(summary[0]).read_text()) if summary and summary[0] and Path(summary[0]).exists() else {}
print(
    json.dumps(
        {
            "tool": NAMES[tool],
            "program": program,
            "threads": threads or "as the host starts",
            "tests passed": f"{passed} of {tests}",
            "calls": f"{done['calls']:,}" if done else "",
            "signatures verified": f"{done['verified']:,}" if done else "",
            "findings": str(findings),
            "suppressed": str(suppressed),
            "left out": "; ".join(
                f"{entry.get('what') or ', '.join(entry['tests'])}: {entry['why']}" for entry in left_out(tool, program)
            ),
        },
        ensure_ascii=False,
    )
)
sys.exit(findings > 0 or not ran or passed < tests)
