#!/bin/sh
# install.sh ROOT PREFIX: is what `make install DESTDIR=ROOT PREFIX=PREFIX` left complete? Programs run, manual
# pages render without a warning, units are accepted by systemd and are locked down, examples are valid.
set -eu
root=$1 prefix=$2
tree=$root$prefix
case $prefix in /usr) units=$root/lib/systemd/system ;; *) units=$tree/lib/systemd/system ;; esac
problems=0
problem() {
    echo "install: $*" >&2
    problems=$((problems + 1))
}

for program in bin/huddlectl bin/kubectl-huddle sbin/huddle-agent sbin/huddle-controller; do
    [ -x "$tree/$program" ] || problem "$program is missing"
done
"$tree/bin/huddlectl" version --client >/dev/null || problem "huddlectl does not run"
"$tree/bin/kubectl-huddle" version --client >/dev/null || problem "kubectl-huddle does not run"
for daemon in huddle-agent huddle-controller; do
    "$tree/sbin/$daemon" --version >/dev/null || problem "$daemon does not run"
done

for page in man8/huddle-agent.8 man8/huddle-controller.8 man1/huddlectl.1 man5/huddle.yaml.5; do
    file=$tree/share/man/$page
    [ -s "$file" ] || { problem "$page is missing" && continue; }
    warnings=$(groff -man -Tutf8 -ww -z "$file" 2>&1) || true
    [ -z "$warnings" ] || problem "$page: $warnings"
done

examples=$tree/share/doc/huddle/examples
"$tree/sbin/huddle-agent" --config "$examples/agent.yaml" --check-config >/dev/null ||
    problem "examples/agent.yaml is refused"
"$tree/sbin/huddle-controller" --config "$examples/controller.yaml" --check-config >/dev/null ||
    problem "examples/controller.yaml is refused"

for file in prometheus.yaml huddle.rules.yaml huddle-kubernetes.rules.yaml alertmanager.yaml; do
    [ -s "$tree/share/doc/huddle/prometheus/$file" ] || problem "prometheus/$file is missing"
done
[ -s "$examples/runtimes.d/llama-server.yaml" ] || problem "examples/runtimes.d is missing"
"$tree/bin/huddlectl" apply --dry-run=client -f "$examples/demo" >/dev/null ||
    problem "examples/demo is refused"
for model in "$examples"/kubernetes/*/model.yaml; do
    "$tree/bin/huddlectl" apply --dry-run=client -f "$model" >/dev/null || problem "$model is refused"
done

# The folders that the configurations' defaults name, as the daemons themselves say them.
for folder in runtimesDir:agent.yaml powerDrivers.programs:controller.yaml powerDrivers.secrets:controller.yaml; do
    key=${folder%%:*}
    line=$(grep -E "^ *${key##*.}: *\[?/" "$examples/${folder#*:}") || problem "$key is not in ${folder#*:}"
    for path in $(echo "${line#*:}" | tr -d '[],'); do
        [ -d "$root$path" ] || problem "$path, where $key looks by default, is missing"
    done
done

for unit in huddle-agent.service huddle-controller.service; do
    [ -s "$units/$unit" ] || { problem "$unit is missing" && continue; }
    # The programs are looked up by their absolute path: verify the units inside the tree.
    # What is the rest of a system (its targets, /bin/kill) is not in there.
    verdict=$(systemd-analyze verify --man=no --root="$root" "$units/$unit" 2>&1 | grep "$unit" |
        grep -v -e 'sysinit.target' -e '/bin/kill' -e "'DelegateSubgroup'" || true) # 254
    [ -z "$verdict" ] || problem "$verdict"
done
# The name that agent/replica/replica_cgroup.c steps out of to limit replicas.
grep -q '^DelegateSubgroup=agent$' "$units/huddle-agent.service" ||
    problem "huddle-agent.service: the agent is above its replicas, which can then not be limited"
systemd-analyze security --offline=true --threshold=20 "$units/huddle-controller.service" >/dev/null ||
    problem "huddle-controller.service is exposed more than 2.0: see systemd-analyze security"

[ "$problems" = 0 ] || exit 1
echo "installed files are complete"
