#!/usr/bin/env python3
"""make_recipe_table.py on made-up records: means, what nobody published, what has no row, and --check."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "make_recipe_table.py"
PAGE = "# x\n<!-- recipes:begin -->\nold\n<!-- recipes:end -->\n<!-- weights:begin -->\n<!-- weights:end -->\nend\n"
PUBLISHED = [{"preset": "own", "data": "invert", "figure": None, "source": None},
             {"preset": "theirs-too", "data": "invert", "figure": ".71", "source": "a page"},
             {"preset": "theirs-too", "data": "difference", "figure": ".7", "source": "a page"}]


class RecipeTable(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.records = self.root / "docs" / "results" / "recipes"
        self.records.mkdir(parents=True)
        self.page = self.root / "docs" / "recipes.md"
        self.page.write_text(PAGE, encoding="utf-8")
        (self.records / "published.json").write_text(json.dumps(PUBLISHED), encoding="utf-8")

    def record(self, name, target):
        run = {"target_test_accuracy": target, "source_test_accuracy": 0.98}
        document = {"command": f"bin/dann_mnist --source '$GRADFLIP_DATA/mnist' --of {name} --json", "machine": "m", "date": "d",
                    "result": {"runs": [run]}}
        (self.records / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")

    def make(self, *options):
        return subprocess.run([sys.executable, SCRIPT, "--root", self.root, *options], capture_output=True, text=True)

    def test_rows_are_presets_on_data_with_the_mean_of_their_seeds(self):
        self.record("theirs-too-invert-seed10", 0.8)
        self.record("theirs-too-invert-seed2", 0.7)
        self.record("own-invert-seed1", 0.9)
        done = self.make()
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.page.read_text(encoding="utf-8")
        own, theirs = text.splitlines()[4:6]
        self.assertEqual(own, "| own | invert | – | 90.0 % | 1 | 98.0 % |")
        self.assertEqual(theirs, "| theirs-too | invert | .71 (a page) | 75.0 ± 7.1 % | 2 | 98.0 ± 0.0 % |")
        self.assertNotIn("difference", text)  # no record of it
        self.assertIn("bin/dann_mnist --source data/mnist --of theirs-too-invert-seed2 --json", text)
        self.assertTrue(text.startswith("# x\n") and text.endswith("end\n"))
        self.assertEqual(self.make("--check").returncode, 0)

    def test_an_old_page_is_told(self):
        self.record("own-invert-seed1", 0.9)
        done = self.make("--check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("out of date", done.stderr)
        self.assertEqual(self.page.read_text(encoding="utf-8"), PAGE)

    def test_a_record_without_a_row_is_told(self):
        self.record("another-invert-seed1", 0.9)
        done = self.make()
        self.assertEqual(done.returncode, 1)
        self.assertIn("another", done.stderr)

    def test_without_records(self):
        self.assertEqual(self.make().returncode, 0)
        self.assertIn("No recipe is recorded yet.", self.page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
