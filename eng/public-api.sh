#!/usr/bin/env bash
# Brings the PublicAPI.Unshipped.txt of the libraries in line with their code, by what the compiler says of them (RS0016: not declared, RS0017: not there any more).
# 'dotnet format' cannot: it does not run the source generators of this repository, and would write types that they make as unknown.
# 'eng/public-api.sh ship' moves the lines of Unshipped to Shipped, as a release does.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = ship ]; then
  for unshipped in src/*/PublicAPI.Unshipped.txt; do
    shipped=${unshipped/Unshipped/Shipped}
    gone=$(sed -n 's/^\*REMOVED\*//p' "$unshipped")
    { echo '#nullable enable'; cat "$shipped" "$unshipped" | grep -v -e '^#nullable enable$' -e '^\*REMOVED\*' | grep -vxF -e "${gone:-#}" | LC_ALL=C sort -u; } >"$shipped.new"
    mv "$shipped.new" "$shipped"
    echo '#nullable enable' >"$unshipped"
  done
  exit
fi
log=$(mktemp) new=$(mktemp)
trap 'rm -f "$log" "$new"' EXIT
dotnet build src/Chaos -c Release -p:TreatWarningsAsErrors=false "$@" >"$log" 2>&1 || { grep -E ' error ' "$log" | sort -u; exit 1; }

found() { # found RULE: lines of "project folder<TAB>symbol"
  sed -nE "s/^.* $1: Symbol '(.*)' is (not part of the declared public API|part of the declared API, but).* \[(.*)\/[^/]*\.csproj\]\$/\3\t\1/p" "$log" | sort -u
}
added=0 removed=0
while IFS=$'\t' read -r folder symbol; do
  printf '%s\n' "$symbol" >>"$folder/PublicAPI.Unshipped.txt"
  added=$((added + 1))
done < <(found RS0016)
while IFS=$'\t' read -r folder symbol; do
  for file in "$folder"/PublicAPI.*.txt; do
    grep -vxF -- "$symbol" "$file" >"$new" || true
    cp "$new" "$file"
  done
  removed=$((removed + 1))
done < <(found RS0017)
for file in src/*/PublicAPI.Unshipped.txt; do
  { echo '#nullable enable'; grep -v '^#nullable enable$' "$file" | LC_ALL=C sort -u || true; } >"$new"
  cmp -s "$new" "$file" || cp "$new" "$file"
done
echo "$added symbols added, $removed removed."
