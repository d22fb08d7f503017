/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/golden_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void require(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "golden: %s\n", what);
		abort();
	}
}

json_t *golden_open(const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	require(root != NULL, error.text);
	return root;
}

const json_t *golden_get(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	require(value != NULL, key);
	return value;
}

bool golden_has(const json_t *object, const char *key)
{
	return !json_is_null(golden_get(object, key));
}

double golden_number(const json_t *object, const char *key)
{
	const json_t *value = golden_get(object, key);

	require(json_is_number(value), key);
	return json_number_value(value);
}

size_t golden_rows(const json_t *object, const char *key)
{
	const json_t *value = golden_get(object, key);

	require(json_is_array(value), key);
	return json_array_size(value);
}

/* Appends the numbers of value to out [n] from *used on. */
static void flatten(const json_t *value, double *out, size_t n, size_t *used)
{
	const json_t *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item) flatten(item, out, n, used);
		return;
	}
	require(json_is_number(value) || json_is_null(value), "want a number or null");
	require(*used < n, "too many numbers");
	out[(*used)++] = json_is_null(value) ? -INFINITY : json_number_value(value);
}

void golden_doubles(const json_t *value, double *out, size_t n)
{
	size_t used = 0;

	flatten(value, out, n, &used);
	require(used == n, "too few numbers");
}

void golden_floats(const json_t *value, float *out, size_t n)
{
	double *wide = malloc(n * sizeof(*wide));

	require(wide != NULL, "memory");
	golden_doubles(value, wide, n);
	for (size_t i = 0; i < n; i++)
		out[i] = (float)wide[i];
	free(wide);
}

void golden_bools(const json_t *value, bool *out, size_t n)
{
	require(json_array_size(value) == n, "wrong number of truth values");
	for (size_t i = 0; i < n; i++)
		out[i] = json_is_true(json_array_get(value, i));
}
