#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# install-packages.sh [build|test|bench|runtime] - Debian 12 packages; the only list of them.
#
#   build    to compile the programs and make the demo (default)
#   test     build, and what the tests need besides
#   bench    what tests/bench compares with, some 600 MB
#   runtime  the shared libraries alone, for an image that gets finished programs
#   --list SET prints the names instead of installing
#
# Needs no root when everything is there already. Safe to run twice.
set -euo pipefail

BUILD=(gcc libc6-dev cmake ninja-build pkg-config python3 curl ca-certificates
	libmicrohttpd-dev libgnutls28-dev libjansson-dev libopenblas-dev libsqlite3-dev zlib1g-dev
	libsodium-dev nettle-dev libunistring-dev uthash-dev libcurl4-gnutls-dev)
# clang: second compiler, fuzzers (with compiler-rt) and the formatting check; numpy: reads our files;
# openssl: certificates for the tests; yaml, jsonschema: the contract, and each answer held against it;
# mandoc, man-db: the manual pages; prometheus: alerts and dashboard; yamllint, shellcheck: other files;
# docker-compose: compose.yaml, without an engine; faketime: a clock that is set back; systemd, strace: the unit; dpkg-dev, lintian, adduser: the Debian package
TEST=("${BUILD[@]}" check clang libclang-rt-dev llvm clang-format python3-numpy openssl
	python3-yaml python3-jsonschema mandoc man-db prometheus yamllint shellcheck docker-compose
	systemd strace dpkg-dev lintian adduser faketime)
BENCH=(python3-numpy python3-torch wrk nginx-light redis-server
	python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-ujson)
# the serial OpenBLAS: the daemon runs BLAS on one thread anyway
RUNTIME=(libmicrohttpd12 libgnutls30 libjansson4 libopenblas0-serial libsqlite3-0 zlib1g
	libsodium23 libnettle8 libunistring2 libcurl3-gnutls)

# faults that compilers do not look for
TEST+=(clang-tidy cppcheck)

say() { echo "install-packages: $*"; }
die() { say "$*" >&2; exit 1; }

list=0
if [ "${1:-}" = --list ]; then list=1; shift; fi
case ${1:-build} in
build) wanted=("${BUILD[@]}") ;;
test) wanted=("${TEST[@]}") ;;
bench) wanted=("${BENCH[@]}") ;;
runtime) wanted=("${RUNTIME[@]}") ;;
*) die "unknown set '$1', want build, test, bench or runtime" ;;
esac
if [ $list = 1 ]; then printf '%s\n' "${wanted[@]}"; exit; fi

command -v dpkg-query >/dev/null || die "this is not Debian; install the likes of: ${wanted[*]}"
missing=()
for package in "${wanted[@]}"; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
	say "all ${#wanted[@]} packages are there"
	exit
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || die "missing: ${missing[*]}; run as root:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
	as_root=(sudo)
	[ -t 0 ] || as_root=(sudo -n) # nobody there to type a password
fi
apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=600 "$@" </dev/null
}
# What is only looked at or compared with, such as prometheus or nginx, is not to run as a service of
# this machine: Debian asks this file before it starts one.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap '"${as_root[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod 755 $policy
fi
say "installing ${missing[*]}"
{ apt -q update && apt -q install -y --no-install-recommends "${missing[@]}"; } ||
	die "apt-get failed; by hand, as root:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
