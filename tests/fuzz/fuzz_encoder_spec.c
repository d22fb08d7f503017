/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_encoder_spec.c - any text as the name of an encoder, which a model file may have: refused
 * with a message, or canonical, and then the same again; its fields are the members of a JSON
 * object. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/base/mem.h"
#include "core/encode/encoder_spec.h"
#include "tests/fuzz/fuzz.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_members(const struct encoder_spec *spec)
{
	static char object[sizeof(spec->members) + 3];
	json_t *json;

	snprintf(object, sizeof(object), "{%s}", spec->members);
	json = json_loads(object, JSON_REJECT_DUPLICATES, NULL);
	require(json_is_object(json));
	require(json_object_get(json, "input") == NULL && json_object_get(json, "inputs") == NULL);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct encoder_spec spec, again;
	char *text = mem_string((const char *)bytes, len);
	struct err err = {.msg = ""};
	enum status status;

	require(text != NULL);
	status = encoder_spec_parse(text, &spec, &err);
	if (status == STATUS_OK) {
		check_members(&spec);
		require(spec.dim >= ENCODER_MIN_DIM && spec.dim <= ENCODER_MAX_DIM);
		require(encoder_spec_parse(spec.text, &again, NULL) == STATUS_OK);
		require(strcmp(again.text, spec.text) == 0);
		require(strcmp(again.members, spec.members) == 0);
	} else {
		require(status == STATUS_INVALID_VALUE && err.msg[0] != '\0');
	}
	mem_free(text);
	return 0;
}
