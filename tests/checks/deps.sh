#!/bin/sh
# deps.sh PACKAGE...: installs the Debian packages that are missing; silent when none is. Uses sudo only
# when it is not root. A package that this release does not know is said and left out (names differ
# between Debian 12 and 13).
set -eu
missing=
for p in "$@"; do
    case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || true)" in
    ii*) ;;
    *) missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null || {
    echo "huddle: not a Debian system; please install:$missing" >&2
    exit 1
}
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo"
export DEBIAN_FRONTEND=noninteractive
echo "huddle: installing$missing"
$as_root apt-get update -qq
known=
for p in $missing; do
    if apt-cache show "$p" >/dev/null 2>&1; then
        known="$known $p"
    else
        echo "huddle: $p is not known to this release, left out" >&2
    fi
done
[ -n "$known" ] || exit 0
# Services that packages bring are started neither here nor at the next boot (haproxy, prometheus: the
# demo and the tests run their own). systemd's are held by policy-rc.d alone, the others by the runlevel.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends $known >/dev/null
for p in $known; do
    if [ -e "/lib/systemd/system/$p.service" ] && command -v systemctl >/dev/null; then
        $as_root systemctl disable --quiet "$p.service" 2>/dev/null || true
    fi
done
