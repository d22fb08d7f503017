/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/status.h"

#include <assert.h>

static const struct {
	const char *code;
	int http;
} status_table[] = {
#define STATUS_ROW(name, code, http) [name] = {code, http},
    STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

const char *status_code(enum status status)
{
	assert((unsigned)status < N_STATUSES);
	return status_table[status].code;
}

int status_http(enum status status)
{
	assert((unsigned)status < N_STATUSES);
	return status_table[status].http;
}
