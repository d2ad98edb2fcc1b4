#!/bin/sh
# Trains the recipes of other systems on the data that they are compared on: a file for each recipe, data set and
# seed. What is there already is left alone, so that it goes on where it was stopped.
#
#   scripts/record_recipes.sh [--list] [FOLDER [PRESET...]]
#
# FOLDER (default docs/results/recipes); PRESET: only these. --list shows what is left, and runs nothing.
# GRADFLIP_DATA names the folder of mnist, mnistm and bsds500; GRADFLIP_BIN that of dann_mnist (build/release/bin);
# GRADFLIP_INVERT the set that invert is measured on (build/mnist-m-invert; it is made where it is missing).
# scripts/make_recipe_table.py makes the table of what there is.
set -eu

case ${1:-} in --help | -h) sed -n '2,10s/^# \{0,1\}//p' "$0" && exit ;; esac
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
test_folder=${GRADFLIP_INVERT:-build/mnist-m-invert}

# PRESET DATA SEEDS, short ones first. invert: the published pictures, measured on their test set made again.
rows='
tf-dann invert 3
jvanvugt invert 3
jvanvugt-adda invert 3
paper invert 5
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
  preset=$1 seed=$3 file=$4
  case $2 in
    difference) set -- --photos "$data/bsds500" --blend difference ;;
    *) set -- --target "$data/mnistm" --target-test "$test_folder" ;;
  esac
  "$root/scripts/record_result.sh" "$file" "$bin/dann_mnist" --source "$data/mnist" "$@" --preset "$preset" \
    --mode "$(method_of "$preset")" --seed "$seed"
}

[ -d "$test_folder" ] || $only_list ||
  "$bin/gradflip" data mnist-m --digits "$data/mnist" --photos "$data/bsds500" --blend invert --out "$test_folder"
mkdir -p "$folder"
echo "$rows" | while read -r name set seeds; do
  [ -n "$name" ] || continue
  case " $* " in '  ' | *" $name "*) ;; *) continue ;; esac
  number=1
  while [ "$number" -le "$seeds" ]; do
    result=$folder/$name-$set-seed$number.json
    if [ -f "$result" ]; then
      : # it is there
    elif $only_list; then
      echo "$result"
    else
      record "$name" "$set" "$number" "$result" </dev/null
    fi
    number=$((number + 1))
  done
done
