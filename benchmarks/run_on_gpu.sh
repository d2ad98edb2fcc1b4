#!/bin/sh
# Everything that a GPU is needed for, in one call; see --help.
set -u
cd "$(dirname "$0")/.." || exit 6

usage() {
  cat <<TEXT
usage: benchmarks/run_on_gpu.sh [OPTION...] [OUT]

Builds gradflip, runs its tests on the GPU (a test that would be skipped fails), its kernel tests under
compute-sanitizer, a full run of the paper's experiment, training throughput beside source-only training, every kernel
beside cuBLAS and cuDNN, and PyTorch beside gradflip if python3 has it with CUDA. No network is needed: packages and
data come from the folder that scripts/pack_for_gpu.sh makes. Each part has a time limit of its own, and its failure
does not stop the others.

OUT (default: \$OUT, else benchmarks/results/<gpu>-<date>) gets eight files: summary.json, table.md, kernels.json,
steps.json, paper.json, build.log (with the other parts' messages), tests.log,
sanitizer.log.

  --pack FOLDER    what pack_for_gpu.sh made (default: .gpu if it is there, else this machine's own packages)
  --build FOLDER   where to build (default: build/gpu); what is there is reused
  --build-only     configure and build, for machines without a GPU
  --seconds N      for everything together (default: 525)
  --help           show this text

Exit codes: 0 every part succeeded; 1 one did not, and the summary says which; 2 usage; 5 no GPU.
TEXT
}

pack=
build=build/gpu
build_only=0
seconds=
build_limit=240
out=${OUT:-}
while [ $# -gt 0 ]; do
  case $1 in
    --pack | --build | --seconds)
      [ $# -ge 2 ] || { echo "run_on_gpu.sh: $1 needs a value" >&2 && exit 2; }
      case $1 in
        --pack) pack=$2 ;;
        --build) build=$2 ;;
        --seconds) seconds=$2 ;;
      esac
      shift
      ;;
    --build-only) build_only=1 ;;
    --help | -h) usage && exit ;;
    -*) echo "run_on_gpu.sh: unknown option $1 (see $0 --help)" >&2 && exit 2 ;;
    *) out=$1 ;;
  esac
  shift
done
# With nothing to follow it, on whatever machine, the build may take its time.
if [ "$build_only" -eq 1 ]; then
  seconds=${seconds:-3600}
  build_limit=$seconds
fi
seconds=${seconds:-525}
case $seconds in
  *[!0-9]*) echo "run_on_gpu.sh: --seconds: $seconds is not a number" >&2 && exit 2 ;;
esac
[ -n "$pack" ] || [ ! -f .gpu/packages.cmake ] || pack=.gpu
[ -z "$pack" ] || [ -f "$pack/packages.cmake" ] || {
  echo "run_on_gpu.sh: $pack was not made by scripts/pack_for_gpu.sh" >&2 && exit 2
}
case $build in /*) ;; *) build=$PWD/$build ;; esac
[ -z "$pack" ] || pack=$(cd "$pack" && pwd)

say() {
  echo "run_on_gpu.sh: $*" >&2
}

gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)
if [ -z "$gpu" ] && [ "$build_only" -eq 0 ]; then
  say 'no GPU here (nvidia-smi names none); --build-only works without one'
  exit 5
fi
if [ -z "$out" ]; then
  name=$(echo "${gpu:-build-only}" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')
  out=benchmarks/results/$name-$(date +%F)
fi
mkdir -p "$out" "$build" || exit 6
out=$(cd "$out" && pwd)
# What parts leave for the report; the log of each is $work/<part>.log.
work=$build/run
rm -rf "$work"
mkdir -p "$work" || exit 6

export GPU_BUILD="$build" GPU_PACK="$pack" GPU_WORK="$work"

begin=$(date +%s)
failures=0

# part NAME LIMIT: runs it for at most LIMIT seconds and no longer than what is left of the whole, and notes how it
# went as a line of JSON.
part() {
  name=$1
  limit=$2
  left=$((begin + seconds - $(date +%s)))
  [ "$limit" -le "$left" ] || limit=$left
  started=$(date +%s)
  if [ "$limit" -le 0 ]; then
    result=skipped
    echo 'no time was left' >"$work/$name.log"
  else
    say "$name (at most $limit s)"
    code=0
    timeout --kill-after=10 "$limit" benchmarks/gpu_part.sh "$name" >"$work/$name.log" 2>&1 </dev/null || code=$?
    case $code in
      0) result=ok ;;
      124 | 137) result='time limit' ;;
      *) result="exit $code" ;;
    esac
  fi
  [ "$result" = ok ] || failures=$((failures + 1))
  took=$(($(date +%s) - started))
  say "$name: $result after $took s"
  printf '{"part": "%s", "result": "%s", "seconds": %d}\n' "$name" "$result" "$took" >>"$work/parts.jsonl"
  [ "$result" = ok ]
}

# keep_logs FILE LOG...: as one file, of each the end if it is long.
keep_logs() {
  file=$1
  shift
  for one in "$@"; do
    [ ! -f "$one" ] || { echo "==== $(basename "$one")" && tail -c 1500000 "$one"; }
  done >"$out/$file"
}

# The most wanted first: where time runs out, the last parts are left out.
# What of the build failed does not keep the rest from running.
part build "$build_limit"
if [ "$build_only" -eq 0 ]; then
  part tests 120
  part paper 90
  part steps 75
  part kernels 150
  part sanitizers 90
  part peer 130
fi

keep_logs build.log "$work"/build.log "$work"/paper.log "$work"/steps.log "$work"/kernels.log "$work"/peer.log
keep_logs tests.log "$work"/tests.log "$work"/*_test.out
keep_logs sanitizer.log "$work"/sanitizers.log "$work"/*check.out
if command -v python3 >/dev/null; then
  python3 benchmarks/gpu_report.py "$work" "$out" "${gpu:-none}" || failures=$((failures + 1))
else
  say 'no python3: no report, only what the parts left'
  cp "$work"/*.json "$work"/*.jsonl "$out" 2>/dev/null
fi
say "$out: $(find "$out" -type f | wc -l) files, $failures parts failed, $(($(date +%s) - begin)) s"
[ "$failures" -eq 0 ]
