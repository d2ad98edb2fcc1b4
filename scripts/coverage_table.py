#!/usr/bin/env python3
"""Tables of line coverage for scripts/coverage.sh.

usage: scripts/coverage_table.py measure BUILD_FOLDER TABLE
       scripts/coverage_table.py compare BEFORE AFTER
"""
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = ("kernels", "runtime", "models", "apps")

# Numbers of lines that ran, of lines with code that did not, and the file's hash.
Row = collections.namedtuple("Row", "ran missed hash")


def layer_file(name):
    """A path below the repository's root if it is a source of one of the layers."""
    path = pathlib.Path(os.path.normpath(name))
    if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in LAYERS:
        return str(path.relative_to(ROOT))
    return None


def lines_of(notes):
    """[(file, line, whether it ran)] of one object."""
    result = subprocess.run(["gcov", "--json-format", "--stdout", notes.name], cwd=notes.parent,
                            capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"coverage: gcov {notes}: {result.stderr.strip()}")
    found = []
    for text in result.stdout.splitlines():
        for file in json.loads(text)["files"] if text.strip() else ():
            if name := layer_file(os.path.join(notes.parent, file["file"])):
                found += [(name, line["line_number"], line["count"] > 0) for line in file["lines"]]
    return found


def hash_of(name):
    file = ROOT / name
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def as_text(numbers):
    return ",".join(map(str, sorted(numbers)))


def as_numbers(text):
    return frozenset(map(int, filter(None, text.split(","))))


def measure(build):
    """file -> Row; a line is covered if it ran in any object that has it."""
    lines = collections.defaultdict(dict)
    notes = sorted(pathlib.Path(build).resolve().rglob("*.gcno"))
    if not notes:
        raise SystemExit(f"coverage: no objects with gcov's notes in {build}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lines_of, notes):
            for name, number, ran in found:
                lines[name][number] = lines[name].get(number, False) or ran
    return {name: Row(frozenset(number for number, each in ran.items() if each),
                      frozenset(number for number, each in ran.items() if not each), hash_of(name))
            for name, ran in sorted(lines.items())}


def write(rows, path):
    text = ["covered\tlines\tfile\thash\tnot covered\tcovered"]
    text += ["\t".join([str(len(row.ran)), str(len(row.ran | row.missed)), name, row.hash, as_text(row.missed),
                        as_text(row.ran)]) for name, row in rows.items()]
    pathlib.Path(path).write_text("\n".join(text) + "\n")


def read(path):
    rows = {}
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines()[1:], start=2):
        try:
            _, _, name, digest, missed, ran = line.split("\t")
            rows[name] = Row(as_numbers(ran), as_numbers(missed), digest)
        except ValueError:
            raise SystemExit(f"coverage: {path}:{number} is no line of a table") from None
    if not rows:
        raise SystemExit(f"coverage: {path} has no files")
    return rows


def totals(rows):
    """layer -> (covered, lines), and of all"""
    sums = {layer: [0, 0] for layer in (*LAYERS, "all")}
    for name, row in rows.items():
        for key in (name.split("/")[0], "all"):
            sums[key][0] += len(row.ran)
            sums[key][1] += len(row.ran) + len(row.missed)
    return sums


def share(covered, lines):
    return f"{covered:6} of {lines:6} lines {100 * covered / max(lines, 1):6.2f} %"


def compare(before, after):
    """Prints the differences; the number of lines that were covered and are no more, though their file is the same."""
    after_totals = totals(after)
    for key, sums in totals(before).items():
        print(f"{key:8} {share(*sums)}  ->  {share(*after_totals[key])}")
    nothing = Row(frozenset(), frozenset(), None)
    lost = 0
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name, nothing), after.get(name, nothing)
        # A file without a row in the second table is the same if it is still there: nothing compiles it any more.
        same = old.hash == (new.hash or hash_of(name))
        if (len(old.ran), len(old.missed)) != (len(new.ran), len(new.missed)):
            print(f"{name}: {len(old.ran)} of {len(old.ran | old.missed)} -> {len(new.ran)} of "
                  f"{len(new.ran | new.missed)}{'' if same else ' (the file changed)'}")
        for number in sorted(old.ran - new.ran) if same else ():
            print(f"{name}:{number}: covered before, {'not covered' if number in new.missed else 'without code'} now")
            lost += 1
    return lost


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("measure", "compare"):
        raise SystemExit(__doc__)
    if sys.argv[1] == "compare":
        return 1 if compare(read(sys.argv[2]), read(sys.argv[3])) else 0
    rows = measure(sys.argv[2])
    write(rows, sys.argv[3])
    for key, (covered, lines) in totals(rows).items():
        print(f"{key:8} {share(covered, lines)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
