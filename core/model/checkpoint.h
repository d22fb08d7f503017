/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.h - the tensors of somebody else's checkpoint: a safetensors file, or
 * a Hugging Face folder with model.safetensors or with
 * model.safetensors.index.json and its shards. A shard is opened, and its header
 * checked, when the first of its tensors is asked for.
 */
#ifndef MICRO_MODEL_CHECKPOINT_H
#define MICRO_MODEL_CHECKPOINT_H

#include "core/base/err.h"
#include "core/model/safetensors.h"

struct checkpoint; /* opaque; for one thread */

/* What checkpoint_find() found; both are owned by the checkpoint. */
struct checkpoint_tensor {
	const struct tensor *tensor; /* NULL: there is none of that name */
	const char *file;	     /* name of its file, without folders */
};

/**
 * checkpoint_open(path, checkpoint_out, err): path is a file or a folder; with both
 * model.safetensors and an index in a folder, the former counts, as in transformers.
 * End with checkpoint_close(). Errors: STATUS_IO, STATUS_BAD_FILE, STATUS_NO_MEMORY.
 */
enum status checkpoint_open(const char *path, struct checkpoint **checkpoint_out, struct err *err);

/** checkpoint_close(checkpoint): NULL does nothing. */
void checkpoint_close(struct checkpoint *checkpoint);

/**
 * checkpoint_find(checkpoint, name, found_out, err): that a tensor is not there is no
 * error, but that it is not where the index says is one. Errors as checkpoint_open().
 */
enum status checkpoint_find(struct checkpoint *checkpoint, const char *name,
			    struct checkpoint_tensor *found_out, struct err *err);

/**
 * checkpoint_wrap(checkpoint, found, err): put the tensor's file before a message
 * about it, in a folder; a checkpoint of one file is named by its path anyway.
 */
void checkpoint_wrap(const struct checkpoint *checkpoint, const struct checkpoint_tensor *found,
		     struct err *err);

#endif
