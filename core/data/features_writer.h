/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features_writer.h - preference pairs in, a features file out (features_file.h): the texts
 * are encoded once, instead of at every reading.
 */
#ifndef MICRO_DATA_FEATURES_WRITER_H
#define MICRO_DATA_FEATURES_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/digest.h"
#include "core/base/dtype.h"
#include "core/base/err.h"
#include "core/encode/encoder.h"

/* What to make of what; owned by the caller. */
struct features_recipe {
	const char *data; /* JSON lines */
	const char *out;
	const struct encoder *encoder;
	const char *template_phi, *template_psi;
	enum dtype dtype; /* of the vectors: DTYPE_F32, DTYPE_F16 or DTYPE_BF16 */
};

/* What a progress callback sees: first all pairs are checked and counted, then encoded. */
struct features_progress {
	size_t n_pairs;	  /* 0: they are being counted */
	size_t n_done;	  /* counted, or encoded */
	size_t n_resumed; /* of n_done: by an earlier run */
};

/** features_progress_fn(context, progress): false asks to stop (STATUS_INTERRUPTED). */
typedef bool features_progress_fn(void *context, const struct features_progress *progress);

struct features_written {
	size_t n_pairs, n_users, n_contexts;
	size_t n_resumed;		 /* pairs that an earlier, interrupted run had encoded */
	uint64_t n_bytes;		 /* of the file */
	char sha256[DIGEST_HEX_LEN + 1]; /* of the uncompressed data */
};

/**
 * features_write(recipe, progress, context, written_out, err): the same recipe gives the same
 * bytes. Interrupted, or killed at any moment, it leaves out.part, and the same call goes on
 * from there (features_part.h); out itself appears when it is complete. progress may be
 * NULL. Errors: pair_reader_next()'s; STATUS_INVALID_VALUE (no pairs; a number too large
 * for dtype, by line and field; out.part of another recipe; the data changed meanwhile),
 * STATUS_TOO_LARGE (pairs; names longer than a header may be), STATUS_INTERRUPTED,
 * STATUS_IO, STATUS_NO_MEMORY.
 */
enum status features_write(const struct features_recipe *recipe, features_progress_fn *progress,
			   void *context, struct features_written *written_out, struct err *err);

#endif
