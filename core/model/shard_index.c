/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/shard_index.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/jsontext.h"
#include "core/base/mem.h"

struct shard_index {
	json_t *json;	    /* the whole file */
	json_t *weight_map; /* part of json: an object of plain file names */
};

static bool is_plain_name(const char *name)
{
	return name[0] != '\0' && strlen(name) <= NAME_MAX && strchr(name, '/') == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum status check_entries(json_t *weight_map, struct err *err)
{
	const char *tensor;
	json_t *value;

	json_object_foreach(weight_map, tensor, value)
	{
		const char *shard = json_string_value(value);

		if (shard == NULL)
			return err_set(err, STATUS_BAD_FILE,
				       SHARD_INDEX_NAME
				       ": weight_map: %s: want a string, the name of a file",
				       tensor);
		if (!is_plain_name(shard))
			return err_set(err, STATUS_BAD_FILE,
				       SHARD_INDEX_NAME ": weight_map: %s: \"%.64s\", want the "
							"plain name of a file in the folder",
				       tensor, shard);
	}
	return STATUS_OK;
}

enum status shard_index_parse(const void *bytes, size_t len, struct shard_index **index_out,
			      struct err *err)
{
	struct shard_index *index = mem_array(1, sizeof(*index));
	enum status status;

	if (index == NULL)
		return err_no_memory(err, SHARD_INDEX_NAME);
	status = jsontext_load(bytes, len, SHARD_INDEX_NAME, &index->json, err);
	if (status == STATUS_OK) {
		index->weight_map = json_object_get(index->json, "weight_map");
		if (!json_is_object(index->weight_map))
			status =
			    err_set(err, STATUS_BAD_FILE,
				    SHARD_INDEX_NAME ": weight_map is missing or not an object");
	}
	if (status == STATUS_OK)
		status = check_entries(index->weight_map, err);
	if (status != STATUS_OK) {
		shard_index_free(index);
		return status;
	}
	*index_out = index;
	return STATUS_OK;
}

void shard_index_free(struct shard_index *index)
{
	if (index == NULL)
		return;
	json_decref(index->json);
	mem_free(index);
}

const char *shard_index_find(const struct shard_index *index, const char *tensor)
{
	return json_string_value(json_object_get(index->weight_map, tensor));
}
