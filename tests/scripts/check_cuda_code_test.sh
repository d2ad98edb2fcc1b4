#!/bin/sh
# scripts/check_cuda_code.py reads what scripts/keep_cuda_reports.sh kept of a build: it passes what is right, and says
# so where a kernel spills, claims more blocks than fit, lacks an instruction, or was not built at all.
set -eu
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/scripts" "$tree/kernels" "$tree/build/kernels/CMakeFiles/gradflip_kernels.dir"
cp scripts/check_cuda_code.py scripts/keep_cuda_reports.sh "$tree/scripts/"
echo '__global__ void product_kernel();' >"$tree/kernels/product.cu"

# An nvcc that writes the PTX of one kernel, and what ptxas says of it: REGISTERS and SPILLS on sm_80.
# shellcheck disable=SC2016  # expanded by the stand-in
printf '#!/bin/sh\n%s\n' '
previous=
for word in "$@"; do
  [ "$previous" != -o ] || object=$word
  [ "$previous" != --keep-dir ] || folder=$word
  previous=$word
done
touch "$object" "$folder/product.cudafe1.cpp"
cat >"$folder/product.compute_80.ptx" <<TEXT
.entry _ZN8gradflip14product_kernelILNS_4MathE2EEEvv(
.maxntid 256, 1, 1
.minnctapersm 2
mma.sync ldmatrix ${INSTRUCTION-cp.async}
TEXT
for architecture in sm_80 sm_90a; do
  echo "ptxas info    : Compiling entry function '\''_ZN8gradflip14product_kernelILNS_4MathE2EEEvv'\'' for '\''$architecture'\''"
  echo "    0 bytes stack frame, ${SPILLS:-0} bytes spill stores, 0 bytes spill loads"
  echo "ptxas info    : Used ${REGISTERS:-128} registers, 1024 bytes smem"
done >&2
echo "ptxas warning : something to read" >&2
exit "${NVCC_EXIT:-0}"' >"$tree/nvcc"
chmod +x "$tree/nvcc"

# A second kernel, so that both modes of tensor cores are there.
sed 's/MathE2/MathE1/g' "$tree/nvcc" >"$tree/nvcc_tf32"
chmod +x "$tree/nvcc_tf32"
cp "$tree/kernels/product.cu" "$tree/kernels/product_tf32.cu"

fail() {
  echo "check_cuda_code_test: $*" >&2
  exit 1
}

# compile VARIABLE=VALUE...: both files, as ninja would.
compile() {
  (
    cd "$tree/build"
    object=kernels/CMakeFiles/gradflip_kernels.dir/product
    env "$@" ../scripts/keep_cuda_reports.sh "$tree/nvcc" -c ../kernels/product.cu -o "$object.cu.o" &&
      env "$@" ../scripts/keep_cuda_reports.sh "$tree/nvcc_tf32" -c ../kernels/product_tf32.cu -o "${object}_tf32.cu.o"
  )
}

# expect EXIT-CODE TEXT VARIABLE=VALUE...
expect() {
  expected=$1
  text=$2
  shift 2
  compile "$@" 2>"$tree/warnings"
  [ "$(grep -c 'something to read' "$tree/warnings")" -eq 2 ] || fail "a warning of ptxas got lost"
  ! grep -q 'ptxas info' "$tree/warnings" || fail 'figures of ptxas are in the way of warnings'
  code=0
  python3 "$tree/scripts/check_cuda_code.py" --build "$tree/build" >"$tree/log" 2>&1 || code=$?
  if [ "$code" -ne "$expected" ] || ! { cat "$tree/log" && echo end; } | grep -q -e "$text"; then
    fail "$*: expected exit code $expected and '$text', got $code: $(cat "$tree/log")"
  fi
}

expect 0 end SPILLS=0
[ -z "$(find "$tree/build" -name '*.cudafe1.cpp')" ] || fail 'intermediate files were left'
expect 1 'sm_80: 8 bytes of stack and spills' SPILLS=8
expect 1 'claims 2 blocks of 256 threads, but only 1 fit' REGISTERS=168
expect 1 'no kernel copies asynchronously' INSTRUCTION=

# Both kernels take samples, and one shuffles none.
sed -i 's/14product_kernel/13sample_kernel/g' "$tree/nvcc" "$tree/nvcc_tf32"
expect 0 end INSTRUCTION='cp.async mul.lo.s64 %rd1, %rd2, 3528531795;'
expect 1 'sample_kernel<.*: its PTX has no Philox' SPILLS=0

! compile NVCC_EXIT=1 2>/dev/null || fail 'a failure of nvcc got lost'
code=0
python3 "$tree/scripts/check_cuda_code.py" --build "$tree/build" >"$tree/log" 2>&1 || code=$?
if [ "$code" -ne 1 ] || ! grep -q 'no report in .*product.cu.o.kept' "$tree/log"; then
  fail "not built: $(cat "$tree/log")"
fi
