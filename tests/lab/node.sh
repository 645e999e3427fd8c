#!/bin/sh
# One lab node, from power-on to power-off: process 1 of its PID namespace.
#
#   node.sh FOLDER NAME ADDRESS COMMAND...
#
# The lab has put this process into the node's cgroup, network, mount and PID namespace. Mounts give
# it its own /proc, boot id, CPU accounting and powercap tree. "go" on stdin says that the network
# interface is there. COMMAND (the agent) is started, and started again whenever it ends, as an
# init system would. Power-off is the end of the PID namespace, from outside.
set -eu
folder=$1 name=$2 address=$3
shift 3

mount -t proc proc /proc
mount --bind "$folder/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$folder/stat" /proc/stat

# A tmpfs over /sys/class hides the machine's own powercap; the rest of /sys/class is linked back.
mkdir -p "$folder/class"
mount --bind /sys/class "$folder/class"
mount -t tmpfs -o mode=0755 tmpfs /sys/class
mkdir /sys/class/powercap
for entry in "$folder/class"/*; do
    [ "${entry##*/}" = powercap ] || ln -s "$entry" "/sys/class/${entry##*/}"
done
mount --bind "$folder/powercap" /sys/class/powercap

hostname "$name"
read -r go && [ "$go" = go ]
exec </dev/null
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up

while :; do
    status=0
    "$@" >>"$folder/agent.log" 2>&1 || status=$?
    echo "node.sh: the agent ended with status $status" >>"$folder/agent.log"
    sleep 0.3
done
