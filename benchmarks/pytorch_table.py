#!/usr/bin/env python3
"""gradflip beside PyTorch over modes, precisions, batches and threads; compare_pytorch.sh --table calls it.

usage: benchmarks/pytorch_table.py [--rounds N] [--seconds S] [--quick | --two-views] [--json FILE]

For each case step_bench and peers/torch_dann.py run in turns, N times each; medians count, and the ratio is the median of
the pairs'. PyTorch runs with the best settings known for it: channels_last, one pool of threads (OpenBLAS over OpenMP),
tcmalloc, AVX-512 kernels, each where it is there; "as installed" rows leave all of them out, "compiled" rows (PyTorch 2
and later) add torch.compile. --two-views compares the step of peers/torch_digits_m.py instead: another network, with batch
norm, dropout, Adam and two augmented views of each picture. Standard library only.
"""
import argparse
import datetime
import glob
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
AS_INSTALLED, TUNED, COMPILED = "as installed", "tuned", "compiled"
TWO_VIEWS = "dann-two-views"
PEERS = {TWO_VIEWS: "torch_digits_m.py"}  # other modes: torch_dann.py
RECIPES = {TWO_VIEWS: ["--network", "digits-m", "--batch-norm", "per-domain", "--augment", "strong", "--optimizer", "adam",
                       "--learning-rate", "0.001"]}  # what the peer is written to be


def processor():
    """Its name and flags, as Linux tells them."""
    fields = {}
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return fields.get("model name", "unknown"), fields.get("flags", "").split()


def first(pattern):
    return next(iter(sorted(glob.glob(pattern))), None)


def tuned_environment():
    """What is found of the settings that make PyTorch faster on a CPU."""
    found = {}
    allocator = first("/usr/lib/*/libtcmalloc_minimal.so.4")
    if allocator:
        found["LD_PRELOAD"] = allocator
    blas = first("/usr/lib/*/openblas-openmp")
    if blas:
        found["LD_LIBRARY_PATH"] = blas
    if "avx512f" in processor()[1]:
        found["ATEN_CPU_CAPABILITY"] = "avx512"
    return found


def can_compile(python):
    """Whether its PyTorch has torch.compile."""
    probe = subprocess.run([python, "-c", "import torch; print(hasattr(torch, 'compile'))"], capture_output=True,
                           text=True, check=False)
    return probe.stdout.strip() == "True"


def two_view_cases(threads):
    fewer = [threads // 2] if threads > 1 else []
    return [(TWO_VIEWS, precision, 128, count, TUNED) for count in (threads, *fewer) for precision in ("f32", "bf16")]


def cases(quick, threads, compiled):
    """(mode, precision, batch, threads, variant of the peer)"""
    precisions = ("f32", "bf16")
    chosen = [("dann", precision, 128, threads, TUNED) for precision in precisions]
    chosen += [("dann", "f32", 128, threads, AS_INSTALLED)]
    chosen += [("infer", precision, 2048, threads, TUNED) for precision in precisions]
    if compiled:
        chosen += [("dann", precision, 128, threads, COMPILED) for precision in precisions]
        chosen += [("infer", precision, 2048, threads, COMPILED) for precision in precisions]
    if quick:
        return chosen
    chosen += [("source-only", precision, 128, threads, TUNED) for precision in precisions]
    chosen += [("dann", precision, batch, threads, TUNED) for precision in precisions for batch in (64, 512, 2048)]
    fewer = threads // 2
    while fewer >= 1:
        chosen += [("dann", precision, 128, fewer, TUNED) for precision in precisions]
        fewer //= 2
    return chosen


def rate(command, environment):
    process = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                             env={**os.environ, **environment})
    if process.returncode:
        sys.exit(f"pytorch_table: {command[0]} ended with {process.returncode}: {process.stderr.strip()[-500:]}")
    return json.loads(process.stdout)


def measure(case, arguments):
    mode, precision, batch, threads, variant = case
    common = ["--mode", mode, "--batch", batch, "--threads", threads, "--precision", precision, "--device", "cpu", "--json"]
    ours = [arguments.program, *common, *RECIPES.get(mode, []), "--seconds", arguments.seconds]
    peer = arguments.peer or ROOT / "benchmarks/peers" / PEERS.get(mode, "torch_dann.py")
    theirs = [arguments.python, peer, *common, "--repeats", 5, "--min-time", arguments.seconds / 5]
    if variant != AS_INSTALLED:
        theirs.append("--channels-last")
    if variant == COMPILED:
        theirs.append("--compile")
    pairs = []
    version = None
    for _ in range(arguments.rounds):
        mine = rate(ours, {})
        other = rate(theirs, {} if variant == AS_INSTALLED else tuned_environment())
        version = other.get("torch")
        pairs.append((mine["images_per_second"], other["images_per_second"]))
    return {"mode": mode, "precision": precision, "batch": batch, "threads": threads, "pytorch": variant, "torch": version,
            "gradflip_images_per_second": statistics.median(a for a, _ in pairs),
            "pytorch_images_per_second": statistics.median(b for _, b in pairs),
            "ratio": statistics.median(a / b for a, b in pairs), "pairs": pairs}


def table(rows):
    lines = ["| mode | precision | batch | threads | gradflip images/s | PyTorch images/s | PyTorch is | ratio |",
             "|---|---|---:|---:|---:|---:|---|---:|"]
    for row in rows:
        lines.append(f"| {row['mode']} | {row['precision']} | {row['batch']} | {row['threads']} | "
                     f"{row['gradflip_images_per_second']:,.0f} | {row['pytorch_images_per_second']:,.0f} | "
                     f"{row['torch']}, {row['pytorch']} | {row['ratio']:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="to measure each program for, per round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--quick", action="store_true", help="five cases instead of all, and the compiled ones")
    chosen.add_argument("--two-views", action="store_true", help="a step of the network digits-m with two augmented views")
    parser.add_argument("--json", metavar="FILE", help="the table as one JSON document, too")
    parser.add_argument("--python", default=os.environ.get("PYTHON", "python3"), help="one that has PyTorch")
    parser.add_argument("--peer", help="instead of those in benchmarks/peers")
    parser.add_argument("--program", help="step_bench",
                        default=os.path.join(os.environ.get("GRADFLIP_BIN", ROOT / "build/release/bin"), "step_bench"))
    arguments = parser.parse_args()
    rows = []
    if arguments.two_views:
        chosen_cases = two_view_cases(arguments.threads)
    else:
        chosen_cases = cases(arguments.quick, arguments.threads, can_compile(arguments.python))
    for case in chosen_cases:
        rows.append(measure(case, arguments))
        print(f"{' '.join(map(str, case))}: {rows[-1]['ratio']:.2f}", file=sys.stderr)
    document = {"date": datetime.date.today().isoformat(), "machine": processor()[0], "cores": os.cpu_count(),
                "settings": sorted(tuned_environment()), "rounds": arguments.rounds, "seconds": arguments.seconds,
                "rows": rows}
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
    print(table(rows))


if __name__ == "__main__":
    main()
