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

/*
 * Slots that are emptied at once. Unmapping interrupts every processor that runs a thread
 * of ours, which costs more than all else that a block needs.
 */
#define GENERATION 16

/* Where a block is mapped. */
struct slot {
	const unsigned char *bytes; /* of the block's first row; NULL: not mapped (yet) */
	size_t block;
	size_t readers; /* threads that copy from it now: it stays */
};

/*
 * The slots lie side by side in memory set aside for them and are filled in turn; the
 * generation that comes next is emptied first, so the blocks mapped longest ago make room.
 * Invariant: slot_of[slots[s].block] = s + 1 for every slot that is mapped or being mapped.
 */
struct mapped_rows {
	int fd;
	enum dtype dtype;
	size_t dim, row_bytes, block_rows;
	struct mapped_part parts[MAPPED_ROWS_MAX_PARTS];
	size_t n_parts;
	size_t first_block[MAPPED_ROWS_MAX_PARTS + 1]; /* of each part, then their number */
	unsigned char *memory;			       /* [n_slots * slot_bytes] */
	size_t n_slots, slot_bytes;
	pthread_mutex_t lock; /* guards what follows */
	struct slot slots[MAPPED_ROWS_MAX_PARTS * MAPPED_ROWS_WINDOW];
	uint8_t *slot_of;	/* [number of blocks] */
	size_t next;		/* slot that is filled next */
	bool is_emptying;	/* its generation is being unmapped */
	pthread_cond_t changed; /* a slot is mapped, or has lost its last reader */
};

_Static_assert(MAPPED_ROWS_MAX_PARTS *MAPPED_ROWS_WINDOW <= UINT8_MAX, "slot_of holds a slot");

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Parts, their blocks, and how many slots of which size are worth it. */
static void set_parts(struct mapped_rows *rows, const struct mapped_part *parts, size_t n_parts)
{
	size_t page = page_size();

	rows->n_parts = n_parts;
	for (size_t p = 0; p < n_parts; p++) {
		size_t n_blocks = (parts[p].n_rows + rows->block_rows - 1) / rows->block_rows;

		rows->parts[p] = parts[p];
		rows->first_block[p + 1] = rows->first_block[p] + n_blocks;
		rows->n_slots += n_blocks < MAPPED_ROWS_WINDOW ? n_blocks : MAPPED_ROWS_WINDOW;
	}
	/* a block begins and ends anywhere in a page */
	rows->slot_bytes = (rows->block_rows * rows->row_bytes / page + 2) * page;
}

static void *set_aside(void *at, size_t len, int fixed)
{
	return mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
}

/*
 * Held for moments, by every thread for every row: whoever finds it taken looks again a few
 * times before it sleeps, which would take longer than all the others' moments.
 */
static void make_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

static enum status make_slots(struct mapped_rows *rows, struct err *err)
{
	size_t len;
	void *memory;

	rows->slot_of = mem_array(rows->first_block[rows->n_parts], sizeof(*rows->slot_of));
	if (rows->slot_of == NULL || !mem_mul(rows->n_slots, rows->slot_bytes, &len))
		return err_no_memory(err, "mapped rows");
	if (len == 0)
		return STATUS_OK;
	memory = set_aside(NULL, len, 0);
	if (memory == MAP_FAILED)
		return err_no_memory(err, "windows of the features file");
	rows->memory = memory;
	return STATUS_OK;
}

enum status mapped_rows_open(const char *path, enum dtype dtype, size_t dim,
			     const struct mapped_part *parts, size_t n_parts,
			     struct mapped_rows **rows_out, struct err *err)
{
	struct mapped_rows *rows = mem_array(1, sizeof(*rows));
	enum status status;

	assert(n_parts <= MAPPED_ROWS_MAX_PARTS);
	if (rows == NULL)
		return err_no_memory(err, "mapped rows");
	rows->dtype = dtype;
	rows->dim = dim;
	rows->row_bytes = dim * dtype_size(dtype);
	rows->block_rows = MAPPED_ROWS_BLOCK / rows->row_bytes;
	if (rows->block_rows == 0)
		rows->block_rows = 1;
	make_lock(&rows->lock);
	pthread_cond_init(&rows->changed, NULL);
	set_parts(rows, parts, n_parts);
	rows->fd = open(path, O_RDONLY | O_CLOEXEC);
	status = rows->fd < 0 ? err_errno(err, STATUS_IO, "open") : make_slots(rows, err);
	if (status != STATUS_OK) {
		mapped_rows_close(rows);
		return status;
	}
	*rows_out = rows;
	return STATUS_OK;
}

void mapped_rows_close(struct mapped_rows *rows)
{
	if (rows == NULL)
		return;
	if (rows->memory != NULL)
		munmap(rows->memory, rows->n_slots * rows->slot_bytes);
	pthread_cond_destroy(&rows->changed);
	pthread_mutex_destroy(&rows->lock);
	if (rows->fd >= 0)
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

/* Map a block at an empty slot; bytes_out: where its first row is. */
static enum status map_block(const struct mapped_rows *rows, size_t s,
			     const struct mapped_part *part, size_t block_in_part,
			     const unsigned char **bytes_out, struct err *err)
{
	uint64_t page = page_size(), offset, begin;
	unsigned char *map = rows->memory + s * rows->slot_bytes;
	size_t len;
	enum status status;

	byte_range(rows, part, block_in_part * rows->block_rows, rows->block_rows, &offset, &len);
	status = check_length(rows, part, offset + len, err);
	if (status != STATUS_OK)
		return status;
	begin = offset / page * page;
	len += (size_t)(offset - begin);
	if (mmap(map, len, PROT_READ, MAP_SHARED | MAP_FIXED, rows->fd, (off_t)begin) == MAP_FAILED)
		return errno == ENOMEM ? err_no_memory(err, "a window of the features file")
				       : err_errno(err, STATUS_IO, "map");
	/* the block is read as a whole: not page by page, in the order of the rows asked for */
	madvise(map, len, MADV_WILLNEED);
	*bytes_out = map + (offset - begin);
	return STATUS_OK;
}

/* Slots of the generation that begins with slot first. */
static size_t generation_size(const struct mapped_rows *rows, size_t first)
{
	return rows->n_slots - first < GENERATION ? rows->n_slots - first : GENERATION;
}

static bool has_readers(const struct mapped_rows *rows, size_t first)
{
	for (size_t s = first; s < first + generation_size(rows, first); s++) {
		if (rows->slots[s].readers > 0)
			return true;
	}
	return false;
}

/* Forget the blocks of a generation without readers; true if it had any. */
static bool forget_generation(struct mapped_rows *rows, size_t first)
{
	bool had_any = false;

	for (size_t s = first; s < first + generation_size(rows, first); s++) {
		if (rows->slots[s].bytes == NULL)
			continue;
		rows->slot_of[rows->slots[s].block] = NO_SLOT;
		rows->slots[s].bytes = NULL;
		had_any = true;
	}
	return had_any;
}

static enum status unmap_generation(const struct mapped_rows *rows, size_t first, struct err *err)
{
	if (set_aside(rows->memory + first * rows->slot_bytes,
		      generation_size(rows, first) * rows->slot_bytes, MAP_FIXED) == MAP_FAILED)
		return err_no_memory(err, "windows of the features file");
	return STATUS_OK;
}

/*
 * Map a block into the next slot, with the caller as its reader. The lock is held, but not
 * while the system works: who reads what is mapped goes on.
 */
static enum status fill_slot(struct mapped_rows *rows, const struct mapped_part *part,
			     size_t block_in_part, size_t block, struct err *err)
{
	size_t s = rows->next;
	const unsigned char *bytes = NULL;
	bool empties = s % GENERATION == 0 && forget_generation(rows, s);
	enum status status = STATUS_OK;

	rows->is_emptying = empties;
	rows->next = (s + 1) % rows->n_slots;
	rows->slots[s] = (struct slot){.block = block, .readers = 1};
	rows->slot_of[block] = (uint8_t)(s + 1);
	pthread_mutex_unlock(&rows->lock);
	if (empties)
		status = unmap_generation(rows, s, err);
	if (status == STATUS_OK)
		status = map_block(rows, s, part, block_in_part, &bytes, err);
	pthread_mutex_lock(&rows->lock);
	if (empties)
		rows->is_emptying = false;
	rows->slots[s].bytes = bytes;
	if (status != STATUS_OK) {
		rows->slots[s].readers = 0;
		rows->slot_of[block] = NO_SLOT;
	}
	pthread_cond_broadcast(&rows->changed);
	return status;
}

/* Whether the next slot has to wait: for its generation's readers, or until it is unmapped. */
static bool must_wait(const struct mapped_rows *rows)
{
	return rows->is_emptying || (rows->next % GENERATION == 0 && has_readers(rows, rows->next));
}

static enum status take(struct mapped_rows *rows, size_t p, size_t row, struct slot **slot_out,
			struct err *err)
{
	size_t block_in_part = row / rows->block_rows;
	size_t block = rows->first_block[p] + block_in_part;
	enum status status = STATUS_OK;

	pthread_mutex_lock(&rows->lock);
	while (rows->slot_of[block] == NO_SLOT
		   ? must_wait(rows)
		   : rows->slots[rows->slot_of[block] - 1].bytes == NULL)
		pthread_cond_wait(&rows->changed, &rows->lock);
	if (rows->slot_of[block] == NO_SLOT)
		status = fill_slot(rows, &rows->parts[p], block_in_part, block, err);
	else
		rows->slots[rows->slot_of[block] - 1].readers++;
	if (status == STATUS_OK)
		*slot_out = &rows->slots[rows->slot_of[block] - 1];
	pthread_mutex_unlock(&rows->lock);
	return status;
}

static void release(struct mapped_rows *rows, struct slot *slot)
{
	pthread_mutex_lock(&rows->lock);
	if (--slot->readers == 0)
		pthread_cond_broadcast(&rows->changed);
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
	return rows->n_slots * rows->slot_bytes;
}
