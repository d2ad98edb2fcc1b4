"""What became of the tests: read from what GoogleTest printed, as a process that dies writes no report.

  python3 benchmarks/gpu/test_results.py FOLDER open    tests that did not pass: program and name, a line each

FOLDER holds PROGRAM.list (of --gtest_list_tests), PROGRAM-SHARD.out, and alone-PROGRAM-TEST.out of tests that were run
once more by themselves.
"""
import collections
import pathlib
import re
import sys

LINE = re.compile(r"^\[ *(RUN|OK|FAILED|SKIPPED) *\] ([\w/]+\.[\w/]+)")
STATES = {"RUN": "died", "OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}


def listed(text):
    """Suite/cuda.Name of every test in a list."""
    suite = ""
    for line in text.splitlines():
        name = line.split("#")[0].rstrip()
        if name.endswith(".") and not line.startswith(" "):
            suite = name
        elif line.startswith("  ") and suite:
            yield suite + name.strip()


def printed(path):
    """States by test: one that began and did not end has died."""
    states = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = LINE.match(line)
        if match:
            states[match[2]] = STATES[match[1]]
    return states


def results(folder):
    """By program and test: (state in company, state alone or None); "not run" of what did not get its turn."""
    programs = {}
    for path in sorted(folder.glob("*.list")):
        program = path.stem
        tests = {name: "not run" for name in listed(path.read_text(encoding="utf-8", errors="replace"))
                 if "DISABLED_" not in name}
        for output in folder.glob(f"{program}-*.out"):
            tests.update(printed(output))
        alone = {}
        for output in folder.glob(f"alone-{program}-*.out"):
            alone.update(printed(output))
        programs[program] = {name: (state, alone.get(name)) for name, state in tests.items()}
    return programs


def final(states):
    return states[1] or states[0]


def still_open(programs):
    """What did not pass, the first of every suite before the second of any: one fault often fails a whole suite."""
    turns = []
    for program, tests in programs.items():
        seen = collections.Counter()
        for name, states in tests.items():
            if final(states) in ("passed", "skipped"):
                continue
            suite = name.split(".")[0]
            turns.append((seen[suite], program, name))
            seen[suite] += 1
    return [(program, name) for _, program, name in sorted(turns, key=lambda turn: turn[0])]


def main():
    if len(sys.argv) != 3 or sys.argv[2] != "open":
        sys.exit(__doc__)
    for program, name in still_open(results(pathlib.Path(sys.argv[1]))):
        print(program, name)


if __name__ == "__main__":
    main()
