#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# report_picture.sh REPORT.html PICTURE.png - a picture of a report for README.md: the light page
# of a wide window and, beside it, the dark one of a phone. Needs Debian's chromium and pngquant.
# Exit status: 0 done, 1 failed (also when the picture has 300 KB or more), 2 usage, 77 skipped.
set -euo pipefail

[ $# = 2 ] || { echo "usage: report_picture.sh REPORT.html PICTURE.png" >&2; exit 2; }
report=$1 picture=$(realpath -- "$2")
wide=1160 phone=360 height=1210 gap=24
for program in chromium pngquant; do
	command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; exit 77; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A page follows the reader's system; in a picture each must have its colours fixed.
sed 's/@media screen and (prefers-color-scheme: dark)/@media not all/' "$report" >"$folder/light.html"
sed 's/@media screen and (prefers-color-scheme: dark)/@media screen/' "$report" >"$folder/dark.html"
if cmp -s "$folder/light.html" "$folder/dark.html"; then
	echo "$report: no report of micro-model eval --compare" >&2
	exit 1
fi
cat >"$folder/both.html" <<PAGE
<!DOCTYPE html>
<style>
body { margin: 0; background: #8a94a0; display: flex; gap: ${gap}px; overflow: hidden }
iframe { border: 0; height: ${height}px; flex: none }
</style>
<iframe src="light.html" width="$wide" scrolling="no"></iframe>
<iframe src="dark.html#contexts" width="$phone" scrolling="no"></iframe>
PAGE

# --no-sandbox: in a container chromium has no right to make one; the page is our own
timeout 120 chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --disable-lcd-text \
	--user-data-dir="$folder/profile" --virtual-time-budget=2000 --force-device-scale-factor=1 \
	--window-size=$((wide + gap + phone)),$height --screenshot="$folder/both.png" \
	"file://$folder/both.html" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
pngquant --force --strip --output "$picture" 256 "$folder/both.png"
size=$(stat -c %s -- "$picture")
echo "$2: $size bytes"
[ "$size" -lt 300000 ] || { echo "$2: want less than 300000 bytes" >&2; exit 1; }
