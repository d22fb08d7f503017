/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/mapped_rows.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"

#define NO_SLOT 0 /* in slot_of; slots are counted from 1 there */

/* A mapped block. */
struct slot {
	void *map; /* NULL: free */
	size_t map_len;
	const unsigned char *bytes; /* of the block's first row, in map */
	size_t block;
	uint64_t used;	/* the clock when it was last asked for */
	size_t readers; /* threads that copy from it now: it stays */
};

/* Invariant: slot_of[slots[s].block] = s + 1 for every slot that is not free. */
struct mapped_rows {
	int fd;
	enum dtype dtype;
	size_t dim, row_bytes, block_rows;
	struct mapped_part parts[MAPPED_ROWS_MAX_PARTS];
	size_t n_parts;
	size_t first_block[MAPPED_ROWS_MAX_PARTS + 1]; /* of each part, then their number */
	pthread_mutex_t lock;			       /* guards what follows */
	struct slot slots[MAPPED_ROWS_MAX_PARTS * MAPPED_ROWS_WINDOW];
	uint8_t *slot_of; /* [number of blocks] */
	uint64_t clock;
	pthread_cond_t released; /* a slot without readers */
};

_Static_assert(MAPPED_ROWS_MAX_PARTS *MAPPED_ROWS_WINDOW <= UINT8_MAX, "slot_of holds a slot");

static void set_parts(struct mapped_rows *rows, const struct mapped_part *parts, size_t n_parts)
{
	rows->n_parts = n_parts;
	for (size_t p = 0; p < n_parts; p++) {
		size_t n_blocks = (parts[p].n_rows + rows->block_rows - 1) / rows->block_rows;

		rows->parts[p] = parts[p];
		rows->first_block[p + 1] = rows->first_block[p] + n_blocks;
	}
}

enum status mapped_rows_open(const char *path, enum dtype dtype, size_t dim,
			     const struct mapped_part *parts, size_t n_parts,
			     struct mapped_rows **rows_out, struct err *err)
{
	struct mapped_rows *rows = mem_array(1, sizeof(*rows));

	assert(n_parts <= MAPPED_ROWS_MAX_PARTS);
	if (rows == NULL)
		return err_no_memory(err, "mapped rows");
	rows->dtype = dtype;
	rows->dim = dim;
	rows->row_bytes = dim * dtype_size(dtype);
	rows->block_rows = MAPPED_ROWS_BLOCK / rows->row_bytes;
	if (rows->block_rows == 0)
		rows->block_rows = 1;
	set_parts(rows, parts, n_parts);
	rows->slot_of = mem_array(rows->first_block[n_parts], sizeof(*rows->slot_of));
	if (rows->slot_of == NULL) {
		mem_free(rows);
		return err_no_memory(err, "mapped rows");
	}
	rows->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (rows->fd < 0) {
		mem_free(rows->slot_of);
		mem_free(rows);
		return err_errno(err, STATUS_IO, "open");
	}
	pthread_mutex_init(&rows->lock, NULL);
	pthread_cond_init(&rows->released, NULL);
	*rows_out = rows;
	return STATUS_OK;
}

static void unmap(struct mapped_rows *rows, struct slot *slot)
{
	if (slot->map == NULL)
		return;
	munmap(slot->map, slot->map_len);
	rows->slot_of[slot->block] = NO_SLOT;
	slot->map = NULL;
}

void mapped_rows_close(struct mapped_rows *rows)
{
	if (rows == NULL)
		return;
	for (size_t s = 0; s < rows->n_parts * MAPPED_ROWS_WINDOW; s++)
		unmap(rows, &rows->slots[s]);
	pthread_cond_destroy(&rows->released);
	pthread_mutex_destroy(&rows->lock);
	close(rows->fd);
	mem_free(rows->slot_of);
	mem_free(rows);
}

/* Where rows [begin, begin + n_rows) of a part lie in the file. */
static void byte_range(const struct mapped_rows *rows, const struct mapped_part *part, size_t begin,
		       size_t n_rows, uint64_t *offset_out, size_t *len_out)
{
	if (n_rows > part->n_rows - begin)
		n_rows = part->n_rows - begin;
	*offset_out = part->offset + (uint64_t)begin * rows->row_bytes;
	*len_out = n_rows * rows->row_bytes;
}

/* Touching a page behind the end of the file would end the process. */
static enum status check_length(const struct mapped_rows *rows, const struct mapped_part *part,
				uint64_t end, struct err *err)
{
	struct stat info;

	if (fstat(rows->fd, &info) != 0)
		return err_errno(err, STATUS_IO, "stat");
	if ((uint64_t)info.st_size < end)
		return err_set(err, STATUS_IO,
			       "%s: the file has become shorter while it was read: %lld bytes",
			       part->name, (long long)info.st_size);
	return STATUS_OK;
}

static enum status map_block(struct mapped_rows *rows, struct slot *slot,
			     const struct mapped_part *part, size_t block_in_part, size_t block,
			     struct err *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), offset, begin;
	size_t len;
	enum status status;
	void *map;

	byte_range(rows, part, block_in_part * rows->block_rows, rows->block_rows, &offset, &len);
	status = check_length(rows, part, offset + len, err);
	if (status != STATUS_OK)
		return status;
	begin = offset / page * page;
	len += (size_t)(offset - begin);
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, rows->fd, (off_t)begin);
	if (map == MAP_FAILED && errno == ENOMEM)
		return err_no_memory(err, "a window of the features file");
	if (map == MAP_FAILED)
		return err_errno(err, STATUS_IO, "map");
	/* the block is read as a whole: not page by page, in the order of the rows asked for */
	madvise(map, len, MADV_WILLNEED);
	*slot = (struct slot){.map = map,
			      .map_len = len,
			      .bytes = (const unsigned char *)map + (offset - begin),
			      .block = block};
	rows->slot_of[block] = (uint8_t)(slot - rows->slots + 1);
	return STATUS_OK;
}

/* A free one, or else the one not asked for the longest; NULL if all have readers. */
static struct slot *choose_slot(struct mapped_rows *rows)
{
	struct slot *oldest = NULL;

	for (size_t s = 0; s < rows->n_parts * MAPPED_ROWS_WINDOW; s++) {
		struct slot *slot = &rows->slots[s];

		if (slot->map == NULL)
			return slot;
		if (slot->readers == 0 && (oldest == NULL || slot->used < oldest->used))
			oldest = slot;
	}
	return oldest;
}

/* The slot of a block, mapped and with one reader more; the lock is held. */
static enum status take_slot(struct mapped_rows *rows, const struct mapped_part *part,
			     size_t block_in_part, size_t block, struct slot **slot_out,
			     struct err *err)
{
	struct slot *slot;

	while (rows->slot_of[block] == NO_SLOT) {
		enum status status;

		slot = choose_slot(rows);
		if (slot == NULL) {
			pthread_cond_wait(&rows->released, &rows->lock);
			continue;
		}
		unmap(rows, slot);
		status = map_block(rows, slot, part, block_in_part, block, err);
		if (status != STATUS_OK)
			return status;
	}
	slot = &rows->slots[rows->slot_of[block] - 1];
	slot->used = ++rows->clock;
	slot->readers++;
	*slot_out = slot;
	return STATUS_OK;
}

static enum status take(struct mapped_rows *rows, size_t p, size_t row, struct slot **slot_out,
			struct err *err)
{
	size_t block_in_part = row / rows->block_rows;
	enum status status;

	pthread_mutex_lock(&rows->lock);
	status = take_slot(rows, &rows->parts[p], block_in_part,
			   rows->first_block[p] + block_in_part, slot_out, err);
	pthread_mutex_unlock(&rows->lock);
	return status;
}

static void release(struct mapped_rows *rows, struct slot *slot)
{
	pthread_mutex_lock(&rows->lock);
	if (--slot->readers == 0)
		pthread_cond_signal(&rows->released);
	pthread_mutex_unlock(&rows->lock);
}

static enum status read_row(struct mapped_rows *rows, size_t row, float *out, struct err *err)
{
	struct slot *slot;
	enum status status;
	size_t p = 0, bad;

	while (row >= rows->parts[p].n_rows)
		row -= rows->parts[p++].n_rows;
	status = take(rows, p, row, &slot, err);
	if (status != STATUS_OK)
		return status;
	dtype_to_floats(rows->dtype, slot->bytes + row % rows->block_rows * rows->row_bytes,
			rows->dim, out);
	release(rows, slot);
	if (all_finite_f(out, rows->dim, &bad))
		return STATUS_OK;
	return err_set(err, STATUS_NOT_FINITE, "%s: pair %zu: number %zu is not finite",
		       rows->parts[p].name, row + 1, bad);
}

enum status mapped_rows_gather(struct mapped_rows *rows, const uint32_t *index, size_t n,
			       float *out, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n && status == STATUS_OK; i++)
		status = read_row(rows, index[i], out + i * rows->dim, err);
	return status;
}

void mapped_rows_expect(const struct mapped_rows *rows, size_t part, size_t begin, size_t n_rows)
{
	uint64_t offset;
	size_t len;

	byte_range(rows, &rows->parts[part], begin, n_rows, &offset, &len);
	(void)posix_fadvise(rows->fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
}

size_t mapped_rows_block(const struct mapped_rows *rows)
{
	return rows->block_rows;
}

size_t mapped_rows_window(const struct mapped_rows *rows)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n_blocks = 0;

	for (size_t p = 0; p < rows->n_parts; p++) {
		size_t n = rows->first_block[p + 1] - rows->first_block[p];

		n_blocks += n < MAPPED_ROWS_WINDOW ? n : MAPPED_ROWS_WINDOW;
	}
	/* a block begins and ends anywhere in a page */
	return n_blocks * (rows->block_rows * rows->row_bytes + 2 * page);
}
