/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_keys.c - any bytes as a key file and as an Authorization header: refused with a message
 * that quotes nothing, or keys that are written and read as themselves. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/credential.h"
#include "server/key_set.h"
#include "tests/fuzz/fuzz.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check_key(const struct api_key *key)
{
	char line[API_KEY_LINE_MAX];
	struct api_key back;

	api_key_line(key, line);
	require(api_key_parse(line, strlen(line), &back, NULL) == STATUS_OK);
	require(strcmp(back.name, key->name) == 0 && back.scopes == key->scopes);
	require(memcmp(back.hash, key->hash, sizeof(key->hash)) == 0);
}

static void try_file(const char *text, size_t len)
{
	struct err err = {.msg = ""};
	struct key_set set;
	enum status status = key_set_parse(text, len, &set, &err);

	if (status != STATUS_OK) {
		require(status == STATUS_BAD_FILE && err.code == status && err.msg[0] != '\0');
		require(set.keys == NULL && set.n_keys == 0);
		return;
	}
	require(set.n_keys >= 1 && set.n_keys <= KEY_SET_MAX);
	for (size_t i = 0; i < set.n_keys; i++)
		check_key(&set.keys[i]);
	require(key_set_find(&set, text, len) == set.n_keys);
	key_set_free(&set);
}

static void try_header(const char *text, size_t len)
{
	char *header = mem_string(text, len);
	struct credential credential;

	require(header != NULL);
	if (credential_read(header, &credential))
		require(credential.len < strlen(header));
	mem_free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	try_file((const char *)bytes, len);
	try_header((const char *)bytes, len);
	return 0;
}
