#!/bin/sh
# images.sh VERSION CREATED IMAGES ARM64_ROOT: are the images below 30 MB, do their programs run from what is in
# them alone, does another folder, user mask and day give the same bytes?
set -eu
version=$1 created=$2 images=$3 arm64_root=$4
problems=0
problem() {
    echo "images: $*" >&2
    problems=$((problems + 1))
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run_in() { # ARCH ROOTFS PROGRAM...
    arch=$1 rootfs=$2
    shift 2
    case $arch in
    "$(dpkg --print-architecture)") unshare --map-root-user chroot "$rootfs" "$@" ;;
    arm64) qemu-aarch64-static -L "$rootfs" "$rootfs$1" "$2" ;;
    esac
}

one() { # NAME ARCH PROGRAM...
    name=$1 arch=$2
    file=$images/$name-$version-$arch.tar
    shift 2
    size=$(stat -c %s "$file")
    [ "$size" -lt 30000000 ] || problem "$file has $size bytes, more than 30 MB"
    layout=$work/$name-$arch
    mkdir "$layout"
    tar -C "$layout" -xf "$file"
    umoci unpack --rootless --image "$layout:$version" "$layout/bundle" 2>"$work/log" || problem "$(cat "$work/log")"
    rootfs=$layout/bundle/rootfs
    for program in "$@"; do
        words=--version
        [ "${program##*/}" != huddlectl ] || words=help
        run_in "$arch" "$rootfs" "$program" "$words" >"$work/log" 2>&1 || problem "$file: $program: $(cat "$work/log")"
        [ "$words" = help ] || grep -q "$version" "$work/log" || problem "$file: $program said: $(cat "$work/log")"
    done
    grep -q "\"architecture\":\"$arch\"" "$layout"/blobs/sha256/* || problem "$file is not of $arch"
    [ -z "$(find "$rootfs" -perm /6000)" ] || problem "$file has setuid files"
    grep -q '^huddle:x:65532:' "$rootfs/etc/passwd" || problem "$file has no user huddle"
}

for arch in $(dpkg --print-architecture) arm64; do
    one huddle-controller "$arch" /usr/sbin/huddle-controller /usr/bin/huddlectl
    one huddle-agent "$arch" /usr/sbin/huddle-agent
    [ -d "$work/huddle-controller-$arch/bundle/rootfs/usr/share/zoneinfo/Europe" ] ||
        problem "the controller's image has no time zones"
done

(umask 077 && deploy/container/images.sh / "$(dpkg --print-architecture)" strip build/release "$version" "$created" \
    "$work/again" >/dev/null)
(umask 077 && deploy/container/images.sh "$arm64_root" arm64 aarch64-linux-gnu-strip build/release-arm64 "$version" \
    "$created" "$work/again" >/dev/null)
for file in "$work/again"/*.tar; do
    cmp -s "$file" "$images/${file##*/}" || problem "${file##*/}: the same files gave other bytes"
done

# The programs themselves do not tell where they were built.
for program in huddle-agent huddle-controller huddlectl; do
    ! grep -qF "$PWD" "build/release/$program" || problem "build/release/$program holds the path $PWD"
done
[ $problems = 0 ] || exit 1
echo "images: all run, below 30 MB, the same bytes again"
