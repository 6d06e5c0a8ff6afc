#!/bin/bash
# Runs a command inside a Debian system in a directory:
#
#   in_system.sh [OPTION]... ROOT COMMAND...
#
#   --keep                     keeps changes to the system
#   --network                  with this machine's network; otherwise only with
#                              a separate loopback interface
#   --bind DIRECTORY PLACE     mounts a directory read-only
#   --share DIRECTORY PLACE    mounts a directory writable
#
# The command runs in new namespaces for processes and mounts.  All its processes
# end with it, or with this script, however that ends.  Needs root.
set -euo pipefail

# Runs in the new namespaces, as process 1.
enter() {
    local root=$SYSTEM
    if [ -z "$KEEP" ]; then
        # Changes are in memory, so that nothing stays after a crash.
        mount -t tmpfs -o mode=755 hibob_fdw "$SYSTEM.run"
        mkdir "$SYSTEM.run/upper" "$SYSTEM.run/work" "$SYSTEM.run/root"
        root=$SYSTEM.run/root
        mount -t overlay -o "lowerdir=$SYSTEM,upperdir=$SYSTEM.run/upper,workdir=$SYSTEM.run/work" \
            hibob_fdw "$root"
    fi
    mount -t proc proc "$root/proc"
    make_devices "$root/dev"
    while [ ${#BINDS[@]} != 0 ]; do
        mkdir -p "$root${BINDS[2]}"
        mount --rbind "${BINDS[1]}" "$root${BINDS[2]}"
        [ "${BINDS[0]}" = --share ] ||
            mount -o remount,bind,ro "$root${BINDS[2]}"
        BINDS=("${BINDS[@]:3}")
    done
    if [ -n "$NETWORK" ]; then
        cat /etc/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || true
        cat /etc/hosts >"$root/etc/hosts"
    else
        loopback_up
    fi
    chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "$@"
}

make_devices() {
    local device
    mount -t tmpfs -o mode=755,size=1m devices "$1"
    for device in null zero full random urandom tty; do
        touch "$1/$device"
        mount --bind "/dev/$device" "$1/$device"
    done
    ln -s /proc/self/fd "$1/fd"
    ln -s /proc/self/fd/0 "$1/stdin"
    ln -s /proc/self/fd/1 "$1/stdout"
    ln -s /proc/self/fd/2 "$1/stderr"
    mkdir -m 1777 "$1/shm"
    mount -t tmpfs -o mode=1777 shm "$1/shm"
    mkdir "$1/pts"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$1/pts"
    ln -s pts/ptmx "$1/ptmx"
}

# SIOCSIFFLAGS with IFF_UP and IFF_RUNNING, as "ip link set lo up" does.
loopback_up() {
    ip link set lo up 2>/dev/null ||
        perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0) or die $!;
            ioctl($s, 0x8914, pack("a16sx14", "lo", 0x41)) or die $!'
}

main() {
    local namespaces arguments=("$@")
    KEEP=
    NETWORK=
    BINDS=()
    while :; do
        case $1 in
            --keep) KEEP=yes; shift ;;
            --network) NETWORK=yes; shift ;;
            --bind | --share) BINDS+=("$1" "$2" "$3"); shift 3 ;;
            *) break ;;
        esac
    done
    SYSTEM=$1
    shift
    if [ -z "${HIBOB_IN_NAMESPACES:-}" ]; then
        namespaces=(--mount --ipc --uts --pid)
        [ -n "$NETWORK" ] || namespaces+=(--net)
        [ -n "$KEEP" ] || mkdir -p "$SYSTEM.run"
        export HIBOB_IN_NAMESPACES=1
        exec unshare "${namespaces[@]}" --fork --kill-child \
            --propagation private "${BASH_SOURCE[0]}" "${arguments[@]}"
    fi
    enter "$@"
}

# On one line, so that changes of the file during a run have no effect.
main "$@"; exit
