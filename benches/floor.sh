#!/usr/bin/env bash
# The floor under the speed of sweeps: W2 and W5 take at most four times the CPU seconds of a hand-written program that
# does one workload and nothing else, both measured in turn on this machine. Skipped, and said so, where that program's
# source (PAPERTAPE_LIMIT, beside the repository by default) or Python is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

most=4
rounds=5
limit=${PAPERTAPE_LIMIT:-../shared/bench/limit}
if [ ! -f "$limit/Cargo.toml" ]; then
  echo "skipped: no program to measure beside at $limit"
  exit 0
fi
command -v python3 >/dev/null || { echo "skipped: no python3 to write the prices"; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Random walks as little-endian f64: 2,500 days, and 500 symbols of 5,000 days.
python3 - "$work" <<'P'
import array, math, random, sys
def walk(draw, days, drift, sigma):
    log, prices = math.log(100), array.array("d")
    for _ in range(days):
        log += draw.gauss(drift, sigma)
        prices.append(math.exp(log))
    return prices
def write(name, prices):
    if sys.byteorder == "big":
        prices.byteswap()
    with open(f"{sys.argv[1]}/{name}", "wb") as file:
        prices.tofile(file)
draw = random.Random(2)
write("w2_close.f64", walk(draw, 2500, 3e-4, 0.015))
many = array.array("d")
for _ in range(500):
    many.extend(walk(draw, 5000, 2e-4, 0.018))
write("w45_close.f64", many)
P

# A copy, so that nothing is written beside the source.
cp -r "$limit/Cargo.toml" "$limit/src" "$work/"
if ! (cd "$work" && RUSTFLAGS="-C target-cpu=x86-64" CARGO_TARGET_DIR="$work/target" cargo build --release --quiet); then
  echo "skipped: the program to measure beside does not build here"
  exit 0
fi
cargo bench --locked --quiet --bench workloads --no-run

cpu() { grep -o '"cpu_s":[0-9.e-]*' | cut -d: -f2; }
ours() { cargo bench --locked --quiet --bench workloads -- "$work" "$1" | cpu; }
theirs() { "$work/target/release/limit" "$1" --threads 1 --data "$work" | cpu; }
median() { sort -g | sed -n "$((rounds / 2 + 1))p"; }

failed=0
for pair in w2:w2events w5kernel:w5lanes; do
  : >"$work/ours" && : >"$work/theirs"
  for _ in $(seq "$rounds"); do
    ours "${pair%:*}" >>"$work/ours"
    theirs "${pair#*:}" >>"$work/theirs"
  done
  a=$(median <"$work/ours") b=$(median <"$work/theirs")
  awk -v name="${pair%:*}" -v a="$a" -v b="$b" -v most="$most" 'BEGIN {
    printf "%s: %.4f CPU s, hand-written %.4f, ratio %.2f (at most %d)\n", name, a, b, a / b, most
    exit !(b > 0 && a <= most * b)
  }' || failed=1
done
exit "$failed"
