#!/bin/sh
# Everything that a GPU is needed for, in one call or a few; see --help.
set -u
here=$PWD
cd "$(dirname "$0")/.." || exit 6

# In the order in which they run: the most wanted first. Of each the most seconds that it gets, and the least that those
# before it leave to it (if the whole has less: its share).
all_parts='build:240:150 tests:90:35 steps:60:40 peer:150:75 paper:60:25 profile:60:30 kernels:110:50 sanitizers:90:30'

usage() {
  cat <<TEXT
usage: benchmarks/run_on_gpu.sh [OPTION...] [OUT]

  build       gradflip with CUDA, its tests and benchmarks
  tests       all tests on the GPU, where one that would be skipped fails; what failed, once more, each by itself
  steps       training throughput beside source-only training, and inference
  peer        PyTorch beside it, if python3 has it with CUDA; each way of running it is compared with the plain one first
  paper       a full run of the paper's experiment
  profile     each launch of a step by itself, and its hardware counters where ncu is there
  kernels     every kernel, beside cuBLAS and cuDNN where they are
  sanitizers  under compute-sanitizer: the tests that failed, else all kernel tests

No network is needed: packages and data come from the folder that scripts/pack_for_gpu.sh makes. What a part does, and
how it ends, does not stop the others; each has a time limit, and nothing that it started is left afterwards.

OUT (default: \$OUT, else benchmarks/results/<gpu>-<date>) gets at most seven files: summary.json, table.md, steps.json,
kernels.json, paper.json, parts.log and tests.log. They are written anew while parts run and after each, so that they
hold what was done, whenever the end comes.

  --parts LIST     some of the above, with commas (default: all); for the report earlier calls' other parts stay
  --seconds N      for all that run (default: 525; without limit where it is the build alone)
  --pack FOLDER    what pack_for_gpu.sh made; "none": this machine's own packages (default: .gpu if it is there, else those)
  --build FOLDER   where to build (default: build/gpu); what is there is reused
  --architecture A to build for, as in CMAKE_CUDA_ARCHITECTURES; "default": the project's (default: this GPU's, else those)
  --build-only     the same as --parts build, which needs no GPU
  --help           show this text

Exit codes: 0 every part succeeded, but for those that need something that is not here ("not run": PyTorch, the data, a
tool); 1 one did not, and the summary says which; 2 usage; 5 no GPU; 6 the disk.
TEXT
}

say() {
  echo "run_on_gpu.sh: $*" >&2
}

usage_error() {
  say "$* (see benchmarks/run_on_gpu.sh --help)"
  exit 2
}

pack=
build=
seconds=
parts=
architecture=
out=${OUT:-}
while [ $# -gt 0 ]; do
  case $1 in
    --pack | --build | --seconds | --parts | --architecture)
      [ -n "${2:-}" ] || usage_error "$1 needs a value"
      case $1 in
        --pack) pack=$2 ;;
        --build) build=$2 ;;
        --parts) parts=$2 ;;
        --seconds) seconds=$2 ;;
        --architecture) architecture=$2 ;;
      esac
      shift
      ;;
    --build-only) parts=build ;;
    --help | -h) usage && exit ;;
    -*) usage_error "unknown option $1" ;;
    '') usage_error 'OUT is empty' ;;
    *) out=$1 ;;
  esac
  shift
done
# One after the other, so that an empty name between commas is one that there is not.
rest=$parts
while [ -n "$rest" ]; do
  case " $all_parts" in
    *" ${rest%%,*}:"*) ;;
    *) usage_error "--parts: there is no part \"${rest%%,*}\"" ;;
  esac
  case $rest in *,) usage_error '--parts: ends with a comma' ;; *,*) rest=${rest#*,} ;; *) rest= ;; esac
done
# With nothing to follow it, on whatever machine, the build may take its time.
if [ "$parts" = build ]; then
  seconds=${seconds:-7200}
  all_parts="build:$seconds:1"
fi
# Paths that were given count from where this was called.
absolute() {
  case $1 in '' | /*) echo "$1" ;; *) echo "$here/$1" ;; esac
}
case $pack in
  none) pack= ;;
  '') [ ! -f .gpu/packages.cmake ] || pack=$PWD/.gpu ;;
  *) pack=$(absolute "$pack") ;;
esac
out=$(absolute "$out")
build=$(absolute "$build")
build=${build:-$PWD/build/gpu}
seconds=${seconds:-525}
case $seconds in
  *[!0-9]* | 0* | ???????*) usage_error "--seconds: \"$seconds\" is no number of seconds" ;;
esac
[ -z "$pack" ] || [ -f "$pack/packages.cmake" ] || usage_error "$pack was not made by scripts/pack_for_gpu.sh"
[ -z "$pack" ] || pack=$(cd "$pack" && pwd)
mkdir -p "$build/run" || exit 6
# Every part has a folder here: log, state.json, and what it found.
work=$build/run

wanted() {
  case ,${parts:-$1}, in *,"$1",*) ;; *) return 1 ;; esac
}

# Asked once, and under a limit: a broken driver may not answer.
benchmarks/gpu/limited.sh 30 nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader \
  >"$work/gpu" 2>/dev/null || : >"$work/gpu"
gpu=$(head -n 1 "$work/gpu")
if [ -z "$gpu" ] && [ "$parts" != build ]; then
  say 'no GPU here (nvidia-smi names none); --parts build works without one'
  exit 5
fi
if [ -z "$out" ]; then
  name=$(echo "${gpu:-build-only}" | cut -d , -f 1 | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')
  out=benchmarks/results/$name-$(date +%F)
fi
mkdir -p "$out" || exit 6
out=$(cd "$out" && pwd)
# One architecture instead of three; sm_90's own instructions go by another name.
capability=$(echo "$gpu" | sed -n 's/.*, *\([0-9]*\)\.\([0-9]*\)$/\1\2/p')
[ -n "$architecture" ] || architecture=${capability:+$capability-real}
[ "$architecture" != 90-real ] || architecture=90a-real
[ "$architecture" != default ] || architecture=

commit=$(git describe --always --dirty --exclude='*' 2>/dev/null)
[ -z "$pack" ] || commit=$(scripts/pack_for_gpu.sh --commit "$pack")
# Whatever is under a limit ends with this script, however that ends.
export LIMITED_CALLER=$$
export GPU_BUILD="$build" GPU_PACK="$pack" GPU_WORK="$work" GPU_ARCHITECTURE="$architecture" GPU_COMMIT="$commit"

begin=$(date +%s)
failures=0
background=

# state PART RESULT [WHY]: done, failed, cut, running or not run, as what has none.
state() {
  printf '{"part": "%s", "result": "%s", "why": "%s", "begin": %d, "end": %d, "commit": "%s"}\n' \
    "$1" "$2" "${3:-}" "$started" "$(date +%s)" "$commit" >"$work/$1/state.new"
  mv "$work/$1/state.new" "$work/$1/state.json"
}

# To OUT, from what the parts left so far.
report() {
  if command -v python3 >/dev/null; then
    python3 -B benchmarks/gpu/report.py "$work" "$out"
  else
    say 'no python3: no report, only what the parts left'
    for file in "$work"/*/*.json*; do
      [ ! -f "$file" ] || cp "$file" "$out/$(basename "$(dirname "$file")")-$(basename "$file")"
    done
  fi
}

# limit_of MOST LEAST: as much of what is left as those behind can do without.
limit_of() {
  left=$((begin + seconds - $(date +%s)))
  later=0
  for one in $behind; do
    ! wanted "${one%%:*}" || later=$((later + ${one##*:}))
  done
  limit=$((left - later))
  share=$((left * $2 / ($2 + later)))
  [ "$limit" -ge "$share" ] || limit=$share
  [ "$limit" -le "$1" ] || limit=$1
  [ "$limit" -gt 0 ] || [ "$left" -le 0 ] || limit=1
}

# part NAME MOST LEAST
part() {
  name=$1
  limit_of "$2" "$3"
  started=$(date +%s)
  if [ "$limit" -le 0 ]; then
    say "$name: no time is left"
    state "$name" cut 'no time was left'
    failures=$((failures + 1))
    return
  fi
  say "$name (at most $limit s)"
  state "$name" running
  GPU_LIMIT=$limit benchmarks/gpu/limited.sh "$limit" benchmarks/gpu/part.sh "$name" >"$work/$name/log" 2>&1 </dev/null &
  child=$!
  # Not `wait` alone: the report goes on meanwhile, and limited.sh may hang where it reads of processes.
  reported=$started
  while kill -0 "$child" 2>/dev/null && [ "$(date +%s)" -le $((started + limit + 20)) ]; do
    sleep "$poll"
    if [ "$(date +%s)" -ge $((reported + refresh)) ]; then
      report >/dev/null 2>&1
      reported=$(date +%s)
    fi
  done
  code=125
  if ! kill -0 "$child" 2>/dev/null; then
    code=0
    wait "$child" || code=$?
  fi
  child=
  why=$(tr -d '"\\\n' 2>/dev/null <"$work/$name/why")
  case $code in
    0) state "$name" "done" "$why" ;;
    77) state "$name" 'not run' "$why" ;;
    124) state "$name" cut 'time limit' ;;
    125) state "$name" cut 'left a process that cannot be ended' ;;
    *) state "$name" failed "exit $code" ;;
  esac
  case $code in 0 | 77) ;; *) failures=$((failures + 1)) ;; esac
  say "$name: exit $code after $(($(date +%s) - started)) s"
}
poll=0.2
refresh=${GPU_REFRESH:-10}

# in_background LOG COMMAND...: adds to the log, as the clocks of earlier calls' parts are in it.
in_background() {
  log=$1
  shift
  benchmarks/gpu/limited.sh "$seconds" "$@" >>"$log" 2>&1 </dev/null &
}

# gone PID...: waits until they are, and with them what they run: limited.sh sees a signal after half a second at most, and
# is patient twice.
gone() {
  patience=$(($(date +%s) + 2 * ${LIMITED_GRACE:-3} + 4))
  for one_of_them; do
    while kill -0 "$one_of_them" 2>/dev/null && [ "$(date +%s)" -le "$patience" ]; do
      sleep 0.1
    done
  done
}

# end PID...: and all that runs under them.
end() {
  [ $# -gt 0 ] || return 0
  kill "$@" 2>/dev/null
  gone "$@"
}

end_background() {
  # shellcheck disable=SC2086  # nothing or a word
  end $background
  background=
}

name=
child=
clocks=
interrupted() {
  trap '' TERM INT HUP
  # shellcheck disable=SC2086  # nothing or a word each
  set -- $child $background $clocks
  [ $# -eq 0 ] || kill "$@" 2>/dev/null
  # Reported before the rest is waited for: who ends this may not wait long.
  [ -z "$child" ] || state "$name" cut 'the whole call was ended'
  report >/dev/null 2>&1
  gone "$@"
  exit 143
}
trap interrupted TERM INT HUP

for one in $all_parts; do
  if wanted "${one%%:*}"; then rm -rf "${work:?}/${one%%:*}" && mkdir -p "$work/${one%%:*}" || exit 6; fi
done
if [ -n "$gpu" ]; then
  # Keeps the driver awake between the programs, and tells at which clocks they ran; changes no setting.
  in_background "$work/clocks.csv" nvidia-smi -l 2 \
    --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu --format=csv,noheader,nounits
  clocks=$!
  # While compilers and tests run, the GPU is free for what is not timed: it also fills PyTorch's caches of compiled code.
  if wanted peer && { wanted build || wanted tests; }; then
    in_background "$work/peer/verify.log" benchmarks/gpu/part.sh verify
    background=$!
  fi
fi

# What of the build failed does not keep the rest from running, unless there is nothing to run.
behind=" $all_parts"
for one in $all_parts; do
  behind=${behind#* "$one"}
  name=${one%%:*}
  wanted "$name" || continue
  case $name in build | tests) ;; *) end_background ;; esac
  limits=${one#*:}
  part "$name" "${limits%:*}" "${limits#*:}"
  report >/dev/null
  if [ "$name" = build ] && [ ! -x "$build/bin/step_bench" ] && [ ! -x "$build/bin/kernels_test" ]; then
    say 'nothing was built: stopping here, so that the time is left for another try'
    failures=$((failures + 1))
    break
  fi
done
# shellcheck disable=SC2086  # nothing or a word each
end $background $clocks

report || failures=$((failures + 1))
say "$out: $(find "$out" -type f | wc -l) files, $failures parts did not succeed, $(($(date +%s) - begin)) s"
[ "$failures" -eq 0 ]
