/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_shard_index.c - any bytes: refused with a message, or an index that stays in its folder. */
#include <stdlib.h>
#include <string.h>

#include "core/model/shard_index.h"
#include "tests/fuzz/fuzz.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const names[] = {"score.weight", "router.weight", "router.bias", "x"};
	struct err err = {.msg = ""};
	struct shard_index *index;
	enum status status = shard_index_parse(bytes, len, &index, &err);

	if (status != STATUS_OK) {
		require(status == STATUS_BAD_FILE && err.code == status);
		require(strncmp(err.msg, SHARD_INDEX_NAME ": ", sizeof(SHARD_INDEX_NAME) + 1) == 0);
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *shard = shard_index_find(index, names[i]);

		require(shard == NULL || (shard[0] != '\0' && strchr(shard, '/') == NULL &&
					  strcmp(shard, ".") != 0 && strcmp(shard, "..") != 0));
	}
	shard_index_free(index);
	return 0;
}
