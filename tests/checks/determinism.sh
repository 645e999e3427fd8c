#!/bin/sh
# determinism.sh PROGRAM ...: every one prints the same as the first; else says which does not.
set -eu
first=
for program in "$@"; do
    hashes=$("$program")
    if [ -z "$first" ]; then
        first=$hashes
        first_program=$program
        printf '%s\n' "$hashes"
    elif [ "$hashes" != "$first" ]; then
        printf '%s differs from %s:\n%s\n' "$program" "$first_program" "$hashes" >&2
        exit 1
    fi
done
echo "the same bits from $# builds"
