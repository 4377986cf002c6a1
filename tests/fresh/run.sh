#!/bin/bash
# Runs a command on a fresh Debian 12 in which there is only Python 3.11, git and make: the proof of the set-up.
#
#   tests/fresh/run.sh [--keep] [--root DIR] COMMAND...     for instance: tests/fresh/run.sh make test
#
#   --root DIR   use this root; it is made where it isn't there, so that a second run finds what the first left
#   --keep       leave the root there (with --root it always stays)
#
# The root is a folder made by mmdebstrap, entered by pivot_root in mount, PID and IPC namespaces of its own. A chroot
# would not do: runc pivots too, and refuses to in a chroot. When the command ends, the kernel ends whatever it left
# running and drops its mounts. The network is the machine's. As root only.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && git rev-parse --show-toplevel)
suite=bookworm
root='' keep=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes; shift ;;
    --root) root=$2 keep=yes; shift 2 ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || { sed -n '2,10p' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "fresh: this needs root: it makes a root file system and enters it" >&2; exit 3; }

mirrors() { # What apt uses for this suite on this machine, as sources.list lines.
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' "Codename: $suite" 2>/dev/null |
        sort -u | awk -v suite="$suite" '{ print "deb " $1, ($2 ~ /^[a-z-]+$/ ? $2 : suite), $3 }'
}

make_root() {
    local list
    list=$(mktemp --suffix=.list)
    mirrors >"$list"
    [ -s "$list" ] || { echo "fresh: apt names no Debian mirror for $suite; add one to its sources" >&2; exit 3; }
    echo "fresh: making a Debian root in $root"
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' \
        --include=python3,git,make,ca-certificates "$suite" "$root" "$list"
    rm -f "$list"
}

copy_configuration() { # The machine's own way to the outside: names, certificates, mirror and index settings.
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    apt-config dump | grep -E '^Acquire::(http|https|ftp|Check|Retries)' >"$root/etc/apt/apt.conf.d/90machine" || true
    {
        echo '[global]'
        python3 -m pip config list 2>/dev/null | sed -E "s/^[^.]+\.\.?//; s/='/ = /; s/'\$//" |
            grep -E '^(index-url|trusted-host|cert|proxy|default-timeout|retries) =' | sort -u -t= -k1,1
    } >"$root/etc/pip.conf"
}

environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
    "TERM=${TERM:-dumb}")
for name in CI http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done

if [ -z "$root" ]; then
    root=$(mktemp -d /var/tmp/wheelyard-fresh.XXXXXX)
fi
if [ -z "$keep" ]; then
    trap 'rm -rf --one-file-system "$root"' EXIT
fi
[ -x "$root/usr/bin/python3.11" ] || make_root
copy_configuration
if [ -d "$root/root/wheelyard/.git" ]; then
    git -C "$root/root/wheelyard" pull --quiet --ff-only "$checkout" HEAD
else
    git clone --quiet --no-hardlinks "$checkout" "$root/root/wheelyard"
fi
install -m 0755 "$here/enter.sh" "$root/root/enter.sh"
echo "fresh: $(. "$root/etc/os-release" && echo "$PRETTY_NAME"), $(git -C "$root/root/wheelyard" log -1 --format=%h): $*"
status=0
unshare --mount --pid --ipc --fork --kill-child --propagation private \
    "$here/enter.sh" --pivot "$root" env -i "${environment[@]}" /root/enter.sh "$@" || status=$?
exit "$status"
