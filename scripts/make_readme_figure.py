#!/usr/bin/env python3
"""Draws docs/target-accuracy.svg: target test accuracy over the epochs, from a recorded result.

  scripts/make_readme_figure.py docs/results/mnist-difference.json [docs/target-accuracy.svg]

One line per mode: the mean over the seeds, in a band from the lowest to the highest seed. Standard library only.
"""
import json
import sys

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 46, 44
MODES = [("target-only", "train on target", "#4c9f70"), ("adda", "ADDA", "#8a5fc0"), ("dann", "DANN", "#2f6fde"),
         ("source-only", "source only", "#c8553d")]
STYLE = """text{font:13px system-ui,sans-serif;fill:#444} .t{font-size:15px;font-weight:600}
line.g{stroke:#888;stroke-opacity:.25}
@media (prefers-color-scheme: dark){text{fill:#ccc}}"""


def curves(result, mode):
    """Per epoch, the accuracies of all seeds that came to their end; none of runs on a target without labels."""
    runs = [[epoch.get("target_test_accuracy") for epoch in run["history"]] for run in result["runs"]
            if run["mode"] == mode and run.get("completed", True)]
    runs = [run for run in runs if None not in run]
    return [list(seeds) for seeds in zip(*runs)]


def main(source, output):
    with open(source, encoding="utf-8") as file:
        document = json.load(file)
    result = document.get("result", document)
    data = {mode: curves(result, mode) for mode, _, _ in MODES}
    epochs = max(len(points) for points in data.values())
    if epochs < 2:
        sys.exit(f"make_readme_figure: {source} has no run of two epochs or more with accuracies on the target")
    lowest = min(min(values) for points in data.values() for values in points)
    floor = int(lowest * 10) / 10

    def x(epoch):
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / (epochs - 1)

    def y(accuracy):
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (accuracy - floor) / (1 - floor))

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
             'aria-label="Target test accuracy over the epochs">', f"<style>{STYLE}</style>",
             f'<text class="t" x="{LEFT}" y="24">Accuracy on the target\'s test set, which no training label came from</text>']
    for tenth in range(round(floor * 10), 11):
        level = y(tenth / 10)
        parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
                     f'<text x="{LEFT - 10}" y="{level + 4:.1f}" text-anchor="end">{tenth * 10} %</text>')
    for epoch in sorted({0, *range(4, epochs, 5), epochs - 1}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{epoch + 1}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 2}" text-anchor="middle">epoch</text>')
    for mode, label, colour in MODES:
        points = data[mode]
        if not points:
            continue
        top = " ".join(f"{x(e):.1f},{y(max(v)):.1f}" for e, v in enumerate(points))
        bottom = " ".join(f"{x(e):.1f},{y(min(v)):.1f}" for e, v in reversed(list(enumerate(points))))
        line = " ".join(f"{x(e):.1f},{y(sum(v) / len(v)):.1f}" for e, v in enumerate(points))
        last = sum(points[-1]) / len(points[-1])
        parts.append(f'<polygon points="{top} {bottom}" fill="{colour}" fill-opacity=".18"/>'
                     f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
                     f'<text x="{x(len(points) - 1) + 10:.1f}" y="{y(last) + 4:.1f}">{label} {last * 100:.1f} %</text>')
    parts.append("</svg>")
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "docs/target-accuracy.svg")
