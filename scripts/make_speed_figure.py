#!/usr/bin/env python3
"""Draws docs/speed.svg: images per second of DANN training over batch and threads, gradflip and PyTorch.

  scripts/make_speed_figure.py benchmarks/results/.../pytorch.json [docs/speed.svg]

The file is what benchmarks/compare_pytorch.sh --table wrote. Standard library only.
"""
import json
import sys

WIDTH, HEIGHT = 760, 340
TOP, BOTTOM = 46, 44
PANELS = {"batch": (64, 440), "threads": (520, 620)}  # left and right edge of each
SERIES = [("gradflip", "bf16", "#2f6fde", ""), ("gradflip", "f32", "#2f6fde", "5 4"),
          ("pytorch", "bf16", "#c8553d", ""), ("pytorch", "f32", "#c8553d", "5 4")]
NAMES = {"gradflip": "gradflip", "pytorch": "PyTorch"}
STYLE = """text{font:13px system-ui,sans-serif;fill:#444} .t{font-size:15px;font-weight:600}
line.g{stroke:#888;stroke-opacity:.25}
@media (prefers-color-scheme: dark){text{fill:#ccc}}"""


def points(rows, who, precision, axis, fixed):
    """(value on the axis, images per second), where everything but the axis is as in `fixed`."""
    chosen = {row[axis]: row[f"{who}_images_per_second"] for row in rows
              if row["mode"] == "dann" and row["precision"] == precision and row["pytorch"] == "tuned"
              and all(row[name] == value for name, value in fixed.items())}
    return sorted(chosen.items())


def ceiling(rows):
    """The first whole 10,000 above every bar."""
    most = max(max(row["gradflip_images_per_second"], row["pytorch_images_per_second"]) for row in rows
               if row["mode"] == "dann")
    return 10_000 * (int(most) // 10_000 + 1)


def main(source, output):
    with open(source, encoding="utf-8") as file:
        document = json.load(file)
    rows = document["rows"]
    top = ceiling(rows)
    threads = max(row["threads"] for row in rows)

    def y(rate):
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - rate / top)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
             'aria-label="Images per second of DANN training over batch and threads">', f"<style>{STYLE}</style>",
             f'<text class="t" x="{PANELS["batch"][0]}" y="24">Images per second, training a DANN '
             f'({document["machine"]}, {document["date"]})</text>']
    for axis, (left, right) in PANELS.items():
        for level in range(0, top + 1, 10_000):
            parts.append(f'<line class="g" x1="{left}" x2="{right}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>')
            if axis == "batch":
                parts.append(f'<text x="{left - 8}" y="{y(level) + 4:.1f}" text-anchor="end">{level // 1000}k</text>')
        fixed = {"threads": threads} if axis == "batch" else {"batch": 128}
        label = f"batch, {threads} threads" if axis == "batch" else "threads, batch 128"
        values = [value for value, _ in points(rows, "gradflip", "f32", axis, fixed)]

        def x(value):
            return left + (right - left) * values.index(value) / max(1, len(values) - 1)

        for value in values:
            parts.append(f'<text x="{x(value):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{value}</text>')
        parts.append(f'<text x="{(left + right) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{label}</text>')
        for who, precision, colour, dash in SERIES:
            line = points(rows, who, precision, axis, fixed)
            if not line:
                continue
            path = " ".join(f"{x(value):.1f},{y(rate):.1f}" for value, rate in line)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"'
                         f'{f" stroke-dasharray={chr(34)}{dash}{chr(34)}" if dash else ""}/>')
            if axis == "threads":
                parts.append(f'<text x="{right + 8}" y="{y(line[-1][1]) + 4:.1f}">{NAMES[who]} {precision}</text>')
    parts.append("</svg>")
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "docs/speed.svg")
