#!/usr/bin/env python3
"""Where the time of a build and its tests went, as a table by target and by test program.

usage: scripts/build_times.py [BUILD_FOLDER...]   (default: those of test.sh: release, asan, tsan)

Reads what ninja and ctest left: .ninja_log has begin and end of every job, tests.xml the time of every test. The sums
are of jobs, so two that ran side by side count twice; compare them within one run on a machine that did nothing else.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHOWN = 12


def targets(log):
    """target -> [seconds, files]; of a file that was built several times the last."""
    seconds = {}
    for line in log.read_text().splitlines():
        if not line.startswith("#"):
            begin, end, _, output, _ = line.split("\t")
            seconds[output] = (int(end) - int(begin)) / 1000
    sums = collections.defaultdict(lambda: [0.0, 0])
    for output, each in seconds.items():
        match = re.search(r"CMakeFiles/([^/]+)\.dir/", output)
        name = match[1] if match else "linking, lists of tests"
        if match and output.endswith(".cu.o") and "emulated" not in name and "planted" not in name:
            name += " (nvcc)"
        elif match and output.endswith(".gch"):
            name += " (precompiled headers)"
        sums[name][0] += each
        sums[name][1] += 1
    return sums


def suites(report):
    """what a test belongs to -> [seconds, tests]"""
    sums = collections.defaultdict(lambda: [0.0, 0])
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = re.split(r"[./]", re.sub(r"^\w+/(?=\w+Test\.)", "", case.get("name")))[0]
        if case.get("name").startswith(("emulated.", "simt.", "scripts.")):
            name = ".".join(case.get("name").split(".")[:3 if name == "emulated" else 2 if name == "simt" else 1])
        sums[name][0] += float(case.get("time") or 0)
        sums[name][1] += 1
    return sums


def table(title, sums, unit):
    total = sum(seconds for seconds, _ in sums.values())
    print(f"| {title} | s | {unit} |\n|---|---:|---:|")
    ranked = sorted(sums.items(), key=lambda item: -item[1][0])
    for name, (seconds, count) in ranked[:SHOWN]:
        print(f"| {name} | {seconds:.0f} | {count} |")
    if rest := ranked[SHOWN:]:
        print(f"| {len(rest)} more | {sum(each[0] for _, each in rest):.0f} | {sum(each[1] for _, each in rest)} |")
    print(f"| all | {total:.0f} | {sum(count for _, count in sums.values())} |\n")


def main():
    folders = [pathlib.Path(name) for name in sys.argv[1:]] or [ROOT / "build" / name for name in ("release", "asan", "tsan")]
    for folder in folders:
        log, report = folder / ".ninja_log", folder / "tests.xml"
        if not log.exists():
            raise SystemExit(f"build_times: {folder} has no .ninja_log: nothing was built there")
        table(f"build: {folder.name}", targets(log), "files")
        if report.exists():
            table(f"tests: {folder.name}", suites(report), "tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
