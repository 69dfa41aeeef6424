#!/bin/sh
# The demo: an original checkpoint to a verified one, and its error rate measured again.
set -eu
cd "$(dirname "$0")/../.."
PATH="${BIN:-$PWD/.venv/bin}:$PATH"  # BIN: where the commands are installed

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run resnext-convert --force examples/digits/resnext_11_8x4d_digits.t7
run resnext-validate --data examples/digits/val --claims examples/digits/claims.toml \
    examples/digits/resnext_11_8x4d_digits.safetensors
