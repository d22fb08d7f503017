/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/encoder_spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <unistr.h>

#include "core/base/jsontext.h"
#include "core/base/mem.h"

static const struct encoder_ops *const all_ops[] = {&encoder_hash_ops, &encoder_none_ops,
						    &encoder_openai_ops, &encoder_tei_ops};

/* What a request has from us. */
static const char *const own_fields[] = {"input", "inputs"};

struct field {
	char *name;
	char *value; /* without escapes */
};

static enum status refuse(const char *spec, struct err *err)
{
	return err_set(err, STATUS_INVALID_VALUE,
		       "encoder \"%.64s\": want %s, %s, %s or %s with D from %d to %d, such as %s",
		       spec, encoder_hash_ops.syntax, encoder_none_ops.syntax,
		       encoder_openai_ops.syntax, encoder_tei_ops.syntax, ENCODER_MIN_DIM,
		       ENCODER_MAX_DIM, ENCODER_DEFAULT_SPEC);
}

/* The number of a spec's ":D" in dim_out, what follows in rest_out; false if it is not that. */
static bool parse_dim(const char *text, size_t *dim_out, const char **rest_out)
{
	size_t n_digits;

	if (*text++ != ':')
		return false;
	n_digits = strspn(text, "0123456789");
	*rest_out = text + n_digits;
	if (n_digits == 0 || (**rest_out != '\0' && **rest_out != '?'))
		return false;
	*dim_out = strtoul(text, NULL, 10); /* ULONG_MAX if it is larger than that */
	return *dim_out >= ENCODER_MIN_DIM && *dim_out <= ENCODER_MAX_DIM;
}

static const struct encoder_ops *parse_scheme(const char *spec, size_t *dim_out,
					      const char **rest_out)
{
	for (size_t i = 0; i < sizeof(all_ops) / sizeof(*all_ops); i++) {
		size_t len = strlen(all_ops[i]->scheme);

		if (strncmp(spec, all_ops[i]->scheme, len) == 0 &&
		    parse_dim(spec + len, dim_out, rest_out))
			return all_ops[i];
	}
	return NULL;
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)((at - digits) % 16);
}

/* In place; false for a '%' without two digits, and for the NUL that no text may have. */
static bool unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		if (hex_value(in[1]) < 0 || hex_value(in[2]) < 0 || strncmp(in, "%00", 3) == 0)
			return false;
		*out++ = (char)(hex_value(in[1]) * 16 + hex_value(in[2]));
		in += 2;
	}
	*out = '\0';
	return true;
}

static enum status check_field(const char *spec, const struct field *field, struct err *err)
{
	/* the first 12 not at the beginning */
	static const char letters[] =
	    "0123456789.-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (strspn(field->name, letters + 12) == 0 ||
	    field->name[strspn(field->name, letters)] != '\0')
		return err_set(err, STATUS_INVALID_VALUE,
			       "encoder \"%.64s\": field \"%.32s\": want a name of letters, digits "
			       "and _ . -, then = and a value",
			       spec, field->name);
	for (size_t i = 0; i < sizeof(own_fields) / sizeof(*own_fields); i++) {
		if (strcmp(field->name, own_fields[i]) == 0)
			return err_set(
			    err, STATUS_INVALID_VALUE,
			    "encoder \"%.64s\": field \"%s\" is where the texts go, want "
			    "others",
			    spec, field->name);
	}
	if (!unescape(field->value) ||
	    u8_check((const uint8_t *)field->value, strlen(field->value)) != NULL)
		return err_set(err, STATUS_INVALID_VALUE,
			       "encoder \"%.64s\": the value of \"%s\": want UTF-8, and %%XX with "
			       "two hexadecimal digits for a byte",
			       spec, field->name);
	return STATUS_OK;
}

static int compare_fields(const void *a, const void *b)
{
	return strcmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

/* Cut text, which is behind '?', into its fields; by name. */
static enum status split_fields(const char *spec, char *text, struct field *fields, size_t *n_out,
				struct err *err)
{
	char *rest = text, *part;
	size_t n = 0;

	while ((part = strsep(&rest, "&")) != NULL) {
		char *equals = strchr(part, '=');
		enum status status;

		if (n == ENCODER_SPEC_FIELDS)
			return err_set(err, STATUS_INVALID_VALUE,
				       "encoder \"%.64s\": want at most %d fields", spec,
				       ENCODER_SPEC_FIELDS);
		fields[n].name = part;
		fields[n].value = equals == NULL ? part + strlen(part) : equals + 1;
		if (equals != NULL)
			*equals = '\0';
		else
			fields[n].name = ""; /* refused: there is no value */
		status = check_field(spec, &fields[n++], err);
		if (status != STATUS_OK)
			return status;
	}
	qsort(fields, n, sizeof(*fields), compare_fields);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(fields[i].name, fields[i - 1].name) == 0)
			return err_set(err, STATUS_INVALID_VALUE,
				       "encoder \"%.64s\": field \"%s\" is there twice", spec,
				       fields[i].name);
	}
	*n_out = n;
	return STATUS_OK;
}

/* JSON text of a value; the caller frees it with mem_free(). */
static char *value_json(const char *value)
{
	json_error_t error;
	json_t *json = json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	bool is_json = json != NULL;
	char *text;

	json_decref(json);
	if (is_json)
		return mem_string(value, strlen(value));
	if (json_error_code(&error) == json_error_out_of_memory)
		return NULL;
	json = json_string(value);
	text = jsontext_dump(json, JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(json);
	return text;
}

/* Append to text of size bytes, whose length is *len; false if there is no room. */
static bool append(char *text, size_t size, size_t *len, const char *more)
{
	size_t n = strlen(more);

	if (n >= size - *len)
		return false;
	memcpy(text + *len, more, n + 1);
	*len += n;
	return true;
}

/* What would end a value, or would not be itself. */
static bool append_escaped(struct encoder_spec *spec, size_t *len, const char *value)
{
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;
		char one[4] = {(char)c};

		if (c == '%' || c == '&' || c <= ' ' || c == 0x7f)
			snprintf(one, sizeof(one), "%%%02X", c);
		if (!append(spec->text, sizeof(spec->text), len, one))
			return false;
	}
	return true;
}

static bool add_field(struct encoder_spec *spec, size_t *text_len, size_t *members_len,
		      const struct field *field, const char *json)
{
	char *members = spec->members;
	bool first = *members_len == 0;

	return append(spec->text, sizeof(spec->text), text_len, first ? "?" : "&") &&
	       append(spec->text, sizeof(spec->text), text_len, field->name) &&
	       append(spec->text, sizeof(spec->text), text_len, "=") &&
	       append_escaped(spec, text_len, field->value) &&
	       append(members, sizeof(spec->members), members_len, first ? "\"" : ",\"") &&
	       append(members, sizeof(spec->members), members_len, field->name) &&
	       append(members, sizeof(spec->members), members_len, "\":") &&
	       append(members, sizeof(spec->members), members_len, json);
}

/* rest: "?..." in a copy of the spec. */
static enum status read_fields(const char *text, char *rest, struct encoder_spec *spec,
			       struct err *err)
{
	struct field fields[ENCODER_SPEC_FIELDS];
	size_t n_fields = 0, text_len = strlen(spec->text), members_len = 0;
	enum status status = split_fields(text, rest + 1, fields, &n_fields, err);

	for (size_t i = 0; i < n_fields && status == STATUS_OK; i++) {
		char *json = value_json(fields[i].value);

		if (json == NULL)
			status = err_no_memory(err, "an encoder");
		else if (!add_field(spec, &text_len, &members_len, &fields[i], json))
			status = err_set(err, STATUS_INVALID_VALUE,
					 "encoder \"%.64s\": want a spec of at most %d bytes", text,
					 ENCODER_SPEC_MAX);
		mem_free(json);
	}
	return status;
}

enum status encoder_spec_parse(const char *text, struct encoder_spec *spec_out, struct err *err)
{
	const char *rest = NULL;
	char copy[ENCODER_SPEC_MAX + 1];
	size_t dim = 0;

	*spec_out = (struct encoder_spec){.ops = parse_scheme(text, &dim, &rest)};
	if (spec_out->ops == NULL || (*rest != '\0' && spec_out->ops->api == EMBEDDING_API_NONE))
		return refuse(text, err);
	spec_out->dim = dim;
	snprintf(spec_out->text, sizeof(spec_out->text), "%s:%zu", spec_out->ops->scheme, dim);
	if (*rest == '\0')
		return STATUS_OK;
	if (strlen(rest) >= sizeof(copy))
		return err_set(err, STATUS_INVALID_VALUE,
			       "encoder \"%.64s\": want a spec of at most %d bytes", text,
			       ENCODER_SPEC_MAX);
	strcpy(copy, rest);
	return read_fields(text, copy, spec_out, err);
}
