#!/usr/bin/env python3
"""What the compiler makes of the CUDA kernels, checked without a GPU.

usage: scripts/check_cuda_code.py [--table] [--build FOLDER] [KERNEL_FILE...]

Reads what the compiler made of each file (all of kernels/*.cu) for sm_80 and sm_90a: with --build what
scripts/keep_cuda_reports.sh kept when FOLDER was built, without it by compiling here. Checks, for every kernel:
  * no stack frame, no spills and no local memory, but for those listed below with a reason;
  * occupancy: as many blocks as __launch_bounds__(threads, blocks) claims fit the 65,536 registers and, with their
    static shared memory, the 227 KiB of a multiprocessor (163 KiB on sm_80);
  * the PTX of kernels in tf32 and bf16 holds mma.sync, of those in bf16 ldmatrix, and of pipelined ones cp.async;
    resident ones have a list of their own; those that take samples hold Philox, which shuffles them.
--table prints registers, shared memory and the occupancy that follows.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

NVCC_FLAGS = ["-std=c++20", "--expt-relaxed-constexpr", "-O3", "-DGRADFLIP_WITH_CUDA=1", "-arch=compute_80", "-ptx"]
ARCHITECTURES = {"sm_80": 163 * 1024, "sm_90a": 227 * 1024}  # and the shared memory of a multiprocessor
REGISTERS_PER_SM = 65536
THREADS_PER_SM = 2048
RESERVED_SHARED = 1024  # that the system takes from every block
# Kernels that may use local memory: what runs there is no hot path.
LOCAL_MEMORY_ALLOWED = {}
# Its tiles hold f32, which ldmatrix reads where neighbours run along k: (Along)0.
PIPELINED = "gemm_pipelined_kernel"
# The filter, or what is gathered, comes by cp.async in every mode; where a fragment's row is a vector, it is ldmatrix's.
RESIDENT = {
    "conv_block_backward_data_resident_kernel": {"cp.async", "ldmatrix", "mma.sync"},
    "conv_block_backward_filter_resident_kernel": {"cp.async", "mma.sync"},
    "conv_block_forward_resident_kernel": {"cp.async", "ldmatrix", "mma.sync"},
    "sampled_conv_block_resident_kernel": {"mma.sync"},
}

# What is looked for in a kernel's PTX, and how it shows. nvcc 13.0 made a constant of what the shuffle depends on, and
# then left the shuffle out: Philox shows as the first of its multipliers.
INSTRUCTIONS = {"mma.sync": "mma.sync", "ldmatrix": "ldmatrix", "cp.async": "cp.async", "Philox": str(0xD2511F53)}

Kernel = collections.namedtuple("Kernel", "name threads blocks instructions usage")


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"check_cuda_code: {' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout + result.stderr


def demangled(names):
    """Mangled name -> the kernel's own name with its template arguments."""
    names = sorted(names)
    text = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    readable = {}
    for mangled, name in zip(names, text.splitlines()):
        name = name.replace("(anonymous namespace)::", "").replace("gradflip::", "").removeprefix("void ")
        depth, end = 0, len(name)
        while end > 0 and name.endswith(")"):  # back to where the list of parameters opens
            end -= 1
            depth += {")": 1, "(": -1}.get(name[end], 0)
            if depth == 0:
                break
        readable[mangled] = name[:end]
    return readable


def ptx_entries(ptx):
    """mangled name -> (threads, blocks, the instructions that matter)"""
    entries = {}
    for entry in re.split(r"(?=\.entry )", ptx)[1:]:
        threads = re.search(r"\.maxntid (\d+)(?:, (\d+), (\d+))?", entry)
        blocks = re.search(r"\.minnctapersm (\d+)", entry)
        product = 1
        for part in threads.groups() if threads else ():
            product *= int(part or 1)
        found = {name for name, text in INSTRUCTIONS.items() if text in entry}
        entries[re.match(r"\.entry (\w+)", entry)[1]] = (
            product if threads else 0, int(blocks[1]) if blocks else 0, found)
    return entries


def resource_usage(text):
    """architecture -> mangled name -> (registers, shared bytes, local bytes), from what ptxas -v says"""
    usage, architecture, name, local = collections.defaultdict(dict), "", "", 0
    for line in text.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            name, architecture, local = match[1], match[2], 0
        if match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            local = sum(map(int, match.groups()))
        if match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            usage[architecture][name] = (int(match[1]), int(shared[1]) if shared else 0, local)
    return usage


def compiled(file):
    """(PTX, what ptxas -v says) of one file, compiled here."""
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is None:
        raise SystemExit("check_cuda_code: no nvcc; put the CUDA toolkit's bin folder on PATH")
    ptxas = pathlib.Path(nvcc).resolve().parent / "ptxas"
    with tempfile.TemporaryDirectory() as folder:
        ptx = pathlib.Path(folder) / "kernel.ptx"
        run(nvcc, *NVCC_FLAGS, f"-I{ROOT}", "-o", ptx, file)
        usage = "".join(run(ptxas, "-v", f"-arch={architecture}", "-o", "/dev/null", ptx)
                        for architecture in ARCHITECTURES)
        return ptx.read_text(), usage


def kept(build, file):
    """The same, as scripts/keep_cuda_reports.sh left it in a build folder."""
    name = file.resolve().relative_to(ROOT / "kernels")
    folder = build / "kernels/CMakeFiles/gradflip_kernels.dir" / f"{name}.o.kept"
    usage = folder / "ptxas.txt"
    ptx = sorted(folder.glob("*.ptx"))
    if not usage.exists() or not ptx:
        raise SystemExit(f"check_cuda_code: no report in {folder}; configure with "
                         f"-DCMAKE_CUDA_COMPILER_LAUNCHER={ROOT}/scripts/keep_cuda_reports.sh and build")
    if usage.stat().st_mtime < file.stat().st_mtime:
        raise SystemExit(f"check_cuda_code: {file.name} is newer than {usage}: build it first")
    return ptx[0].read_text(), usage.read_text()


def kernels_of(file, ptx, usage_text):
    """Every kernel of one file."""
    entries, usage = ptx_entries(ptx), resource_usage(usage_text)
    for architecture in ARCHITECTURES:
        if missing := set(entries) - set(usage[architecture]):
            raise SystemExit(f"check_cuda_code: {file.name}: ptxas says nothing for {architecture} of "
                             f"{', '.join(sorted(missing))}")
    names = demangled(set(entries))
    return [Kernel(names[mangled], *entry, {each: usage[each][mangled] for each in ARCHITECTURES})
            for mangled, entry in entries.items()]


def occupancy(threads, registers, shared, shared_per_sm):
    """Blocks per multiprocessor; registers are handed out to warps, eight per thread at a time."""
    warps = (threads + 31) // 32
    by_registers = REGISTERS_PER_SM // ((registers + 7) // 8 * 8 * 32 * warps)
    by_shared = shared_per_sm // (shared + RESERVED_SHARED)
    return min(by_registers, by_shared, THREADS_PER_SM // (warps * 32), 32)


def wanted_instructions(kernel):
    """What a kernel's PTX has to hold. The math mode shows as a template argument."""
    pipelined = kernel.name.startswith(PIPELINED)
    wanted = {"Philox"} if kernel.name.startswith("sample") else set()
    if resident := RESIDENT.get(kernel.name.split("<")[0]):
        return wanted | resident
    if pipelined:
        wanted.add("cp.async")
    if re.search(r"\(Math\)[123]", kernel.name):
        wanted.add("mma.sync")
    if ("(Along)0" if pipelined else "(Math)2") in kernel.name:
        wanted.add("ldmatrix")
    return wanted


def complaints_of(kernel):
    for architecture, (registers, shared, local) in kernel.usage.items():
        if local and kernel.name.split("<")[0] not in LOCAL_MEMORY_ALLOWED:
            yield f"{architecture}: {local} bytes of stack and spills"
        if kernel.threads and kernel.blocks:
            fits = occupancy(kernel.threads, registers, shared, ARCHITECTURES[architecture])
            if fits < kernel.blocks:
                yield (f"{architecture}: claims {kernel.blocks} blocks of {kernel.threads} threads, but only {fits} fit "
                       f"({registers} registers, {shared} bytes of shared memory)")
    for word in sorted(wanted_instructions(kernel) - kernel.instructions):
        yield f"its PTX has no {word}"


def main():
    parser = argparse.ArgumentParser(usage="scripts/check_cuda_code.py [--table] [--build FOLDER] [KERNEL_FILE...]")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    files = options.files or sorted((ROOT / "kernels").rglob("*.cu"))
    reports = (lambda file: kept(options.build, file)) if options.build else compiled

    failures = []
    math_modes, instructions = set(), set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, kernels in zip(files, pool.map(lambda file: kernels_of(file, *reports(file)), files)):
            if not kernels:
                failures.append(f"{file}: no kernel found")
            for kernel in sorted(kernels, key=lambda each: each.name):
                instructions |= kernel.instructions
                math_modes |= set(re.findall(r"\(Math\)\d", kernel.name))
                failures += [f"{file.name}: {kernel.name}: {text}" for text in complaints_of(kernel)]
                for architecture, (registers, shared, _) in kernel.usage.items() if options.table else ():
                    blocks = occupancy(kernel.threads or 1024, registers, shared, ARCHITECTURES[architecture])
                    print(f"{file.name:32} {architecture:7} {registers:4} registers {shared:6} B shared "
                          f"{kernel.threads:5} threads, {blocks:2} blocks fit  {kernel.name}")
    if not options.files and not {"(Math)1", "(Math)2"} <= math_modes:
        failures.append("no kernels on tensor cores found: have their names changed?")
    if not options.files and "cp.async" not in instructions:
        failures.append("no kernel copies asynchronously")
    for failure in failures:
        print(f"check_cuda_code: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
