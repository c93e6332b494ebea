#!/bin/sh
# benchmarks/gpu on a machine that has Python and a driver but not all of clconv's dependencies, and no network:
#
#     benchmarks/gpu/on_a_gpu.sh FOLDER [arguments of benchmarks.gpu]
#
# FOLDER holds their wheels: docs/testing.md says how to fetch them. Results, failures and all that was printed go to $OUT,
# results/ without it.
set -eu
wheels=$1
shift
out=${OUT:-results}
site=$(mktemp -d)
mkdir -p "$out"
python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$wheels"/*.whl
export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
cd "$(dirname "$0")/../.."
# What is printed is kept as it comes, so that an end before its time loses nothing.
{ python3 -m benchmarks.gpu --json "$out/gpu.json" "$@" 2>&1 || echo "ended with $?"; } | tee "$out/gpu.log"
