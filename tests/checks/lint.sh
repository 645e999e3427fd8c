#!/bin/sh
# lint.sh BUILD: static checks of every C file, shell script and Python file; quiet when all is well.
set -eu
build=$1
files=$(git ls-files 'agent/*.c' 'controller/*.c' 'proto/*.c')

echo "shellcheck"
# shellcheck disable=SC2046
shellcheck $(git ls-files '*.sh') .ci/run

echo "cppcheck"
cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 --enable=warning,portability \
    --suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
    --suppressions-list=tests/checks/cppcheck.txt -j "$(nproc)" -I. -I"$build/gen" -D_GNU_SOURCE \
    '-D__attribute__(x)=' \
    '-Djson_array_foreach(a,i,v)=while(v=json_array_get(a,i))' agent controller proto

echo "clang-tidy"
printf '%s\n' -std=gnu11 -I../.. -Igen -D_GNU_SOURCE '-DHUDDLE_VERSION="0"' >"$build/compile_flags.txt"
printf '%s\n' "$files" | xargs -P "$(nproc)" -n 8 clang-tidy -p "$build" --quiet 2>/dev/null
