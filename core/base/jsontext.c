/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/jsontext.h"

#include "core/base/mem.h"

char *jsontext_dump(const json_t *value, size_t flags)
{
	size_t len = json_dumpb(value, NULL, 0, flags);
	char *text;

	if (len == 0)
		return NULL;
	text = mem_array(len + 1, 1);
	if (text == NULL)
		return NULL;
	if (json_dumpb(value, text, len, flags) != len) {
		mem_free(text);
		return NULL;
	}
	return text;
}
