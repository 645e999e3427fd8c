#!/bin/sh
# What runs on a real node from its boot on: containerd, kubelet and kube-proxy, each started again when
# it ends. Started by tests/lab/node.sh inside the node's own namespaces.
#
#   node_up.sh FOLDER PROGRAMS IMAGES POD_SUBNET SERVICE_RANGE NODE=SUBNET...
#
# FOLDER is the node's disk (node.py has written the configurations there), PROGRAMS holds the Kubernetes
# programs and runc, IMAGES the images to load. The other nodes follow with the subnets of their pods.
set -eu
folder=$1 programs=$2 images=$3 subnet=$4 services=$5
shift 5
PATH=$programs:$PATH

mount --make-rshared / # volumes of pods are mounted from here
# What a boot begins without, and what a kubelet writes outside of its own folders.
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p "$folder/log"
mount --bind "$folder/log" /var/log
rm -rf "$folder/state" "$folder/containerd.sock"
# The cgroups of this node alone, where all nodes have them: pods of its own may look at them.
group=$(sed -n 's/.*"cgroupRoot": "\([^"]*\)".*/\1/p' "$folder/kubelet.json")
for hierarchy in /sys/fs/cgroup/*; do
    [ -d "$hierarchy$group" ] || continue
    mkdir -p "/run/node-cgroup/${hierarchy##*/}"
    mount --bind "$hierarchy$group" "/run/node-cgroup/${hierarchy##*/}"
done

echo 1 >/proc/sys/net/ipv4/ip_forward
ip route add "$services" dev eth0 # any: kube-proxy changes where it goes
for peer in "$@"; do
    [ "${peer#*=}" = "$subnet" ] || ip route add "${peer#*=}" via "${peer%%=*}"
done

keep() { # NAME COMMAND...: with its output in NAME.log
    name=$1
    shift
    while :; do
        status=0
        "$@" >>"$folder/$name.log" 2>&1 </dev/null || status=$?
        echo "node_up.sh: $name ended with status $status" >>"$folder/$name.log"
        sleep 0.5
    done
}

keep containerd containerd --config "$folder/containerd.toml" &
for image in "$images"/*.tar; do
    tries=0
    until ctr --address "$folder/containerd.sock" --namespace k8s.io image import --local \
        --snapshotter native "$image" >>"$folder/images.log" 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || break # kubelet will say what is missing
        sleep 0.2
    done
done
keep kubelet kubelet --config "$folder/kubelet.json" --kubeconfig "$folder/kubelet.kubeconfig" \
    --hostname-override "$(hostname)" --root-dir "$folder/kubelet" --cert-dir "$folder/pki" \
    --node-ip "$(ip -4 -o address show eth0 | sed 's/.*inet \([^/]*\).*/\1/')" --v 2 &
keep kube-proxy kube-proxy --config "$folder/kube-proxy.json" --hostname-override "$(hostname)" &
wait
