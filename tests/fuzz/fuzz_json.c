/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c - our JSON parser beside jansson on arbitrary bytes: both accept or both refuse,
 * and what they accept is the same: structure, strings, numbers (those of jansson's double, and
 * as float32 those of strtof()). Refusals have line and column.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/json/tree.h"
#include "tests/fuzz/fuzz.h"

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void check(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

static void compare(const struct node *node, const json_t *json);

static void compare_string(const struct node *node, const char *bytes, size_t len)
{
	check(node->kind == NODE_STRING && node->n == len && memcmp(node->bytes, bytes, len) == 0,
	      "strings differ");
}

static bool same_double(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/* The float of a number: jansson has only its double, so that the last bit may differ if the
 * double lies in the middle between two floats; fuzz_decimal.c has the exact comparison. */
static bool is_float_of(float x, double d)
{
	float nearest = (float)d;

	return memcmp(&x, &nearest, sizeof(x)) == 0 || x == nextafterf(nearest, INFINITY) ||
	       x == nextafterf(nearest, -INFINITY);
}

static void compare_floats(const struct node *node, const json_t *json)
{
	check((uintptr_t)node->floats % (node->n < 16 ? 16 : 64) == 0, "floats not aligned");
	for (size_t i = 0; i < node->n; i++) {
		const json_t *number = json_array_get(json, i);

		check(json_is_number(number) && isfinite(node->floats[i]) &&
			  is_float_of(node->floats[i], json_number_value(number)),
		      "floats differ");
	}
}

static void compare_array(const struct node *node, const json_t *json)
{
	const struct node *child = node_first(node);

	for (size_t i = 0; i < json_array_size(json); i++) {
		compare(child, json_array_get(json, i));
		child = node_next(child);
	}
	check(child == node_end(node), "more elements");
}

static void compare_object(const struct node *node, json_t *json)
{
	const struct node *name = node_first(node);
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value)
	{
		compare_string(name, key, strlen(key));
		/* many fields: the search is quadratic */
		check(node->n > 100 || node_find(node, key) == node_value(name), "field not found");
		compare(node_value(name), value);
		name = node_next(node_value(name));
	}
	check(name == node_end(node), "more fields");
}

static void compare(const struct node *node, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		check(node->kind == NODE_OBJECT && node->n == json_object_size(json), "no object");
		compare_object(node, (json_t *)json);
		break;
	case JSON_ARRAY:
		check(node_length(node) == json_array_size(json), "lengths differ");
		check(node->kind == NODE_FLOATS || node->kind == NODE_ARRAY, "no array");
		if (node->kind == NODE_FLOATS)
			compare_floats(node, json);
		else
			compare_array(node, json);
		break;
	case JSON_STRING:
		compare_string(node, json_string_value(json), json_string_length(json));
		break;
	case JSON_REAL:
		check(node->kind == NODE_NUMBER && same_double(node->number, json_real_value(json)),
		      "numbers differ");
		break;
	case JSON_NULL:
		check(node->kind == NODE_NULL, "no null");
		break;
	default:
		check(node->kind == NODE_BOOL && node->truth == json_is_true(json), "no boolean");
		break;
	}
}

static void check_fault(enum status status, const struct err *err)
{
	check(status == STATUS_MALFORMED && err->code == status, "another status");
	check(strncmp(err->msg, "line ", 5) == 0 && strstr(err->msg, ", column ") != NULL &&
		  strstr(err->msg, "want ") != NULL,
	      err->msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_string((const char *)data, size);
	json_t *json = json_loadb((const char *)data, size, FLAGS, NULL);
	struct arena arena = {0};
	struct err err = {0};
	const struct node *root;
	enum status status;

	check(text != NULL, "no memory");
	status = tree_parse(text, size, &arena, &root, &err);
	/* jansson forgets a NUL that follows a number or a word */
	if (memchr(data, '\0', size) != NULL)
		check(status != STATUS_OK, "a NUL was accepted");
	else
		check((status == STATUS_OK) == (json != NULL),
		      json == NULL ? "only jansson refuses" : err.msg);
	if (status == STATUS_OK)
		compare(root, json);
	else
		check_fault(status, &err);
	json_decref(json);
	arena_free(&arena);
	mem_free(text);
	return 0;
}
