#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# layers.sh - dependencies point one way: schema <- core <- server; CBLAS is called in one file, and libcurl in two.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0

# forbid FOLDER PATTERN WHY [ALLOWED_FILE]
forbid() {
	local found
	found=$(grep -rnE "$2" --include='*.[ch]' "$1" | grep -vE "^${4:-/}:" || true)
	[ -z "$found" ] && return
	printf '%s:\n%s\n' "$3" "$found"
	failed=1
}
forbid core '#include *[<"](microhttpd|sqlite3)' "core includes an HTTP server or a database"
forbid core '#include *[<"](server/|generated/(openapi|sqlite_schema))' "core includes the server"
forbid server '#include *[<"]cblas' "the server calls CBLAS"
forbid core '#include *[<"]cblas' "CBLAS is called in core/math/linalg.c only" core/math/linalg.c
forbid core '#include *[<"]curl' "libcurl is called in core/encode/http_pool.c and http_mux.c only" "core/encode/http_(pool|mux)\.c"
forbid server '#include *[<"]curl' "the server calls libcurl"
forbid core '\b(malloc|calloc|realloc|free)\(' "allocate through core/base/mem.h" "core/base/(mem|spares)\.c"
forbid server '\b(malloc|calloc|realloc)\(' "allocate through core/base/mem.h"
exit $failed
