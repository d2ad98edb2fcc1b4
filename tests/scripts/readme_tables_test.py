#!/usr/bin/env python3
"""make_readme_tables.py on made-up results: numbers, missing modes, --check, and a README without the markers."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "make_readme_tables.py"
FIGURE = SCRIPT.with_name("make_readme_figure.py")
README = ("# x\n<!-- accuracy:begin -->\nold\n<!-- accuracy:end -->\ny\n<!-- methods:begin -->\n<!-- methods:end -->\n<!-- pytorch:begin -->\n<!-- pytorch:end -->\n"
          "<!-- speed:begin -->\n<!-- speed:end -->\nend\n")


def result(modes, seeds=(1, 2)):
    accuracy = {"source-only": 0.5, "dann": 0.75, "critic": 0.7, "target-only": 0.9}
    speed = {"source-only": 9000.0, "dann": 4000.0, "critic": 3000.0, "target-only": 9500.0}
    runs = [{"mode": mode, "seed": seed, "seconds": 100.0 + seed, "images_per_second": speed[mode] + seed,
             "source_test_accuracy": 0.98, "target_test_accuracy": accuracy[mode]} for mode in modes for seed in seeds]
    summary = {mode: {"runs": len(seeds), "target_test_accuracy": {"mean": accuracy[mode], "std": 0.0123 if len(seeds) > 1 else None},
                      "source_test_accuracy": {"mean": 0.98, "std": None}} for mode in modes}
    for mode, gap_closed in (("dann", 0.625), ("critic", 0.5)):
        if mode in modes:
            summary[mode]["gap_closed"] = gap_closed if len(modes) >= 3 else None
    return {"version": "0", "device": "cpu", "precision": "f32", "threads": 2, "preset": "paper", "config": {},
            "data": {"source": {"name": "MNIST", "sha256": "ab"}, "target": {"name": "MNIST-M", "sha256": "cd"}},
            "runs": runs, "summary": summary}


class ReadmeFigure(unittest.TestCase):
    def draw(self, **histories):
        """The figure of these runs: by mode, what the target's accuracy was, None where there was none to measure."""
        runs = [{"mode": mode.replace("_", "-"), "history": [{} if value is None else {"target_test_accuracy": value}
                                                             for value in values]}
                for mode, values in histories.items()]
        with tempfile.TemporaryDirectory() as folder:
            source, output = pathlib.Path(folder) / "result.json", pathlib.Path(folder) / "figure.svg"
            source.write_text(json.dumps({"runs": runs}), encoding="utf-8")
            done = subprocess.run([sys.executable, FIGURE, source, output], capture_output=True, text=True)
            return done, output.read_text(encoding="utf-8") if output.exists() else None

    def test_a_target_without_labels_has_no_line(self):
        done, figure = self.draw(dann=[0.5, 0.75], source_only=[None, None])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("DANN 75.0 %", figure)
        self.assertNotIn("source only", figure)

    def test_nothing_to_draw(self):
        done, figure = self.draw(dann=[None, None])
        self.assertEqual((done.returncode, figure), (1, None))
        self.assertIn("has no run of two epochs or more with accuracies", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class ReadmeTables(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "docs" / "results").mkdir(parents=True)
        self.readme = self.root / "README.md"
        self.readme.write_text(README, encoding="utf-8")

    def record(self, name, document):
        (self.root / "docs" / "results" / name).write_text(json.dumps(document), encoding="utf-8")

    def make(self, *options):
        command = [sys.executable, SCRIPT, "--root", self.root, *options]
        return subprocess.run(command, capture_output=True, text=True)

    def rows(self):
        self.assertEqual(self.make().returncode, 0)
        return [[cell.strip() for cell in line.strip("|").split("|")]
                for line in self.readme.read_text(encoding="utf-8").splitlines() if line.startswith("|")]

    def test_all_modes_wrapped(self):
        self.record("a.json", {"command": "dann_mnist --json", "machine": "Some CPU, 2 cores", "date": "2026-01-01",
                               "result": result(["source-only", "dann", "target-only"])})
        rows = self.rows()
        self.assertEqual(rows[2], ["MNIST → MNIST-M", "paper, 2 seeds", "50.0 ± 1.2 %", "75.0 ± 1.2 %", "90.0 ± 1.2 %",
                                   "62.5 %", "98.0 %", "Some CPU, 2 cores, 2 threads, 2026-01-01; 10 min"])
        self.assertIn("```sh\ndann_mnist --json\n```", self.readme.read_text(encoding="utf-8"))

    def test_other_methods_stand_beside_the_papers_rows(self):
        self.record("a.json", {"command": "dann_mnist --mode X --json", "machine": "Some CPU, 2 cores", "date": "2026-01-01",
                               "result": result(["source-only", "dann", "critic", "target-only"])})
        self.record("b.json", result(["source-only", "dann", "target-only"]))
        rows = self.rows()
        methods = rows[next(i for i, row in enumerate(rows) if row[1] == "method") + 2:]
        self.assertEqual([row[1] for row in methods], ["source-only", "dann", "critic", "target-only"])
        self.assertEqual(methods[2], ["MNIST → MNIST-M", "critic", "2", "70.0 ± 1.2 %", "50.0 %", "98.0 %"])
        self.assertEqual(methods[0][4], "–")
        self.assertEqual(rows[2][2:6], ["50.0 ± 1.2 %", "75.0 ± 1.2 %", "90.0 ± 1.2 %", "62.5 %"])
        self.assertTrue(rows[2][7].endswith("10 min"))  # of the paper's rows

    def test_a_method_by_itself_stands_with_its_options_and_not_among_the_papers_rows(self):
        self.record("a.json", {"command": "dann_mnist --source mnist --mode critic --seeds 2 --critic-loss 'two words' --json",
                               "machine": "Some CPU, 2 cores", "date": "2026-01-01", "result": result(["critic"])})
        rows = self.rows()
        self.assertEqual(len(rows), 3)
        self.assertEqual(rows[2], ["MNIST → MNIST-M", "critic --critic-loss two words", "2", "70.0 ± 1.2 %", "–", "98.0 %"])

        self.record("b.json", {"command": "dann_mnist --mode X --json", "machine": "Some CPU, 2 cores", "date": "2026-01-01",
                               "result": result(["dann", "critic"])})
        methods = [row[1] for row in self.rows()][-3:]
        self.assertEqual(methods, ["dann", "critic", "critic --critic-loss two words"])

    def test_speed(self):
        self.record("speed-a.json", {"command": "dann_mnist --json", "machine": "Some CPU, 2 cores", "date": "2026-01-01",
                                     "result": result(["source-only", "dann", "target-only"])})
        rows = self.rows()
        self.assertEqual(len(rows), 3)
        self.assertEqual(rows[2], ["Some CPU, 2 cores, 2 threads", "f32", "MNIST → MNIST-M",
                                   "9,002", "4,002", "9,502"])

    def record_pytorch(self, *results):
        for machine, date, name, version, rate in results:
            folder = self.root / "benchmarks" / "results" / f"{machine}-{date}"
            folder.mkdir(parents=True, exist_ok=True)
            row = {"mode": "dann", "precision": "bf16", "batch": 64, "threads": 2, "pytorch": "tuned", "torch": version,
                   "gradflip_images_per_second": rate, "pytorch_images_per_second": 1500.0, "ratio": 2.004}
            (folder / name).write_text(json.dumps(
                {"date": date, "machine": "Some CPU", "cores": 2, "rounds": 3, "rows": [row]}), encoding="utf-8")

    def test_pytorch_takes_the_newest(self):
        self.record_pytorch(("some-cpu", "2026-01-02", "pytorch.json", "1.0a0", 3000.4),
                            ("some-cpu", "2026-01-02", "pytorch-newest.json", "2.0+x", 3000.4),
                            ("some-cpu", "2026-01-01", "pytorch.json", "1.0", 1.0))
        rows = self.rows()
        self.assertEqual(rows[0][5:], ["PyTorch 2.0 tuned", "PyTorch 1.0 tuned"])
        self.assertEqual(rows[2], ["dann", "bf16", "64", "2", "3,000", "1,500 (2.00)", "1,500 (2.00)"])
        self.assertEqual(len(rows), 3)
        self.assertIn("some-cpu: Some CPU, 2 cores, 2026-01-02;", self.readme.read_text(encoding="utf-8"))

    def test_pytorch_folds_machines_measured_before(self):
        self.record_pytorch(("new-cpu", "2026-01-02", "pytorch.json", "1.0", 3000.4),
                            ("old-cpu", "2026-01-01", "pytorch.json", "1.0", 2000.4))
        self.rows()
        text = self.readme.read_text(encoding="utf-8")
        new, old = text.index("| 3,000 |"), text.index("| 2,000 |")
        self.assertLess(new, text.index("<details>"))
        self.assertLess(text.index("<summary>old-cpu, 2026-01-01</summary>"), old)
        self.assertLess(old, text.index("</details>"))

    def test_one_mode_unwrapped(self):
        self.record("a.json", result(["dann"], seeds=(1,)))
        rows = self.rows()
        self.assertEqual(rows[2][1:7], ["paper, 1 seed", "–", "75.0 %", "–", "–", "98.0 %"])

    def test_one_mode_speed(self):
        self.record("speed-a.json", result(["dann"], seeds=(1,)))
        self.assertEqual(self.rows()[2][3:], ["–", "4,001", "–"])

    def test_text_around_the_tables_stays(self):
        self.assertEqual(self.make().returncode, 0)
        text = self.readme.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("# x\n<!-- accuracy:begin -->\n") and text.endswith("<!-- speed:end -->\nend\n"))
        self.assertNotIn("old", text)

    def test_check(self):
        self.assertEqual(self.make("--check").returncode, 1)
        self.assertEqual(self.readme.read_text(encoding="utf-8"), README)
        self.assertEqual(self.make().returncode, 0)
        self.assertEqual(self.make("--check").returncode, 0)
        self.record("a.json", result(["dann"]))
        self.assertEqual(self.make("--check").returncode, 1)

    def test_readme_without_a_marker(self):
        self.readme.write_text("# x\n", encoding="utf-8")
        made = self.make()
        self.assertEqual(made.returncode, 1)
        self.assertIn("accuracy", made.stderr)


if __name__ == "__main__":
    unittest.main()
