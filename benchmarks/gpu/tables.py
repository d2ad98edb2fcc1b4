"""The tables of report.py, in Markdown, of whatever there is."""


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
    failed = []
    for peer in peers:
        if "error" in peer:
            failed.append(f"- PyTorch {peer_options(peer)}: {peer['error']}")
            continue
        rows.append([f"PyTorch {peer['torch']} {peer['mode']} {options_of(peer)}".strip(), peer["batch"],
                     peer["precision"], f"{peer['images_per_second']:,.0f}", f"{peer['step_us']:.1f}", ""])
    if not rows and not failed:
        return []
    header = ["program", "batch", "precision", "images/s", "us a step", "DANN / source-only"]
    return ["", "## Whole steps", ""] + table(header, rows) + ([""] + failed if failed else [])


def options_of(peer):
    return " ".join(name for name in ("compile", "cuda_graph", "channels_last") if peer[name])


def peer_options(peer):
    """Of a row without a rate: as settings, or as options where it did not come so far."""
    if "options" in peer:
        return peer["options"]
    return f"{peer['mode']} {options_of(peer)}, batch {peer['batch']}, {peer['precision']}"


def profile_lines(profiles):
    lines = []
    for document in profiles:
        for mode, profile in document["profiles"].items():
            rows = [[row["node"], f"{row['us']:.2f}", f"{100 * row['share']:.1f} %",
                     f"{row['gflops'] / 1000:.2f}" if row["gflops"] else "",
                     f"{100 * row['peak_share']:.0f} %" if row["gflops"] else ""] for row in profile["rows"]]
            lines += ["", f"## Launches of a step: {mode}, batch {document['batch']}, {document['precision']}", "",
                      f"A step takes {profile['step_us']:.1f} us; each launch in a replayed graph of its own.", ""]
            lines += table(["launch", "us", "share", "TFLOP/s", "of the peak"], rows)
    return lines


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


def percent(run, key):
    return f"{100 * run[key]:.2f} %" if run.get(key) is not None else "-"


def paper_lines(paper):
    if paper is None:
        return []
    rows = []
    for run in paper["runs"]:
        name = f"{run['mode']}, seed {run['seed']}"
        if "error" in run:
            rows.append([name, run["error"]["message"], "", "", "", ""])
        elif not run.get("completed"):
            # Its accuracies are those of the last whole epoch, not of the experiment.
            rows.append([name, f"ended after {run['steps']} steps", "", "", "", ""])
        else:
            rows.append([name, percent(run, "source_test_accuracy"), percent(run, "target_test_accuracy"),
                         run["steps"], f"{run['seconds']:.2f}", f"{run['images_per_second']:,.0f}"])
    header = ["run", "source test", "target test", "steps", "training s", "images/s"]
    return ["", f"## The paper's experiment, {paper['precision']}", ""] + table(header, rows)


def test_lines(tests):
    if not tests:
        return []
    kinds = ["passed", "failed", "died", "not run", "skipped"]
    lines = ["", "## Tests", ""]
    lines += table(["program", *kinds, "passed alone only"],
                   [[name, *(count[kind] for kind in kinds), len(count["passed_only_alone"])]
                    for name, count in tests.items()])
    for name, count in tests.items():
        lines += [f"- {name}: {test} did not pass" for test in count["not_passed"]]
        lines += [f"- {name}: {test} passed alone, not in company" for test in count["passed_only_alone"]]
    return lines


def part_lines(parts):
    rows = [[part["part"], f"{part['result']}: {part['why']}" if part["why"] else part["result"],
             part.get("seconds", ""), f"{part['sm_mhz']:.0f}" if part.get("sm_mhz") else "", part.get("commit", "")]
            for part in parts]
    return table(["part", "result", "seconds", "SM clock, MHz", "commit"], rows)


def page(summary, kernels, paper):
    about = ", ".join(f"{key}: {value}" for key, value in summary["machine"].items())
    lines = [f"# {summary['machine']['gpu']}, {summary['date']}", "", about, "", *part_lines(summary["parts"])]
    for section, values in ((test_lines, (summary["tests"],)),
                            (throughput_lines, (summary["steps"], summary["peers"])), (paper_lines, (paper,)),
                            (profile_lines, (summary["profiles"],)), (kernel_lines, (kernels,))):
        try:
            lines += section(*values)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            # One program's odd output must not cost what the others found.
            lines += ["", f"{section.__name__}: what the program wrote cannot be read: {error!r}"]
    return "\n".join(lines) + "\n"
