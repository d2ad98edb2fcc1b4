#!/usr/bin/env python3
"""Puts what the parts of run_on_gpu.sh left together: gpu_report.py WORK OUT GPU.

Writes summary.json, table.md, kernels.json, steps.json and paper.json into OUT, as far as there is something.
"""
import datetime
import json
import pathlib
import platform
import subprocess
import sys


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_lines(path):
    """JSON documents, one a line; a line that a time limit cut off is left out."""
    documents = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                documents.append(json.loads(line))
            except ValueError:
                continue
    return documents


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def machine(gpu):
    driver = command_output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    nvcc = command_output("nvcc", "--version") or command_output("/usr/local/cuda/bin/nvcc", "--version")
    return {
        "gpu": gpu,
        "driver": driver.splitlines()[0] if driver else None,
        "cuda": nvcc.splitlines()[-2] if nvcc and len(nvcc.splitlines()) > 1 else nvcc,
        "cpu": next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                     if line.startswith("model name")), platform.machine()),
    }


def test_counts(work):
    counts = {}
    for path in sorted(work.glob("*_test.json")):
        report = read_json(path)
        if report is None:
            continue
        skipped = sum(test.get("result") == "SKIPPED" for suite in report["testsuites"] for test in suite["testsuite"])
        bad = report["failures"] + report["errors"]
        counts[path.stem] = {"passed": report["tests"] - bad - skipped - report["disabled"], "failed": bad,
                             "skipped": skipped}
    return counts


def kernel_document(work):
    """The rows of every group; where the peaks were measured more than once, the highest."""
    merged = None
    for path in sorted(work.glob("kernels-*.json")):
        document = read_json(path)
        if document is None:
            continue
        if merged is None:
            merged = document
            continue
        merged["rows"] += document["rows"]
        for name, value in document["peaks"].items():
            merged["peaks"][name] = max(merged["peaks"][name], value)
    return merged


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join("---" for _ in header) + "|"]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def throughput_lines(steps, peers):
    rows = []
    for step in steps:
        for row in step.get("rows", [step]):
            rows.append([f"gradflip {row['mode']}", step["batch"], step["precision"],
                         f"{row['images_per_second']:,.0f}", f"{row['step_us']:.1f}",
                         f"{step['dann_over_source_only']:.3f}" if row["mode"] == "dann" and "rows" in step else ""])
    for peer in peers:
        options = [name for name in ("compile", "cuda_graph", "channels_last") if peer[name]]
        rows.append([f"PyTorch {peer['torch']} {peer['mode']} {' '.join(options)}".strip(), peer["batch"],
                     peer["precision"], f"{peer['images_per_second']:,.0f}", f"{peer['step_us']:.1f}", ""])
    if not rows:
        return []
    header = ["program", "batch", "precision", "images/s", "us a step", "DANN / source-only"]
    return ["", "## Whole steps", ""] + table(header, rows)


def kernel_lines(document):
    if document is None:
        return []
    groups = {}
    for row in document["rows"]:
        if "error" not in row:
            groups.setdefault((row["op"], row["shape"], row["batch"], row["math"]), []).append(row)
    rows = []
    for key, group in groups.items():
        ours = next((row for row in group if row["library"] == "gradflip"), None)
        others = [row for row in group if row["library"] != "gradflip"]
        best = min(others, key=lambda row: row["median_us"], default=None)
        rows.append([*key,
                     f"{ours['median_us']:.2f}" if ours else "",
                     f"{ours['gflops'] / 1000:.2f}" if ours else "",
                     f"{ours['gb_per_second']:.0f}" if ours else "",
                     f"{100 * ours['share_of_peak']:.0f} % of {ours['bound']}" if ours else "",
                     f"{best['library']} {best['median_us']:.2f}" if best else "",
                     f"{best['median_us'] / ours['median_us']:.2f}" if best and ours else ""])
    header = ["operation", "shape", "batch", "math", "median us", "TFLOP/s", "GB/s", "share", "library us", "speed-up"]
    peaks = ", ".join(f"{name} {value:,.0f}" for name, value in document["peaks"].items())
    failed = [f"- {row['op']}/{row['shape']}/{row['batch']}/{row['math']}/{row['library']}: {row['error']}"
              for row in document["rows"] if "error" in row]
    return ["", "## Kernels", "", f"Peaks measured here: {peaks}.", ""] + table(header, rows) + [""] + failed


def paper_lines(paper):
    if paper is None:
        return []
    rows = [[run["mode"], f"{100 * run['source_test_accuracy']:.2f} %", f"{100 * run['target_test_accuracy']:.2f} %",
             run["steps"], f"{run['seconds']:.2f}", f"{run['images_per_second']:,.0f}"] for run in paper["runs"]]
    header = ["mode", "source test", "target test", "steps", "training s", "images/s"]
    return ["", f"## The paper's experiment, {paper['precision']}, seed {paper['runs'][0]['seed']}", ""] + \
        table(header, rows)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    work, out, gpu = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    steps, peers = read_lines(work / "steps.jsonl"), read_lines(work / "peers.jsonl")
    kernels, paper = kernel_document(work), read_json(work / "paper.json")
    parts = read_lines(work / "parts.jsonl")
    summary = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(gpu),
        "parts": parts,
        "tests": test_counts(work),
        "steps": [{key: value for key, value in step.items() if key != "device"} for step in steps],
        "peers": peers,
        "paper": paper and {run["mode"]: run["target_test_accuracy"] for run in paper["runs"]},
        "kernel_rows": len(kernels["rows"]) if kernels else 0,
        "kernel_errors": sum("error" in row for row in kernels["rows"]) if kernels else 0,
    }
    documents = {"summary.json": summary, "kernels.json": kernels, "paper.json": paper,
                 "steps.json": {"gradflip": steps, "pytorch": peers} if steps or peers else None}
    for name, document in documents.items():
        if document is not None:
            (out / name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    about = ", ".join(f"{key}: {value}" for key, value in summary["machine"].items())
    lines = [f"# {gpu}, {summary['date']}", "", about, "",
             *table(["part", "result", "seconds"], [[p["part"], p["result"], p["seconds"]] for p in parts])]
    if summary["tests"]:
        rows = [[name, count["passed"], count["failed"], count["skipped"]] for name, count in summary["tests"].items()]
        lines += ["", "## Tests", "", *table(["program", "passed", "failed", "skipped"], rows)]
    lines += throughput_lines(steps, peers) + paper_lines(paper) + kernel_lines(kernels)
    text = "\n".join(lines) + "\n"
    (out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
