#!/usr/bin/env python3
"""clang-tidy on many files at once: what scripts/check_tidy.sh runs.

usage: scripts/tidy_groups.py BUILD_FOLDER FILE...   (paths from the repository's root)

clang-tidy spends most of its time in the headers of the standard library, once per translation unit. So files that are
compiled alike are included by one translation unit, and a group in which nothing is found is done. Where something is
found, or names of two files clash after all, the group is halved; only what is said of a file by itself counts.
"""
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GROUP = 32
SOURCES = "--header-filter=(kernels|runtime|models|apps|tests|benchmarks)/.*[.](h|cpp)$"
# Including sources is what a group is for.
GROUP_CHECKS = "--checks=-bugprone-suspicious-include"
# Files that are compiled once per instruction set are looked at in one each, the narrowest and the widest in turn, so that
# their headers are seen in both.
NARROW = ("-DHWY_COMPILE_ONLY_STATIC",)
WIDE = (*NARROW, "-march=skylake-avx512") if platform.machine() == "x86_64" else NARROW


def options_of(entry):
    """How a file is parsed: not its source and output, nor what is the code generator's, or g++'s."""
    words, options, skip = shlex.split(entry["command"]), [], False
    for word, following in zip(words, words[1:] + [""]):
        if skip:
            skip = False
        elif word in ("-o", "-c") or word == "-include" and following.endswith("cmake_pch.hxx"):
            skip = True
        elif not re.match(r"-(?:W|O|g|f(?:PIC|PIE)$)", word):
            options.append(word)
    return options


def is_included_by_itself(text):
    """A file that is compiled once per instruction set, or for one, has to come first."""
    return any(word in text for word in ("HWY_TARGET_INCLUDE", "#pragma GCC", "immintrin.h", "_avx512.h"))


def types_of(text):
    """Types that a file may define in a namespace: what stands at the beginning of a line."""
    return set(re.findall(r"^(?:class|struct|enum class|enum|union|using) (\w+)\b(?! *(?:;|::))", text, re.MULTILINE))


def names_of(text):
    """Names that a file may define in an unnamed namespace."""
    functions = re.findall(r"^[A-Za-z][^;={}()#/\n]*[ *&](\w+)\(", text, re.MULTILINE)
    constants = re.findall(r"^(?:static |inline )*const(?:expr|init)? [^=({\n]*?(\w+)(?:\[\w*\])? *[={]", text, re.MULTILINE)
    return types_of(text) | {*functions, *constants}


def groups_of(files):
    """Files that are compiled alike, such that no two of a group define the same name."""
    groups = []
    for file in files:
        names = names_of(file.read_text())
        for group, taken in groups:
            if len(group) < GROUP and not names & taken:
                break
        else:
            group, taken = [], set()
            groups.append((group, taken))
        group.append(file)
        taken |= names
    return [group for group, _ in groups]


def run(database, file, *arguments):
    """What clang-tidy says of one translation unit; None if that is nothing."""
    result = subprocess.run(["clang-tidy", "--quiet", "-p", database, *arguments, file],
                            capture_output=True, text=True)
    if result.returncode == 0:
        return None
    lines = (result.stdout + result.stderr).splitlines()
    return "\n".join(line for line in lines if not re.search(r"warnings? generated\.$", line))


def check(folder, command, files):
    """What is wrong with some files that are compiled alike, as a list of texts."""
    if len(files) == 1:
        text = run(folder, files[0])
        return [] if text is None else [text]
    with tempfile.TemporaryDirectory(dir=folder) as own:
        unit = pathlib.Path(own) / "group.cpp"
        unit.write_text("".join(f'#include "{file}"\n' for file in files))
        write_commands(own, [(command, unit)])
        if run(own, unit, SOURCES, GROUP_CHECKS) is None:
            return []
    print(f"check_tidy: in parts: {' '.join(str(file.relative_to(ROOT)) for file in files)}", file=sys.stderr)
    half = len(files) // 2
    return check(folder, command, files[:half]) + check(folder, command, files[half:])


def write_commands(folder, units):
    """compile_commands.json for (command, file) pairs."""
    (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(
        [{"directory": directory, "file": str(file), "arguments": [*options, "-c", str(file)]}
         for (directory, *options), file in units]))


def main():
    build, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    wanted = {ROOT / name for name in names}
    # A type of a file's own called like one of a header is ambiguous where another file includes the header.
    public_types = {name for layer in ("kernels", "runtime", "models", "apps")
                    for header in (ROOT / layer).rglob("*.h") for name in types_of(header.read_text())}
    alone, alike, per_set = [], {}, 0
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file in wanted:
            wanted.remove(file)
            command = (entry["directory"], *options_of(entry))
            text = file.read_text()
            if "HWY_TARGET_INCLUDE" in text:
                command += (NARROW, WIDE)[per_set % 2]
                per_set += 1
            if is_included_by_itself(text) or types_of(text) & public_types:
                alone.append((command, [file]))
            else:
                alike.setdefault(command, []).append(file)
    units = alone + [(command, group) for command, files in alike.items() for group in groups_of(files)]
    units.sort(key=lambda unit: -len(unit[1]))  # what takes long comes first, so that no processor is left alone with it

    with tempfile.TemporaryDirectory() as folder:
        write_commands(folder, [(command, file) for command, files in units for file in files])
        # clang-tidy looks for its configuration beside and above the file.
        (pathlib.Path(folder) / ".clang-tidy").write_text((ROOT / ".clang-tidy").read_text())
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            said = [text for texts in pool.map(lambda each: check(folder, *each), units) for text in texts]
    for text in said:
        print(text)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
