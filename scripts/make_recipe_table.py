#!/usr/bin/env python3
"""Writes the tables of docs/recipes.md from docs/results/recipes/*.json (made by scripts/record_recipes.sh) and from
docs/results/recipes/weights (made by scripts/choose_domain_weight.py).

usage: scripts/make_recipe_table.py [--check] [--root FOLDER]

A row for each preset and data set that has a record, in the order of published.json, which holds what others published and
where. Figures are of the last epoch; several seeds give their mean and sample deviation.
--check writes nothing and exits 1 if docs/recipes.md is not what it would write.
"""

import argparse
import json
import pathlib
import re
import statistics
import sys

import choose_domain_weight
from make_readme_tables import load, percent, replace_table, table

RECORD = re.compile(r"(?P<preset>.+)-(?P<data>[a-z]+)-seed(?P<seed>\d+)\.json")


def records(folder):
    """The results of each (preset, data), in the order of their seeds."""
    found = {}
    for path in folder.glob("*.json"):
        name = RECORD.fullmatch(path.name)
        if name:
            found.setdefault((name["preset"], name["data"]), []).append((int(name["seed"]), load(path)))
    return {key: [document for _, document in sorted(of_key, key=lambda pair: pair[0])] for key, of_key in found.items()}


def run_of(document):
    (run,) = document["result"]["runs"]
    return run


def spread(values):
    if len(values) == 1:
        return percent(values[0])
    return f"{100 * statistics.mean(values):.1f} ± {100 * statistics.stdev(values):.1f} %"


def row(published, documents):
    runs = [run_of(document) for document in documents]
    figure = "–" if published["figure"] is None else f"{published['figure']} ({published['source']})"
    return [
        published["preset"], published["data"], figure,
        spread([run["target_test_accuracy"] for run in runs]),
        str(len(runs)),
        spread([run["source_test_accuracy"] for run in runs]),
    ]


def command(documents):
    """Of the first seed."""
    return documents[0]["command"].replace("'$GRADFLIP_DATA/", "'data/").replace("'", "")


def lines_of(folder):
    found = records(folder)
    with open(folder / "published.json", encoding="utf-8") as text:
        published = json.load(text)
    unknown = set(found) - {(each["preset"], each["data"]) for each in published}
    if unknown:
        sys.exit(f"make_recipe_table: {folder}/published.json has no row for {sorted(unknown)}")
    shown = [each for each in published if (each["preset"], each["data"]) in found]
    if not shown:
        return ["No recipe is recorded yet."]
    documents = [found[each["preset"], each["data"]] for each in shown]
    header = ["preset", "data", "published", "ours", "seeds", "source test"]
    rows = [row(each, of_it) for each, of_it in zip(shown, documents)]
    return table(header, rows) + ["", "```sh", *map(command, documents), "```"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only tell whether docs/recipes.md is current")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent,
                        help="the repository's root")
    arguments = parser.parse_args()
    path = arguments.root / "docs" / "recipes.md"
    old = path.read_text(encoding="utf-8")
    folder = arguments.root / "docs" / "results" / "recipes"
    new = replace_table(old, "recipes", lines_of(folder), path.name)
    weights = choose_domain_weight.measured(folder / "weights")
    new = replace_table(new, "weights", choose_domain_weight.table(weights) if weights else ["No weight is measured yet."], path.name)
    if arguments.check:
        if new != old:
            sys.exit("make_recipe_table: docs/recipes.md is out of date; run scripts/make_recipe_table.py")
    elif new != old:
        path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
