/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapped_rows.h - rows of numbers that stay in a file, which may be larger than memory and
 * than the address space: blocks of consecutive rows are mapped as they are asked for, and
 * the ones mapped longest ago are unmapped again, unless there is room for all.
 */
#ifndef MICRO_ENCODE_MAPPED_ROWS_H
#define MICRO_ENCODE_MAPPED_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/dtype.h"
#include "core/base/err.h"

#define MAPPED_ROWS_BLOCK     ((size_t)512 << 10) /* bytes of a block, or one row if that is more */
#define MAPPED_ROWS_WINDOW    64 /* blocks mapped at most, of each part, where not all are */
#define MAPPED_ROWS_MAX_PARTS 2

/* Blocks that all stay mapped. Each makes two mappings, of which the system lets a process have
 * 65,530 (vm.max_map_count), and prompts may have as many as responses. */
#define MAPPED_ROWS_MOST 8192

/* A tensor [n_rows, dim] of the file. Part p's rows are counted on after those of p - 1. */
struct mapped_part {
	const char *name; /* for errors; static */
	uint64_t offset;  /* of its first byte in the file */
	size_t n_rows;
};

struct mapped_rows; /* opaque */

/**
 * mapped_rows_open(path, dtype, dim, parts, n_parts, room, rows_out, err): dtype is a float
 * one, n_parts <= MAPPED_ROWS_MAX_PARTS; the parts lie within the file. Whatever needs no more
 * than room bytes of addresses, and MAPPED_ROWS_MOST blocks, stays mapped. mapped_rows_close()
 * releases. Errors: STATUS_IO, STATUS_NO_MEMORY.
 */
enum status mapped_rows_open(const char *path, enum dtype dtype, size_t dim,
			     const struct mapped_part *parts, size_t n_parts, size_t room,
			     struct mapped_rows **rows_out, struct err *err);

/** mapped_rows_close(rows): NULL does nothing. */
void mapped_rows_close(struct mapped_rows *rows);

/**
 * mapped_rows_gather(rows, index, n, out, err): out [n, dim] = the rows index [n], as float.
 * Rows of few blocks at a time cost least. Several threads may gather at once. Errors:
 * STATUS_NOT_FINITE naming part, row (from 1) and number; STATUS_IO, also when the file has become
 * shorter.
 */
enum status mapped_rows_gather(struct mapped_rows *rows, const uint32_t *index, size_t n,
			       float *out, struct err *err);

/**
 * mapped_rows_differences(rows, index, n, out, err): out [n, dim] = row index[2i] - row
 * index[2i + 1], i < n; otherwise as mapped_rows_gather().
 */
enum status mapped_rows_differences(struct mapped_rows *rows, const uint32_t *index, size_t n,
				    float *out, struct err *err);

/**
 * mapped_rows_expect(rows, part, begin, n_rows): rows begin, begin + 1, ... of the part are
 * wanted soon: the system may read them ahead, unless the first one's block is mapped, which
 * asked for it. A hint; takes no memory of ours.
 */
void mapped_rows_expect(struct mapped_rows *rows, size_t part, size_t begin, size_t n_rows);

/** mapped_rows_block(rows): rows of a block. */
size_t mapped_rows_block(const struct mapped_rows *rows);

/** mapped_rows_window(rows): bytes that are mapped at most. */
size_t mapped_rows_window(const struct mapped_rows *rows);

#endif
