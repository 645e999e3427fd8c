#!/bin/sh
# lint.sh BUILD: static checks of every C file, shell script and Python file; quiet when all is well.
set -eu
build=$1
flags="-std=gnu11 -D_GNU_SOURCE -DHUDDLE_VERSION=\"0\" -I. -I$build/gen"
files=$(git ls-files 'agent/*.c' 'controller/*.c' 'proto/*.c')

echo "shellcheck"
# shellcheck disable=SC2046
shellcheck $(git ls-files '*.sh') .ci/run

echo "cppcheck"
cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 --enable=warning,portability \
    --suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
    --suppressions-list=tests/checks/cppcheck.txt -j "$(nproc)" -I. -I"$build/gen" -D_GNU_SOURCE \
    '-D__attribute__(x)=' agent controller proto

echo "clang-tidy"
# shellcheck disable=SC2086
printf '%s\n' $files | xargs -P "$(nproc)" -n 8 clang-tidy --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-unknown-warning-option $(for f in $flags; do printf -- "--extra-arg=%s " "$f"; done)
