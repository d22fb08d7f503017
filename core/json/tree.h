/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - a JSON text (RFC 8259) into nodes, strictly and in one pass.
 *
 * Refused are duplicate names in an object, numbers beyond a double, U+0000 in a name, halves of
 * surrogate pairs, nesting deeper than TREE_DEPTH_MAX, and whatever follows the value. An
 * array of numbers becomes float32 without a node for each. Depth costs no stack, and the
 * whole costs at most TREE_MEMORY_FACTOR times the text in memory.
 */
#ifndef MICRO_JSON_TREE_H
#define MICRO_JSON_TREE_H

#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/json/node.h"

#define TREE_DEPTH_MAX	   2048
#define TREE_MEMORY_FACTOR 9

/**
 * tree_parse(text, len, arena, root_out, err): text [len + 1] ends with a NUL and outlives
 * the nodes, whose strings are in it or in arena; they may have U+0000. Errors: STATUS_MALFORMED
 * with line, column and what would be right; STATUS_TOO_LARGE past 4 GiB; STATUS_NO_MEMORY.
 */
enum status tree_parse(const char *text, size_t len, struct arena *arena,
		       const struct node **root_out, struct err *err);

/**
 * tree_parse_integers(text, len, arena, root_out, err): the same for texts whose integers must
 * be exact: what is written as an integer and fits 64 bits is a NODE_INTEGER, and arrays of
 * numbers are a NODE_ARRAY like all others. No string has U+0000: these texts are files', and
 * theirs are names.
 */
enum status tree_parse_integers(const char *text, size_t len, struct arena *arena,
				const struct node **root_out, struct err *err);

#endif
