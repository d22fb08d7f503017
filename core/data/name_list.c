/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/name_list.h"

#include <string.h>

#include <jansson.h>

#include "core/base/jsontext.h"
#include "core/base/mem.h"

static enum status append_name(json_t *array, const char *name, struct err *err)
{
	json_t *string = json_string(name);

	if (string == NULL)
		return err_set(err, STATUS_INVALID_VALUE, "a name is not valid UTF-8");
	return json_array_append_new(array, string) == 0 ? STATUS_OK : err_no_memory(err, "names");
}

enum status name_list_text(const struct intern *names, char **text_out, struct err *err)
{
	char **strings;
	json_t *array;
	enum status status = intern_strings(names, &strings, err);

	if (status != STATUS_OK)
		return status;
	array = json_array();
	if (array == NULL)
		status = err_no_memory(err, "names");
	for (uint32_t i = 0; i < names->n; i++) {
		if (status == STATUS_OK)
			status = append_name(array, strings[i], err);
		mem_free(strings[i]);
	}
	mem_free(strings);
	if (status == STATUS_OK) {
		*text_out = jsontext_dump(array, JSON_COMPACT);
		if (*text_out == NULL)
			status = err_no_memory(err, "names");
	}
	json_decref(array);
	return status;
}

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* The string at *at, which goes behind it. */
static enum status parse_name(const char **at, const char *end, const char *what,
			      struct intern *names, struct err *err)
{
	json_error_t error;
	json_t *value =
	    json_loadb(*at, (size_t)(end - *at), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
	uint32_t n_before = names->n, id = 0;
	enum status status;

	if (value == NULL && error.text[0] == '\0')
		return err_no_memory(err, what);
	if (value == NULL)
		return err_set(err, STATUS_BAD_FILE, "%s: name %u: %s", what, n_before, error.text);
	if (json_string_length(value) == 0) {
		json_decref(value);
		return err_set(err, STATUS_BAD_FILE, "%s: name %u is no string or empty", what,
			       n_before);
	}
	status = intern_add(names, json_string_value(value), json_string_length(value), &id, err);
	if (status == STATUS_OK && id < n_before)
		status = err_set(err, STATUS_BAD_FILE, "%s: name %u is the same as name %u", what,
				 n_before, id);
	json_decref(value);
	*at += error.position;
	return status;
}

enum status name_list_parse(const char *text, const char *what, struct intern *names,
			    struct err *err)
{
	const char *end = text + strlen(text), *at = skip_space(text);

	if (*at != '[')
		return err_set(err, STATUS_BAD_FILE, "%s: want a JSON array of strings", what);
	at = skip_space(at + 1);
	while (*at != ']') {
		enum status status = parse_name(&at, end, what, names, err);

		if (status != STATUS_OK)
			return status;
		at = skip_space(at);
		if (*at == ',' && *skip_space(at + 1) != ']')
			at = skip_space(at + 1);
		else if (*at != ']')
			return err_set(err, STATUS_BAD_FILE, "%s: after name %u: want ',' or ']'",
				       what, names->n - 1);
	}
	if (*skip_space(at + 1) != '\0')
		return err_set(err, STATUS_BAD_FILE, "%s: text after the array", what);
	return STATUS_OK;
}
