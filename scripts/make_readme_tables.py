#!/usr/bin/env python3
"""Writes README.md's result tables from docs/results/*.json (made by scripts/record_result.sh).

usage: scripts/make_readme_tables.py [--check] [--root FOLDER]

Each table stands between <!-- NAME:begin --> and <!-- NAME:end -->, NAME being `accuracy`, `methods`, `speed` or `pytorch`.
`methods` is of results with methods beside the paper's three rows, and names the options that set a command apart; `accuracy` is of results with any of the three. `pytorch` is of benchmarks/results/MACHINE-DATE/pytorch*.json (made by benchmarks/compare_pytorch.sh --table): of each machine the newest,
the machine measured last in the open, the others folded. Results called speed-*.json were recorded on a machine with nothing else to do and make the speed table; the others make the accuracy table.
--check writes nothing and exits 1 if README.md is not what it would write.
"""

import argparse
import json
import pathlib
import re
import shlex
import statistics
import sys

MODES = ("source-only", "dann", "target-only")
# What a row of methods need not say: the table has it, or all rows are alike in it.
COMMON = ("--source", "--photos", "--blend", "--target", "--target-test", "--preset", "--mode", "--seeds", "--json")


def load(path):
    with open(path, encoding="utf-8") as text:
        document = json.load(text)
    if "result" not in document:
        document = {"command": None, "machine": None, "date": None, "result": document}
    return document


def percent(fraction):
    return f"{100 * fraction:.1f} %"


def deviation(summary):
    """Mean and sample deviation over the seeds, the latter only where there are several."""
    if summary is None or summary.get("mean") is None:
        return "–"
    text = f"{100 * summary['mean']:.1f}"
    if summary.get("std") is not None:
        text += f" ± {100 * summary['std']:.1f}"
    return text + " %"


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


def duration(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def domain(description):
    if isinstance(description, str):
        return description
    name = description.get("name") or description.get("kind") or "sha256 " + description["sha256"][:8]
    return name.replace("$GRADFLIP_DATA/", "")


def task(result):
    data = result["data"]
    return f"{domain(data['source'])} → {domain(data['target'])}"


def machine(document):
    result = document["result"]
    name = document["machine"] or result["device"]
    threads = "" if result["device"].startswith("cuda") else f", {result['threads']} threads"
    return name + threads


def completed(run):
    """Of a run that failed or was stopped only the row is there, no figure to show."""
    return run.get("completed", True)


def runs_of(result, mode):
    return [run for run in result["runs"] if run["mode"] == mode and completed(run)]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def table(header, rows):
    return [row(header), "|---" * len(header) + "|", *map(row, rows)]


def accuracy_table(documents):
    rows = []
    for document in documents:
        result = document["result"]
        summary = result["summary"]
        accuracies = [deviation(summary.get(mode, {}).get("target_test_accuracy")) for mode in MODES]
        # Documents from before there were methods to compare have it beside their modes.
        gap_closed = summary.get("dann", {}).get("gap_closed", summary.get("gap_closed"))
        source = summary.get("dann", {}).get("source_test_accuracy")
        seeds = len({run["seed"] for run in result["runs"] if completed(run)})
        rows.append([
            task(result),
            f"{result['preset']}, {seeds} seed{'s' if seeds > 1 else ''}"
            + ("" if result["precision"] == "f32" else f", {result['precision']}"),
            *accuracies,
            "–" if gap_closed is None else percent(gap_closed),
            deviation(source),
            ", ".join(filter(None, (machine(document), document["date"])))
            + f"; {duration(sum(run['seconds'] for mode in MODES for run in runs_of(result, mode)))}",
        ])
    header = ["source → target", "recipe", "source-only", "DANN", "train-on-target", "gap closed",
              "source test under DANN", "machine; training time of all runs"]
    return table(header, rows) + commands(documents)


def methods_table(documents):
    """A row for each method, in the order of the results' own table; of the paper's rows, too, beside which they stand."""
    rows = []
    for document in documents:
        result = document["result"]
        for mode in dict.fromkeys(run["mode"] for run in result["runs"]):
            summary = result["summary"].get(mode)
            if summary is None:
                continue
            gap_closed = summary.get("gap_closed")
            rows.append([
                task(result),
                " ".join([mode, *own_options(document["command"])]),
                str(summary["runs"]),
                deviation(summary.get("target_test_accuracy")),
                "–" if gap_closed is None else percent(gap_closed),
                deviation(summary.get("source_test_accuracy")),
            ])
    header = ["source → target", "method", "seeds", "target test", "gap closed", "source test"]
    return table(header, rows) + commands(documents)


def own_options(command):
    """A recorded command's options beside the common ones, with their values."""
    own, common = [], True
    for word in shlex.split(command or ""):
        if word.startswith("--"):
            common = word in COMMON
        if not common:
            own.append(word)
    return own


def commands(documents):
    """The command behind each row, in the rows' order, with the sets in data/, where scripts/fetch_data.sh puts those that it fetches."""
    lines = [document["command"].replace("'$GRADFLIP_DATA/", "'data/").replace("'", "")
             for document in documents if document["command"]]
    return ["", "```sh", *lines, "```"] if lines else []


def speed_table(documents):
    rows = []
    for document in documents:
        result = document["result"]
        speeds = [mean([run["images_per_second"] for run in runs_of(result, mode)]) for mode in MODES]
        rows.append([
            machine(document),
            result["precision"],
            task(result),
            *("–" if speed is None else f"{speed:,.0f}" for speed in speeds),
        ])
    return table(["machine", "precision", "source → target", "source-only", "DANN", "train-on-target"],
                 rows) + commands(documents)


def pytorch_tables(documents):
    """One table for each machine: of its newest results, the machine measured last first."""
    machines = {}
    for document in documents:
        machines.setdefault(document["folder"].removesuffix("-" + document["date"]), []).append(document)
    newest = {}
    for machine, of_machine in machines.items():
        date = max(document["date"] for document in of_machine)
        newest[machine] = [document for document in of_machine if document["date"] == date]
    order = sorted(newest, key=lambda machine: newest[machine][0]["date"], reverse=True)
    lines = pytorch_table(newest[order[0]])
    for machine in order[1:]:
        first = newest[machine][0]
        lines += ["", "<details>", f"<summary>{machine}, {first['date']}</summary>", "", *pytorch_table(newest[machine]), "",
                  "</details>"]
    return lines + ["", "```sh", "benchmarks/compare_pytorch.sh --table", "```"]


def pytorch_table(newest):
    """A row for each case, a column for each PyTorch: its images per second and ours over them, of the same turns."""
    peers, cases = {}, {}
    for document in newest:
        for row in document["rows"]:
            version = row["torch"].split("+")[0].removesuffix("a0")
            peer = f"{version} {row['pytorch']}"
            peers[peer] = (-int(version.split(".")[0]), row["pytorch"] != "tuned")
            case = (row["mode"], row["precision"], str(row["batch"]), str(row["threads"]))
            cases.setdefault(case, {})[peer] = row
    columns = sorted(peers, key=peers.get)  # the rest in the order that they were measured in
    rows = []
    for case, measured in cases.items():
        ours = statistics.median(row["gradflip_images_per_second"] for row in measured.values())
        rows.append([*case, f"{ours:,.0f}", *(
            f"{measured[peer]['pytorch_images_per_second']:,.0f} ({measured[peer]['ratio']:.2f})"
            if peer in measured else "–" for peer in columns)])
    first = newest[0]
    return [f"{first['folder'].removesuffix('-' + first['date'])}: {first['machine']}, {first['cores']} cores, "
            f"{first['date']}; images per second, medians of {first['rounds']} rounds in turns. Behind each PyTorch, how many "
            "times as fast gradflip was in the same turns.", "",
            *table(["mode", "precision", "batch", "threads", "gradflip", *(f"PyTorch {peer}" for peer in columns)], rows)]


def load_in_folder(path):
    """The document, and the name of its folder."""
    with open(path, encoding="utf-8") as text:
        return {**json.load(text), "folder": path.parent.name}


def replace_table(readme, name, lines, file="README.md"):
    pattern = re.compile(rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    text = "".join(line + "\n" for line in lines)
    replaced, count = pattern.subn(lambda match: match[1] + text + match[2], readme)
    if count != 1:
        sys.exit(f"{file} has {count} places for the table '{name}', expected 1")
    return replaced


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only tell whether README.md is current")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent,
                        help="the repository's root")
    arguments = parser.parse_args()

    paths = sorted((arguments.root / "docs" / "results").glob("*.json"))
    speed = [load(path) for path in paths if path.name.startswith("speed-")]
    results = [load(path) for path in paths if not path.name.startswith("speed-")]
    modes = [{run["mode"] for run in document["result"]["runs"]} for document in results]
    accuracy = [document for document, of_it in zip(results, modes) if of_it & set(MODES)]
    methods = [document for document, of_it in zip(results, modes) if of_it - set(MODES)]
    methods.sort(key=lambda document: document not in accuracy)  # after those that they are compared with
    pytorch = [load_in_folder(path) for path in sorted(arguments.root.glob("benchmarks/results/*/pytorch*.json"))]
    readme_path = arguments.root / "README.md"
    old = readme_path.read_text(encoding="utf-8")
    new = old
    for name, make, documents in (("accuracy", accuracy_table, accuracy), ("methods", methods_table, methods),
                                  ("speed", speed_table, speed), ("pytorch", pytorch_tables, pytorch)):
        new = replace_table(new, name, make(documents) if documents else ["No results are recorded yet."])
    if arguments.check:
        if new != old:
            sys.exit("make_readme_tables: README.md is out of date; run scripts/make_readme_tables.py")
    elif new != old:
        readme_path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
