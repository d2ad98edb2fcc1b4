#!/usr/bin/env python3
"""Writes docs/emulator.md's table of planted bugs from what the test programs find.

usage: scripts/make_planted_table.py [--check] [--document FILE] PROGRAM...

PROGRAM is simt_planted_plain or simt_planted_race; built with AddressSanitizer, the former is the flavour `asan`. Each runs
every case in every order (its option --json) and fills its flavour's column; columns of flavours that are not given stay as
they are. A cell is one outcome if all orders agree, else one for each. The tables stand between <!-- planted:begin --> and
<!-- planted:end -->. --check writes nothing and exits 1 if the document is not what it would write.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

FLAVOURS = ("plain", "asan", "race")


def run(program):
    return json.loads(subprocess.run([program, "--json"], check=True, capture_output=True, text=True).stdout)


def cell(outcomes):
    return outcomes[0] if len(set(outcomes)) == 1 else ", ".join(outcomes)


def old_cells(text):
    """{(theme, name): {flavour: cell}} of the document's tables."""
    cells = {}
    theme = None
    for line in text.splitlines():
        if match := re.fullmatch(r"\*\*(.*)\*\*", line):
            theme = match[1]
        columns = [column.strip() for column in line.strip("|").split("|")]
        if line.startswith("|") and len(columns) == 1 + len(FLAVOURS):
            cells[theme, columns[0]] = dict(zip(FLAVOURS, columns[1:]))
    return cells


def tables(reports, known):
    """The document's lines: a table of bugs for each theme, then the sound kernels."""
    lines = [f"Orders: {', '.join(reports[0]['orders'])}. A cell with one outcome stands for all four."]
    sound = []
    theme = None
    for index, case in enumerate(reports[0]["cases"]):
        if case["sound"]:
            for report in reports:
                if set(report["cases"][index]["outcomes"]) != {"right"}:
                    sys.exit(f"make_planted_table: {report['flavour']} does not accept: {case['name']}")
            sound.append(case["name"])
            continue
        if case["theme"] != theme:
            theme = case["theme"]
            lines += ["", f"**{theme}**", "", f"| bug | {' | '.join(FLAVOURS)} |", "|---" * (1 + len(FLAVOURS)) + "|"]
        cells = {flavour: "?" for flavour in FLAVOURS}
        cells.update(known.get((theme, case["name"]), {}))
        for report in reports:
            cells[report["flavour"]] = cell(report["cases"][index]["outcomes"])
        lines.append(f"| {case['name']} | {' | '.join(cells[flavour] for flavour in FLAVOURS)} |")
    lines += ["", f"**Sound kernels ({len(sound)})**, right in every flavour and order: {'; '.join(sound)}."]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only tell whether the document is current")
    parser.add_argument("--document", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent.parent / "docs" / "emulator.md")
    parser.add_argument("programs", nargs="+", metavar="PROGRAM")
    arguments = parser.parse_args()

    old = arguments.document.read_text(encoding="utf-8")
    place = re.search(r"(<!-- planted:begin[^>]*-->\n)(.*?)(<!-- planted:end -->)", old, re.DOTALL)
    if place is None:
        sys.exit(f"make_planted_table: {arguments.document} has no place for the table")
    lines = tables([run(program) for program in arguments.programs], old_cells(place[2]))
    new = old[:place.start(2)] + "".join(line + "\n" for line in lines) + old[place.start(3):]
    if arguments.check:
        if new != old:
            sys.exit(f"make_planted_table: {arguments.document} is out of date; run scripts/make_planted_table.py")
    elif new != old:
        arguments.document.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
