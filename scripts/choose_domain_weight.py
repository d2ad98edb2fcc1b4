#!/usr/bin/env python3
"""Chooses a recipe's domain weight without a label of the target, and shows what an oracle would have chosen.

usage: scripts/choose_domain_weight.py [--weights W,...] [--seeds K,...] [--folder FOLDER] COMMAND OPTION...

Runs COMMAND (dann_mnist with a source, a target and one mode) with each --domain-weight and --seed, by scripts/record_result.sh into
FOLDER/weight-W-seedK.json; what is there already is left alone. The rule, of means over the seeds at the end of the runs: of the
weights whose accuracy on the source's test set is within half a point of the best one's, the one whose domain classifier is
least accurate. Features that cannot be told apart are what the weight is for, and the source's labels say when they are lost.

  scripts/choose_domain_weight.py --folder docs/results/recipes/weights build/release/bin/dann_mnist --source data/mnist \\
    --target data/mnist_m --preset digits --mode dann --epochs 5

Without COMMAND it only tells what FOLDER says.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

NEAR_THE_BEST = 0.005
RECORD = re.compile(r"weight-(?P<weight>[\d.e-]+)-seed(?P<seed>\d+)\.json")
RECORDER = pathlib.Path(__file__).resolve().with_name("record_result.sh")


def record(folder, command, weights, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for weight in weights:
            path = folder / f"weight-{weight}-seed{seed}.json"
            if not path.exists():
                subprocess.run([RECORDER, path, *command, "--domain-weight", weight, "--seed", seed], check=True)


def measured(folder):
    """Of each weight, in ascending order: the means of what its runs ended with."""
    runs = {}
    for path in folder.glob("weight-*.json"):
        name = RECORD.fullmatch(path.name)
        if name:
            with open(path, encoding="utf-8") as text:
                (run,) = json.load(text)["result"]["runs"]
            runs.setdefault(name["weight"], []).append(run)
    rows = []
    for weight in sorted(runs, key=float):
        row = {"weight": weight, "seeds": len(runs[weight])}
        for name in ("source_test_accuracy", "domain_accuracy", "target_test_accuracy"):
            values = [run[name] for run in runs[weight]]
            row[name] = None if None in values else statistics.mean(values)
        rows.append(row)
    return rows


def chosen(rows):
    best = max(row["source_test_accuracy"] for row in rows)
    near = [row for row in rows if row["source_test_accuracy"] >= best - NEAR_THE_BEST]
    return min(near, key=lambda row: row["domain_accuracy"])


def table(rows):
    def percent(value):
        return "–" if value is None else f"{100 * value:.1f} %"

    lines = ["| domain weight | seeds | source test | domain classifier | target test (not looked at) |", "|---|---|---|---|---|"]
    by_rule = chosen(rows)
    for row in rows:
        mark = "**" if row is by_rule else ""
        lines.append(f"| {mark}{row['weight']}{mark} | {row['seeds']} | {percent(row['source_test_accuracy'])} | "
                     f"{percent(row['domain_accuracy'])} | {percent(row['target_test_accuracy'])} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="0.03,0.1,0.3,1,3")
    parser.add_argument("--seeds", default="11,12", help="others than those of the table that the recipe is to be in")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/domain-weights"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.command:
        try:
            record(arguments.folder, arguments.command, arguments.weights.split(","), arguments.seeds.split(","))
        except subprocess.CalledProcessError as error:
            sys.exit(f"choose_domain_weight: a run ended with {error.returncode}")
    rows = measured(arguments.folder)
    if not rows:
        sys.exit(f"choose_domain_weight: {arguments.folder} has no record; name the command to run")
    print("\n".join(table(rows)))
    print(f"\nby the rule: {chosen(rows)['weight']}")


if __name__ == "__main__":
    main()
