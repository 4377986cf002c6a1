#!/bin/bash
# Installs the Debian packages that Wheelyard needs and that are not there yet; run again, it does nothing.
# Usage: system.sh [--tests | --bench]    --tests adds what only the test suite uses, --bench the load besides.
set -euo pipefail

missing=()

stop() {
    printf 'set-up: %s\n' "$@" >&2
    exit 3
}

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

need() { # need COMMAND PACKAGE...
    local command=$1
    shift
    have "$command" || missing+=("$@")
}

need_file() { # need_file PATH PACKAGE
    [ -e "$1" ] || missing+=("$2")
}

docker_answers() { have docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

pure_cgroup_v2() { [ "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)" = cgroup2fs ]; }

collect() {
    "${PYTHON:-python3.11}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    need git git
    need_file /etc/ssl/certs/ca-certificates.crt ca-certificates
    need mmdebstrap mmdebstrap
    need_file /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
    if ! docker_answers; then
        need podman podman
        # crun, podman's first choice, can't work on cgroup v1 or on the hybrid of v1 and v2; runc can on all.
        pure_cgroup_v2 || need runc runc
        # Without root, podman and mmdebstrap map a range of user ids.
        [ "$(id -u)" = 0 ] || need newuidmap uidmap
    fi
    if [ "${1:-}" = --bench ]; then
        need wrk wrk
        need curl curl
    fi
    if [ "${1:-}" = --tests ] || [ "${1:-}" = --bench ]; then
        need docker-registry docker-registry
        need skopeo skopeo
        need tmux tmux
        compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
    fi
}

install_missing() {
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        have sudo || stop "these Debian packages are missing: ${missing[*]}" \
            "next: run this as root, or install sudo, or install them by hand"
        as_root=(sudo)
    fi
    have apt-get || stop "these Debian packages are missing: ${missing[*]}" \
        "this machine has no apt-get, and only Debian is supported" \
        "next: install a container engine, mmdebstrap and Python 3.11 with venv by hand"
    printf 'set-up: installing %s\n' "${missing[*]}"
    if [[ " ${missing[*]} " == *" postgresql "* ]]; then
        # The tests start servers of their own; Debian's package would make and start one for the machine.
        "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' |
            "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/wheelyard.conf >/dev/null
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
    local log
    log=$(mktemp)
    # Package lists are fetched only where the ones at hand do not do: none yet, or older than the mirror.
    if ! "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
        "${apt[@]}" update >"$log" 2>&1 </dev/null &&
            "${apt[@]}" install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null || {
            tail -n 20 "$log" >&2
            stop "apt-get could not install ${missing[*]}; its last words are above, all of them in $log"
        }
    fi
    rm -f "$log"
}

have "${PYTHON:-python3.11}" || stop "there is no ${PYTHON:-python3.11}" \
    "next: install Python 3.11, or say which one with make PYTHON=/path/to/python3"
collect "${1:-}"
[ ${#missing[@]} -eq 0 ] || install_missing
