/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.h - preference pairs from JSON lines or a features file (schema/preference.md):
 *   {"prompt":"...","chosen":"...","rejected":"...","user":"...","context":"..."}
 * user and context are optional. A text may be replaced by a vector:
 * [0.1, ...] or {"embedding": [...]} or {"embedding": "<base64 float32>"}.
 * Plain or gzip-compressed files.
 *
 * Equal texts are kept once: people judge the same statements over and over. The vectors
 * of a features file stay on disk, and each pair has its own (features_file.h).
 */
#ifndef MICRO_DATA_DATASET_H
#define MICRO_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/base/err.h"
#include "core/encode/encoder.h"
#include "core/encode/features.h"

#define DATASET_NONE	  UINT32_MAX
#define DATASET_MAX_LINE  (64u << 20)	      /* bytes; a longer line is refused */
#define DATASET_MAX_PAIRS ((size_t)INT32_MAX) /* two responses each, counted in 32 bits */

/*
 * Pairs ready for training or evaluation: features of each distinct response
 * text and prompt text, and per pair which rows it is made of.
 */
struct dataset {
	struct features phi; /* [n distinct response texts, dim] */
	struct features psi; /* [n distinct router texts, dim] */
	size_t n_pairs;
	uint32_t *chosen;   /* [n_pairs]: row of phi */
	uint32_t *rejected; /* [n_pairs]: row of phi */
	uint32_t *prompt;   /* [n_pairs]: row of psi */
	uint32_t *user;	    /* [n_pairs]: index of user_names, or DATASET_NONE */
	uint32_t *context;  /* [n_pairs]: index of context_names, or DATASET_NONE */
	char **user_names;  /* [n_users], in order of first appearance */
	size_t n_users;
	char **context_names; /* [n_contexts], in order of first appearance */
	size_t n_contexts;
	const char *dtype; /* of a features file's vectors, "BF16"; static; NULL: of no such file */
	char sha256[DIGEST_HEX_LEN + 1]; /* of the uncompressed JSON lines, if they are known */
};

/**
 * dataset_read(path, encoder, template_phi, template_psi, dataset_out, err):
 * read all pairs and encode their texts, or, if the file begins as a safetensors file,
 * features_file_read(). Unknown fields are ignored (trainers'
 * files have many); a fault names path, line, column or JSON pointer, and what
 * would be right. An empty file is STATUS_INVALID_VALUE. A file has either texts
 * or vectors, not both; vectors stand for phi and psi themselves and a missing
 * prompt vector is an error, a missing prompt text is the empty text. A pair of two
 * equal responses is kept, because real files have some: it teaches nothing and
 * counts as a tie.
 * On error nothing is owned. dataset_free() releases.
 */
enum status dataset_read(const char *path, const struct encoder *encoder, const char *template_phi,
			 const char *template_psi, struct dataset *dataset_out, struct err *err);

/** dataset_free(dataset): a zeroed dataset is allowed. */
void dataset_free(struct dataset *dataset);

/**
 * dataset_block(dataset): pairs side by side that are best read together, as a features
 * file's are; 0: their vectors are in memory.
 */
size_t dataset_block(const struct dataset *dataset);

/**
 * dataset_expect(dataset, begin, n): the vectors of a features file's pairs begin .. begin + n
 * are wanted soon, in this order: a hint.
 */
void dataset_expect(const struct dataset *dataset, size_t begin, size_t n);

/**
 * dataset_by_user(dataset, order_out, start_out, err): pairs grouped by user,
 * file order kept within each: user u has order_out[start_out[u] ..
 * start_out[u+1]). Pairs without a user are each a user of their own, after the
 * named ones. Both arrays are new (mem_free()); n_groups_out = number of groups.
 */
enum status dataset_by_user(const struct dataset *dataset, uint32_t **order_out, size_t **start_out,
			    size_t *n_groups_out, struct err *err);

#endif
