/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/checkpoint.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file_map.h"
#include "core/base/mem.h"
#include "core/model/shard_index.h"

#define SINGLE_NAME "model.safetensors"

struct shard {
	const char *name; /* index's, or of the single file */
	struct safetensors *file;
};

/*
 * Invariants: 1. without an index there is exactly one shard, opened at once.
 *             2. no two shards have the same name.
 */
struct checkpoint {
	char path[PATH_MAX]; /* of the file or the folder */
	bool is_folder;
	struct shard_index *index; /* NULL: a single file */
	struct shard *shards;	   /* [n_shards]: those that are open */
	size_t n_shards;
};

static enum status join_path(const struct checkpoint *checkpoint, const char *name,
			     char path_out[PATH_MAX], struct err *err)
{
	int len = snprintf(path_out, PATH_MAX, "%s/%s", checkpoint->path, name);

	if (len < 0 || len >= PATH_MAX)
		return err_set(err, STATUS_IO, "%s: the path is too long", name);
	return STATUS_OK;
}

/* One more open shard; path is where it lies. */
static enum status add_shard(struct checkpoint *checkpoint, const char *name, const char *path,
			     struct err *err)
{
	size_t n = checkpoint->n_shards;
	struct shard *grown = mem_grow(checkpoint->shards, n, n + 1, sizeof(*checkpoint->shards));
	enum status status;

	if (grown == NULL)
		return err_no_memory(err, "a checkpoint");
	checkpoint->shards = grown;
	grown[n].name = name;
	status = safetensors_open(path, &grown[n].file, err);
	if (status == STATUS_OK)
		checkpoint->n_shards++;
	return status;
}

static enum status open_index(struct checkpoint *checkpoint, const char *path, struct err *err)
{
	struct file_map map;
	enum status status = file_map_open(&map, path, err);

	if (status != STATUS_OK)
		return err_wrap(err, SHARD_INDEX_NAME);
	if (map.len > SAFETENSORS_MAX_HEADER)
		status =
		    err_set(err, STATUS_BAD_FILE, SHARD_INDEX_NAME ": %zu bytes, want at most %u",
			    map.len, SAFETENSORS_MAX_HEADER);
	else
		status = shard_index_parse(map.bytes, map.len, &checkpoint->index, err);
	file_map_close(&map);
	return status;
}

static enum status open_folder(struct checkpoint *checkpoint, struct err *err)
{
	char single[PATH_MAX], index[PATH_MAX];
	struct stat info;
	enum status status = join_path(checkpoint, SINGLE_NAME, single, err);

	if (status == STATUS_OK)
		status = join_path(checkpoint, SHARD_INDEX_NAME, index, err);
	if (status != STATUS_OK)
		return status;
	if (stat(single, &info) == 0) {
		status = add_shard(checkpoint, SINGLE_NAME, single, err);
		return status == STATUS_OK ? status : err_wrap(err, SINGLE_NAME);
	}
	if (stat(index, &info) == 0)
		return open_index(checkpoint, index, err);
	return err_set(err, STATUS_BAD_FILE,
		       "a folder without " SINGLE_NAME " and without " SHARD_INDEX_NAME
		       ", want one of them");
}

/* The last part of a path. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static enum status open_path(struct checkpoint *checkpoint, const char *path, struct err *err)
{
	struct stat info;

	if (strlen(path) >= sizeof(checkpoint->path))
		return err_set(err, STATUS_IO, "the path is too long");
	strcpy(checkpoint->path, path);
	checkpoint->is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
	if (checkpoint->is_folder)
		return open_folder(checkpoint, err);
	return add_shard(checkpoint, base_name(checkpoint->path), path, err);
}

enum status checkpoint_open(const char *path, struct checkpoint **checkpoint_out, struct err *err)
{
	struct checkpoint *checkpoint = mem_array(1, sizeof(*checkpoint));
	enum status status;

	if (checkpoint == NULL)
		return err_no_memory(err, "a checkpoint");
	status = open_path(checkpoint, path, err);
	if (status != STATUS_OK) {
		checkpoint_close(checkpoint);
		return status;
	}
	*checkpoint_out = checkpoint;
	return STATUS_OK;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
	if (checkpoint == NULL)
		return;
	for (size_t i = 0; i < checkpoint->n_shards; i++)
		safetensors_close(checkpoint->shards[i].file);
	mem_free(checkpoint->shards);
	shard_index_free(checkpoint->index);
	mem_free(checkpoint);
}

/* The open shard of that name, opened now if it was not. */
static enum status open_shard(struct checkpoint *checkpoint, const char *name,
			      const struct shard **shard_out, struct err *err)
{
	char path[PATH_MAX];
	enum status status;

	for (size_t i = 0; i < checkpoint->n_shards; i++) {
		if (strcmp(checkpoint->shards[i].name, name) == 0) {
			*shard_out = &checkpoint->shards[i];
			return STATUS_OK;
		}
	}
	status = join_path(checkpoint, name, path, err);
	if (status == STATUS_OK)
		status = add_shard(checkpoint, name, path, err);
	if (status == STATUS_OK)
		*shard_out = &checkpoint->shards[checkpoint->n_shards - 1];
	return status;
}

static enum status find_by_index(struct checkpoint *checkpoint, const char *name,
				 struct checkpoint_tensor *found_out, struct err *err)
{
	const char *file = shard_index_find(checkpoint->index, name);
	const struct shard *shard;
	enum status status;

	*found_out = (struct checkpoint_tensor){.file = file};
	if (file == NULL)
		return STATUS_OK;
	status = open_shard(checkpoint, file, &shard, err);
	if (status != STATUS_OK)
		return err_wrap(err, "%s: %s, which the index names for it", name, file);
	found_out->tensor = safetensors_find(shard->file, name);
	if (found_out->tensor != NULL)
		return STATUS_OK;
	return err_set(err, STATUS_BAD_FILE,
		       "%s: tensor %s is missing, which the index says is here", file, name);
}

enum status checkpoint_find(struct checkpoint *checkpoint, const char *name,
			    struct checkpoint_tensor *found_out, struct err *err)
{
	if (checkpoint->index != NULL)
		return find_by_index(checkpoint, name, found_out, err);
	*found_out = (struct checkpoint_tensor){
	    .tensor = safetensors_find(checkpoint->shards[0].file, name),
	    .file = checkpoint->shards[0].name,
	};
	return STATUS_OK;
}

void checkpoint_wrap(const struct checkpoint *checkpoint, const struct checkpoint_tensor *found,
		     struct err *err)
{
	if (checkpoint->is_folder)
		err_wrap(err, "%s", found->file);
}
