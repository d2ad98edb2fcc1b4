#!/usr/bin/env python3
"""choose_domain_weight.py: its rule, which no accuracy on the target decides, what it runs, and that it goes on where it was stopped."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "choose_domain_weight.py"
# (source test, domain accuracy, target test) of each weight.
RUNS = {"0.1": (0.990, 0.75, 0.95), "1": (0.986, 0.60, 0.80), "10": (0.980, 0.50, 0.90)}
PROGRAM = """#!/usr/bin/env python3
import json, sys
words = sys.argv[1:]
print(' '.join(words), file=open(__file__ + '.calls', 'a'))
source, domain, target = json.load(open(__file__ + '.runs'))[words[words.index('--domain-weight') + 1]]
print(json.dumps({'device': 'cpu', 'runs': [{'source_test_accuracy': source, 'domain_accuracy': domain, 'target_test_accuracy': target}]}))
"""


class ChooseDomainWeight(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.program = self.folder / "program"
        self.program.write_text(PROGRAM, encoding="utf-8")
        self.program.chmod(0o755)
        self.runs(RUNS)

    def runs(self, of_weights):
        (self.folder / "program.runs").write_text(json.dumps(of_weights), encoding="utf-8")

    def calls(self):
        path = self.folder / "program.calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def choose(self, *command, seeds="11,12"):
        return subprocess.run([sys.executable, SCRIPT, "--weights", "0.1,1,10", "--seeds", seeds, "--folder", self.folder / "runs", *command],
                              capture_output=True, text=True)

    def test_the_least_told_apart_near_the_best_on_the_source(self):
        done = self.choose(self.program, "--mode", "dann")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.endswith("by the rule: 1\n"), done.stdout)  # 10 loses the classes
        self.assertIn("| **1** | 2 | 98.6 % | 60.0 % | 80.0 % |", done.stdout)
        self.assertEqual(len(self.calls()), 6)
        self.assertIn("--mode dann --domain-weight 0.1 --seed 11 --json", self.calls())

    def test_the_target_decides_nothing(self):
        self.runs({weight: (source, domain, 1 - target) for weight, (source, domain, target) in RUNS.items()})
        self.assertTrue(self.choose(self.program).stdout.endswith("by the rule: 1\n"))

    def test_what_is_there_is_left_alone(self):
        self.choose(self.program, seeds="11")
        self.assertEqual(len(self.calls()), 3)
        self.choose(self.program)
        self.assertEqual(len(self.calls()), 6)
        self.assertTrue(self.choose().stdout.endswith("by the rule: 1\n"))
        self.assertEqual(len(self.calls()), 6)

    def test_without_records_and_with_a_run_that_fails(self):
        done = self.choose()
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no record", done.stderr)
        self.program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
        done = self.choose(self.program)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ended with 3", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
