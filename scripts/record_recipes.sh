#!/bin/sh
# Trains the recipes of other systems, and our own, on the data that they are compared on: a file for each recipe, data set and
# seed. What is there already is left alone, so that it goes on where it was stopped.
#
#   scripts/record_recipes.sh [--list] [FOLDER [PRESET...]]
#
# FOLDER (default docs/results/recipes); PRESET: only these. --list shows what is left, and runs nothing.
# GRADFLIP_DATA names the folder of mnist, mnistm and bsds500; GRADFLIP_BIN that of dann_mnist (build/release/bin).
# scripts/make_recipe_table.py makes the table of what is there.
set -eu

case ${1:-} in --help | -h) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit ;; esac
only_list=false
if [ "${1:-}" = --list ]; then
  only_list=true
  shift
fi
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/docs/results/recipes}
[ $# -eq 0 ] || shift
bin=${GRADFLIP_BIN:-build/release/bin}
data=${GRADFLIP_DATA:?names the folder of mnist, mnistm and bsds500}
test_folder=${GRADFLIP_INVERT:-$root/build/mnist-m-invert}

# PRESET DATA SEEDS: short ones first.
rows='
tf-dann invert 3
jvanvugt invert 3
jvanvugt-adda invert 3
paper published 5
tf-dann difference 1
jvanvugt difference 1
jvanvugt-adda difference 1
digits invert 3
digits difference 1
fungtion invert 3
fungtion difference 1
'

method_of() {
  case $1 in *-adda) echo adda ;; *) echo dann ;; esac
}

# record PRESET DATA SEED FILE
record() {
  case $2 in
    difference) sets="--photos $data/bsds500 --blend difference" ;;
    invert | published) sets="--target $data/mnistm --target-test $test_folder" ;;
  esac
  # shellcheck disable=SC2086  # two options
  "$root/scripts/record_result.sh" "$4" "$bin/dann_mnist" --source "$data/mnist" $sets --preset "$1" \
    --mode "$(method_of "$1")" --seed "$3"
}

[ -d "$test_folder" ] || $only_list ||
  "$bin/gradflip" data mnist-m --digits "$data/mnist" --photos "$data/bsds500" --blend invert --out "$test_folder"
mkdir -p "$folder"
echo "$rows" | while read -r preset set seeds; do
  [ -n "$preset" ] || continue
  case " $* " in '  ' | *" $preset "*) ;; *) continue ;; esac
  seed=1
  while [ "$seed" -le "$seeds" ]; do
    file=$folder/$preset-$set-seed$seed.json
    if [ ! -f "$file" ]; then
      if $only_list; then
        echo "$file"
      else
        record "$preset" "$set" "$seed" "$file" </dev/null
      fi
    fi
    seed=$((seed + 1))
  done
done
