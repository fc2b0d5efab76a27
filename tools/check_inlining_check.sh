#!/bin/sh
# Shows that tools/check_inlining.sh can tell: builds a library with a lost mark and its good twin, and wants the one
# reported and the other passed. A new fearless_simd or compiler may name its symbols otherwise.
#
# usage: tools/check_inlining_check.sh        (about a minute)
set -eu
cd "$(dirname "$0")/.."
fixture=tests/fixtures/lost_inlining
target=${CARGO_TARGET_DIR:-target}/lost_inlining
case $(uname) in Darwin) name=liblost_inlining.dylib ;; *) name=liblost_inlining.so ;; esac

cargo build --quiet --locked --release --manifest-path $fixture/Cargo.toml --target-dir "$target/good"
cargo build --quiet --locked --release --manifest-path $fixture/Cargo.toml --target-dir "$target/bad" --features bad

tools/check_inlining.sh "$target/good/release/$name" lost_inlining
if report=$(tools/check_inlining.sh "$target/bad/release/$name" lost_inlining 2>&1); then
    echo "the library with a lost mark passed" >&2
    exit 1
fi
# Each trace must be seen by itself.
for trace in __fearless_simd_kernel lost_inlining::math::polynomial; do
    case $report in *"$trace"*) ;; *) echo "no longer seen: $trace" >&2; exit 1 ;; esac
done
echo "the library with a lost mark is reported"
