/* SPDX-License-Identifier: Apache-2.0 */
/* golden_fixture.h - golden values that tests/golden/ scripts wrote. */
#ifndef TESTS_UNIT_GOLDEN_FIXTURE_H
#define TESTS_UNIT_GOLDEN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* All functions abort with a message where the file is not as expected. */

/** golden_open(path): the file's JSON; the caller releases it with json_decref(). */
json_t *golden_open(const char *path);

/** golden_get(object, key): the member; owned by object. */
const json_t *golden_get(const json_t *object, const char *key);

/** golden_has(object, key): whether the member is there and not null. */
bool golden_has(const json_t *object, const char *key);

/** golden_number(object, key): a number. */
double golden_number(const json_t *object, const char *key);

/** golden_rows(object, key): length of an array. */
size_t golden_rows(const json_t *object, const char *key);

/**
 * golden_doubles(value, out, n): the numbers of an array, nested or not, row by
 * row; null is -inf. There must be exactly n. golden_floats() is the same for floats.
 */
void golden_doubles(const json_t *value, double *out, size_t n);
void golden_floats(const json_t *value, float *out, size_t n);

/** golden_bools(value, out, n): the truth values of an array. */
void golden_bools(const json_t *value, bool *out, size_t n);

#endif
