#!/bin/sh
# image.sh OPTIONS PROGRAM...: an OCI image of these programs and what they are loaded with, as a tar archive
# that `podman load`, `docker load`, `skopeo copy oci-archive:` and `ctr images import` take. No daemon, no
# network, no root; the same programs and libraries give the same bytes.
#   --root DIR       where the libraries stand: / or a tree of another architecture
#   --arch ARCH      amd64, arm64
#   --strip PROGRAM  for programs of that architecture
#   --name NAME:TAG  what the image is called
#   --user UID       whom it runs as
#   --created TIME   seconds since 1970: of the image and of every file in it
#   --zones          with the time zones
#   --out FILE
set -eu
umask 022
export LC_ALL=C
root=/ arch='' strip=strip name='' user=0 created=0 zones='' out=''
while :; do
    case $1 in
    --root) root=${2%/} ;;
    --arch) arch=$2 ;;
    --strip) strip=$2 ;;
    --name) name=$2 ;;
    --user) user=$2 ;;
    --created) created=$2 ;;
    --out) out=$2 ;;
    --zones)
        zones=yes
        shift
        continue
        ;;
    *) break ;;
    esac
    shift 2
done
case $arch in
amd64) triple=x86_64-linux-gnu ;;
arm64) triple=aarch64-linux-gnu ;;
*) echo "image.sh: --arch: expected amd64 or arm64, not \"$arch\"" >&2 && exit 2 ;;
esac
tag=${name##*:}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=$work/files layout=$work/layout

# The first that exists, in the order in which Debian's loader looks.
library() {
    for folder in "$root/lib/$triple" "$root/usr/lib/$triple"; do
        [ -e "$folder/$1" ] && printf '%s\n' "$folder/$1" && return
    done
    echo "image.sh: $1 is not in $root/usr/lib/$triple: install the packages of \`make deps\` there" >&2
    return 1
}

# What a file is loaded with, and what that is, until nothing is new.
add_libraries() {
    for needed in $(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        [ "$needed" = "$loader" ] || [ -e "$libraries/$needed" ] && continue
        found=$(library "$needed")
        cp -L "$found" "$libraries/$needed"
        add_libraries "$libraries/$needed"
    done
}

libraries=$files/usr/lib/$triple
mkdir -p "$libraries" "$files/usr/sbin" "$files/usr/bin" "$files/etc" "$files/tmp" "$files/var/lib/huddle" \
    "$files/run" "$files/proc" "$files/sys" "$files/dev"
interpreter=$(readelf -lW "$1" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
loader=${interpreter##*/}
mkdir -p "$files/usr${interpreter%/*}"
cp -L "$(library "$loader")" "$files/usr$interpreter"
for folder in lib lib64 bin sbin; do # as Debian has it: merged into /usr
    [ ! -d "$files/usr/$folder" ] || ln -s "usr/$folder" "$files/$folder"
done
for program in "$@"; do
    case $program in
    */huddlectl) place=$files/usr/bin ;;
    *) place=$files/usr/sbin ;;
    esac
    "$strip" -o "$place/${program##*/}" "$program"
    add_libraries "$program"
done
printf 'root:x:0:0:root:/:/sbin/nologin\nhuddle:x:65532:65532:huddle:/var/lib/huddle:/sbin/nologin\n' >"$files/etc/passwd"
printf 'root:x:0:\nhuddle:x:65532:\n' >"$files/etc/group"
[ -z "$zones" ] || { # `posix` and `right` are the same again, and by another clock
    mkdir -p "$files/usr/share/zoneinfo"
    tar -C /usr/share/zoneinfo --exclude=./posix --exclude=./right -c . | tar -C "$files/usr/share/zoneinfo" -x
}
chmod -R u+rwX,go=rX "$files"
chmod 1777 "$files/tmp"
find "$files" -exec touch -h -d "@$created" {} +

when=$(date -u -d "@$created" +%Y-%m-%dT%H:%M:%SZ)
rootless=--rootless
[ "$(id -u)" != 0 ] || rootless=''
umoci init --layout "$layout"
umoci new --image "$layout:$tag"
# shellcheck disable=SC2086
umoci insert $rootless --history.created "$when" --history.created_by "${0##*/}" --image "$layout:$tag" "$files" /
umoci config --no-history --image "$layout:$tag" --created "$when" --architecture "$arch" --os linux \
    --config.user "$user" --config.entrypoint "/usr/sbin/${1##*/}" --config.workingdir / \
    --config.env PATH=/usr/sbin:/usr/bin --config.label org.opencontainers.image.licenses=Apache-2.0 \
    --config.label "org.opencontainers.image.version=$tag" \
    --config.label org.opencontainers.image.title="${1##*/}"
umoci gc --layout "$layout"
# The name by which containerd knows it once it is loaded; others read the tag.
sed -i "s|\"org.opencontainers.image.ref.name\":\"$tag\"|\"io.containerd.image.name\":\"$name\",&|" "$layout/index.json"
grep -q "\"$name\"" "$layout/index.json"
mkdir -p "${out%/*}"
tar -C "$layout" --sort=name --mtime="@$created" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --format=ustar \
    -cf "$out.part" .
mv "$out.part" "$out"
