#!/usr/bin/env python3
"""Puts what the parts of run_on_gpu.sh left so far together: gpu/report.py WORK OUT.

Writes summary.json, table.md, kernels.json, steps.json, paper.json, parts.log and tests.log into OUT, as far as there
is something. Asks nothing of the GPU, which may hang, and replaces each file in one step, as this may be ended any time.
"""
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import tables
import test_results

PARTS = ["build", "tests", "steps", "peer", "paper", "profile", "kernels", "sanitizers"]
MOST_LOG_BYTES = 15_000_000  # of all that goes into one file: of each its end


def parse(text):
    """None of what is no JSON object: cut off by a time limit, or a program's odd output."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def read_json(path):
    return parse(read_text(path))


def read_lines(path):
    """JSON objects, one a line; other lines are left out."""
    return [document for document in map(parse, read_text(path).splitlines()) if document is not None]


def objects_in(document, key):
    """The list of objects that a document should have there, as far as it has."""
    values = document.get(key)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def machine(work):
    gpu = (read_text(work / "gpu").splitlines() or ["none"])[0].split(", ")
    nvcc = command_output("nvcc", "--version") or command_output("/usr/local/cuda/bin/nvcc", "--version")
    return {
        "gpu": gpu[0],
        "driver": gpu[1] if len(gpu) > 1 else None,
        "cuda": nvcc.splitlines()[-2] if nvcc and len(nvcc.splitlines()) > 1 else nvcc,
        "cpu": next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                     if line.startswith("model name")), platform.machine()),
    }


def read_text(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def part_states(work):
    """Of every part: done, failed, cut, running (when this was written) or not run; and at which clocks it ran."""
    clocks = []
    for line in read_text(work / "clocks.csv").splitlines():
        fields = line.split(", ")
        try:
            moment = datetime.datetime.strptime(fields[0], "%Y/%m/%d %H:%M:%S.%f").timestamp()
            clocks.append((moment, float(fields[1])))
        except (ValueError, IndexError):
            continue
    states = []
    for part in PARTS:
        state = read_json(work / part / "state.json") or {"part": part, "result": "not run", "why": ""}
        if "begin" in state and "end" in state:
            state["seconds"] = state["end"] - state["begin"]
            end = state["end"] if state["result"] != "running" else float("inf")
            during = [clock for moment, clock in clocks if state["begin"] <= moment <= end]
            state["sm_mhz"] = statistics.median(during) if during else None
        states.append(state)
    return states


def test_counts(work):
    """By program, of the tests' last run; and by name what failed in company and passed alone, or did not pass."""
    counts = {}
    for program, tests in test_results.results(work / "tests").items():
        count = counts[program] = {"passed": 0, "failed": 0, "skipped": 0, "died": 0, "not run": 0,
                                   "passed_only_alone": [], "not_passed": []}
        for name, states in tests.items():
            state = test_results.final(states)
            count[state] += 1
            if state not in ("passed", "skipped"):
                count["not_passed"].append(name)
            elif states[0] != state:
                count["passed_only_alone"].append(name)
    return counts


def kernel_document(work):
    """The rows of every group; where the peaks were measured more than once, the highest."""
    merged = None
    for path in sorted((work / "kernels").glob("rows-*.json")):
        document = read_json(path)
        if document is None or "rows" not in document:
            continue
        merged = merged or {**document, "peaks": {}, "rows": []}
        merged["rows"] += objects_in(document, "rows")
        peaks = document.get("peaks")
        for name, value in peaks.items() if isinstance(peaks, dict) else ():
            if isinstance(value, (int, float)):  # null is what could not be measured
                merged["peaks"][name] = max(merged["peaks"].get(name, value), value)
    return merged


def paper_accuracies(paper):
    """By mode and seed, of the runs that came to their end."""
    accuracies = {}
    for run in objects_in(paper, "runs"):
        if run.get("completed"):
            accuracies.setdefault(str(run.get("mode")), {})[str(run.get("seed"))] = run.get("target_test_accuracy")
    return accuracies


def write(path, text):
    """In one step. The name is the same every time, so that what is left of one that was ended is replaced."""
    part = path.parent / "part"
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def end_of(path, most):
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def write_log(path, sources):
    sources = [source for source in sources if source.exists()]
    texts = [f"==== {source.parent.name}/{source.name}\n{end_of(source, MOST_LOG_BYTES // len(sources))}"
             for source in sources]
    write(path, "\n".join(texts))


def summary_of(work, steps, peers, profiles, kernels, paper):
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(work),
        "parts": part_states(work),
        "tests": test_counts(work),
        "steps": [{key: value for key, value in step.items() if key != "device"} for step in steps],
        "peers": peers,
        "profiles": profiles,
        "paper": paper and paper_accuracies(paper),
        "kernel_rows": len(kernels["rows"]) if kernels else 0,
        "kernel_errors": sum("error" in row for row in kernels["rows"]) if kernels else 0,
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    work, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    steps, peers = read_lines(work / "steps" / "rows.jsonl"), read_lines(work / "peer" / "rows.jsonl")
    profiles = read_lines(work / "profile" / "rows.jsonl")
    kernels, paper = kernel_document(work), read_json(work / "paper" / "paper.json")
    summary = summary_of(work, steps, peers, profiles, kernels, paper)
    text = tables.page(summary, kernels, paper)
    found = {"gradflip": steps, "pytorch": peers, "profiles": profiles}
    documents = {"summary.json": summary, "kernels.json": kernels, "paper.json": paper,
                 "steps.json": found if steps or peers or profiles else None}
    for name, document in documents.items():
        if document is None:
            (out / name).unlink(missing_ok=True)  # an earlier call's
        else:
            write(out / name, json.dumps(document, indent=1) + "\n")
    write(out / "table.md", text)
    write_log(out / "parts.log", [work / part / "log" for part in PARTS] +
              [work / "peer" / "verify.log", work / "clocks.csv"])
    write_log(out / "tests.log", sorted((work / "tests").glob("*.out")) + sorted((work / "sanitizers").glob("*.out")))
    print(text)


if __name__ == "__main__":
    main()
