/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/jsontext.h"

#include "core/base/mem.h"

enum status jsontext_load(const char *bytes, size_t len, const char *what, json_t **value_out,
			  struct err *err)
{
	json_error_t error;

	*value_out = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (*value_out != NULL)
		return STATUS_OK;
	/* jansson out of memory: no text, not always a code; sometimes it blames the input */
	if (error.text[0] == '\0')
		return err_no_memory(err, what);
	return err_set(err, STATUS_BAD_FILE, "%s: line %d, column %d: %s", what, error.line,
		       error.column, error.text);
}

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
