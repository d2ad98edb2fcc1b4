#!/usr/bin/env python3
"""What docs/*.md quote of a file, in a block that begins with its path, stands there word for word."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```\w+\n(?://|#) ([\w.]+/[\w./]+)\n(.*?)```", re.DOTALL)


def quotations(text):
    return BLOCK.findall(text)


class Quotations(unittest.TestCase):
    def test_stand_in_their_files(self):
        found = 0
        for page in sorted((ROOT / "docs").glob("*.md")):
            for path, code in quotations(page.read_text(encoding="utf-8")):
                found += 1
                with self.subTest(page=page.name, path=path):
                    self.assertIn(code, (ROOT / path).read_text(encoding="utf-8"))
        self.assertGreater(found, 4)

    def test_what_methods_report_stands_in_the_page_of_json(self):
        page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
        names = set()
        for source in (ROOT / "models" / "methods").glob("*.cpp"):
            names.update(re.findall(r'step\.report\(\{\.name = "(\w+)"', source.read_text(encoding="utf-8")))
        self.assertGreater(len(names), 3)
        for name in names:
            self.assertIn(f"`{name}`", page)
        own = {"epoch", "steps", "seconds", "source_test_accuracy", "target_test_accuracy", "oracle_target_test_accuracy"}
        self.assertFalse(names & own, "the document has numbers of these names itself")

    def test_sets_of_augmentations_stand_in_their_page(self):
        source = (ROOT / "models" / "augmentation.cpp").read_text(encoding="utf-8")
        sets = re.search(r"kSets = \{(.*?)\};", source, re.DOTALL).group(1)
        texts = ["".join(re.findall(r'"([^"]*)"', text)) for text in re.findall(r'\{"\w+",(.*?)\}', sets, re.DOTALL)]
        self.assertEqual(len(texts), 3)
        page = (ROOT / "docs" / "augmentation.md").read_text(encoding="utf-8")
        for text in texts:
            self.assertIn(f"| `{text}` |" if text else "| `none` | nothing |", page)

    def test_a_block_is_told_from_others(self):
        page = "```sh\nls\n```\ntext\n```cpp\n// a/b.cpp\nint x;\n```\n"
        self.assertEqual(quotations(page), [("a/b.cpp", "int x;\n")])


if __name__ == "__main__":
    unittest.main()
