#!/bin/sh
# images.sh ROOT ARCH STRIP BUILD VERSION CREATED OUT: the two images of huddle from the programs in BUILD.
set -eu
root=$1 arch=$2 strip=$3 build=$4 version=$5 created=$6 out=$7
here=${0%/*}
image() { # NAME USER OPTION PROGRAM...
    name=$1 user=$2 option=$3
    shift 3
    file=$out/$name-$version-$arch.tar
    # shellcheck disable=SC2086
    "$here/image.sh" --root "$root" --arch "$arch" --strip "$strip" --name "huddle.energy/$name:$version" \
        --user "$user" --created "$created" --out "$file" $option "$@"
    printf '%s: huddle.energy/%s:%s, %s kB\n' "$file" "$name" "$version" "$(($(stat -c %s "$file") / 1000))"
}
image huddle-controller 65532 --zones "$build/huddle-controller" "$build/huddlectl"
# 0 without capabilities: the files of powercap are readable by their owner alone.
image huddle-agent 0 '' "$build/huddle-agent"
