/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/features_fixture.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/folder_fixture.h"

const char *features_file(const char *name, const char *header, const void *data, size_t len)
{
	uint64_t header_len = strlen(header);
	size_t n = sizeof(header_len) + header_len + len;
	char *bytes = malloc(n);
	const char *path;

	if (bytes == NULL)
		abort();
	memcpy(bytes, &header_len, sizeof(header_len));
	memcpy(bytes + sizeof(header_len), header, header_len);
	if (len > 0)
		memcpy(bytes + sizeof(header_len) + header_len, data, len);
	path = folder_write(name, bytes, n);
	free(bytes);
	return path;
}
