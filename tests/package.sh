#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # $1 is for the shell in the namespace
#
# package.sh - builds the Debian package, has lintian look at it, then installs it for real in a copy
# of this system that exists for this test only (an overlay in a mount namespace of its own): the
# user, the state's folder, the manual pages, the unit; microd serves as that user with the
# packaged settings; an upgrade keeps what the administrator wrote, removal keeps the state, purge
# leaves nothing.
#
# MICRO_BIN_DIR names the build folder. Exit status: 0 passed, 1 failed, 77 skipped (the last line
# says why).
set -euo pipefail
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

# ---- inside the copy ----

is() { # WHAT WANTED COMMAND...
	local what=$1 wanted=$2 got
	shift 2
	got=$("$@" 2>&1) || got="$got (exit status $?)"
	[ "$got" = "$wanted" ] || fail "$what: '$got', want '$wanted'"
}

serves() { # as the unit would, with what /etc/default/microd says
	local pid port i
	micro-model train --quiet --data /mnt/train.jsonl --out /var/lib/micro/model.safetensors --heads 2 --epochs 1
	# shellcheck disable=SC2046 # words are what it is about
	(
		cd /var/lib/micro
		umask 077
		exec setpriv --reuid=micro --regid=micro --clear-groups env -i \
			MICROD_STATE=/var/lib/micro/micro.db $(grep -E '^MICROD_' /etc/default/microd) \
			/usr/bin/microd --port 0 --port-file /var/lib/micro/port
	) &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		[ -s /var/lib/micro/port ] && break
		kill -0 $pid || fail "microd ended"
		sleep 0.1
	done
	port=$(cat /var/lib/micro/port)
	is readyz '{"status":"ready"}' curl -fsS "http://127.0.0.1:$port/readyz"
	is "openapi.yaml of the package" "" cmp - /usr/share/doc/microd/openapi.yaml \
		< <(curl -fsS "http://127.0.0.1:$port/openapi.yaml")
	is "state's owner" "micro 600" stat -c '%U %a' /var/lib/micro/micro.db
	kill -TERM $pid
	wait $pid || fail "exit status $? after SIGTERM"
}

inside() { # DEB
	dpkg -i "$1"
	is "dpkg --audit" "" dpkg --audit
	is "the user's shell" /usr/sbin/nologin sh -c 'getent passwd micro | cut -d: -f7'
	is "the state's folder" "micro micro 750" stat -c '%U %G %a' /var/lib/micro
	is "the keys' folder" "root micro 750" stat -c '%U %G %a' /etc/micro
	is version "microd $VERSION" microd --version
	is "manual of microd" /usr/share/man/man8/microd.8.gz man -w 8 microd
	is "manual of micro-model" /usr/share/man/man1/micro-model.1.gz man -w 1 micro-model
	is "systemd-analyze verify" "" systemd-analyze verify /lib/systemd/system/microd.service
	is "links of the programs" "" sh -c "ldd /usr/bin/microd /usr/bin/micro-model | grep 'not found'; :"
	serves
	sed -i 's/^#MICROD_PORT=.*/MICROD_PORT=8081/' /etc/default/microd
	dpkg -i "$1"
	is "a setting after an upgrade" MICROD_PORT=8081 grep ^MICROD_PORT /etc/default/microd
	dpkg -r microd
	is "the program after removal" "" sh -c 'ls /usr/bin/microd /usr/bin/micro-model 2>/dev/null; :'
	is "the state after removal" /var/lib/micro/micro.db ls /var/lib/micro/micro.db
	is "settings after removal" /etc/default/microd ls /etc/default/microd
	dpkg -P microd
	is "what is left after purge" "" find /etc /lib/systemd /usr /var/lib \
		\( -name 'microd*' -o -name 'micro-model*' -o -path /var/lib/micro -o -path /etc/micro \) -print
	is "dpkg --audit" "" dpkg --audit
}

if [ "${1:-}" = --inside ]; then
	inside "$2"
	exit
fi

# ---- outside ----

cd "$(dirname "$0")/.."
BIN_DIR=${MICRO_BIN_DIR:-$PWD/build/release}
command -v dpkg-deb cpack >/dev/null || skip "dpkg or cpack is not here"
[ -f "$BIN_DIR/CPackConfig.cmake" ] || fail "$BIN_DIR is no build folder; MICRO_BIN_DIR names it"
scratch=$(mktemp -d /tmp/micro-package-XXXXXX)
trap 'rm -rf "$scratch"' EXIT

cpack --config "$BIN_DIR/CPackConfig.cmake" -B "$scratch/deb" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
deb=$(echo "$scratch"/deb/*.deb)
VERSION=$("$BIN_DIR/microd" --version | cut -d' ' -f2)
export VERSION
is "the package's version" "$VERSION" dpkg-deb -f "$deb" Version
is "the changelog's version" "microd ($VERSION)" sed -n '1s/).*/)/p' deploy/debian/changelog
depends=$(dpkg-deb -f "$deb" Depends)
for library in $(deploy/install-packages.sh --list runtime | sed 's/-serial$//'); do
	[[ " $depends," == *" $library "* || " $depends," == *" $library,"* ]] ||
		fail "Depends lacks $library of the runtime set: $depends"
done
if command -v lintian >/dev/null; then
	lintian --fail-on error,warning --tag-display-limit 0 "$deb" 2>&1 || fail "lintian"
else
	echo "skipped: lintian is not installed"
fi

[ "$(id -u)" = 0 ] || skip "installing needs root"
! dpkg-query -W -f '${db:Status-Status}\n' microd 2>/dev/null | grep -q '^installed$' ||
	skip "microd is installed here already"
mkdir "$scratch"/{in,upper,work,root}
deploy/demo-data.py "$scratch/demo" >/dev/null
cp "$scratch/demo/train.jsonl" "$deb" tests/package.sh "$scratch/in"
# the copy sees this file system, the folder in/ as /mnt, and nothing else; its processes end with it
copy='mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" &&
	mount --bind "$1/in" "$1/root/mnt" && mount --rbind /dev "$1/root/dev" &&
	mount -t proc proc "$1/root/proc"'
unshare -m -p -f bash -c "$copy" - "$scratch" || skip "no overlay can be mounted here"
unshare -m -p -f --kill-child bash -c "$copy && "'exec chroot "$1/root" /mnt/package.sh --inside "/mnt/$2"' \
	- "$scratch" "$(basename "$deb")"
echo "installed, used, upgraded, removed and purged $(basename "$deb")"
