#!/bin/sh
# Ends dann_mnist with a signal at random moments and checks what it leaves: one valid document with every run that was
# completed, the signal's exit code (or 0, if it was done), and no temporary file.
# usage: scripts/kill_runs.sh [PROGRAM [TIMES [SIGNAL]]]     [build/release/bin/dann_mnist 20 TERM]
# One that has not ended $KILL_RUNS_PATIENCE seconds (60) after its signal is killed, and counts as wrong.
set -eu

program=${1:-build/release/bin/dann_mnist}
times=${2:-20}
signal=${3:-TERM}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 - "$program" "$times" "$signal" "$folder" <<'PYTHON'
import json, os, random, signal, struct, subprocess, sys, time

program, times, name, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
number = getattr(signal, "SIG" + name)
patience = float(os.environ.get("KILL_RUNS_PATIENCE", "60"))
saved = os.path.join(folder, "saved")
os.mkdir(saved)


def digits(name):
    """A digit folder of 96 + 40 made-up pictures, which train in a moment."""
    path = os.path.join(folder, name)
    os.mkdir(path)
    made = random.Random(name)
    for part, count in (("train", 96), ("t10k", 40)):
        with open(os.path.join(path, part + "-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + made.randbytes(count * 28 * 28))
        with open(os.path.join(path, part + "-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(n % 10 for n in range(count)))
    return path


def listens(pid):
    """Whether main() has begun; what comes before it is the dynamic linker's."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return caught >> number - 1 & 1


command = [program, "--source", digits("source"), "--target", digits("target"), "--device", "cpu", "--threads", "1",
           "--batch", "32", "--epochs", "4", "--seeds", "3", "--json", "--save", os.path.join(saved, "weights.safetensors")]

start = time.monotonic()
whole = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
seconds = time.monotonic() - start
figures = {(run["mode"], run["seed"]): run["target_test_accuracy"] for run in whole["runs"]}
assert len(figures) == 9, figures
for file in os.listdir(saved):
    os.remove(os.path.join(saved, file))

seed = random.SystemRandom().randrange(1 << 32)
moments = random.Random(seed)
print(f"kill_runs: seed {seed}, {times} moments of {seconds:.1f} s")
good = 0
for turn in range(times):
    moment = moments.uniform(0, seconds)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    err = ""
    try:
        while child.poll() is None and not listens(child.pid):
            time.sleep(0.001)
        time.sleep(moment)
        child.send_signal(number)
        out, err = child.communicate(timeout=patience)
        document = json.loads(out)
        finished = [run for run in document["runs"] if run["completed"]]
        assert child.returncode in ((0,) if len(finished) == 9 else (128 + number,)), child.returncode
        assert document["exit_code"] == child.returncode, document["exit_code"]
        for run in finished:
            assert run["target_test_accuracy"] == figures[run["mode"], run["seed"]], run
            weights = f"weights-{run['mode']}-seed{run['seed']}.safetensors"
            assert os.path.exists(os.path.join(saved, weights)), weights
        announced = sum(" s a source epoch " in line for line in err.splitlines())
        assert len(document["runs"]) >= announced, (len(document["runs"]), announced)
        hidden = [file for file in os.listdir(saved) if file.startswith(".")]
        assert not hidden, hidden
        good += 1
    except (ValueError, LookupError, TypeError, AssertionError, subprocess.TimeoutExpired) as error:
        print(f"kill_runs: after {moment:.3f} s: {error!r}\n{err}", file=sys.stderr)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    for file in os.listdir(saved):
        os.remove(os.path.join(saved, file))
print(f"kill_runs: {good} of {times}")
sys.exit(0 if good == times else 1)
PYTHON
