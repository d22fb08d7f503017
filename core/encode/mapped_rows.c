/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/mapped_rows.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
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

#define TAKE	   32  /* rows taken at once */
#define PIECE	   256 /* numbers of a row that go through the cache together */
#define CACHE_LINE 64

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
	pthread_mutex_t lock;	/* guards what follows */
	struct slot *slots;	/* [n_slots] */
	uint32_t *slot_of;	/* [number of blocks] */
	size_t next;		/* slot that is filled next */
	bool is_emptying;	/* its generation is being unmapped */
	pthread_cond_t changed; /* a slot is mapped, or has lost its last reader */
};

/* A row, and its first byte while a thread reads it. */
struct place {
	size_t part, row, block;
	const unsigned char *bytes;
};

/* Rows whose blocks stay as they are. */
struct taken {
	size_t n;
	struct place places[TAKE];
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Parts, their blocks, and how many slots of which size are worth it. */
static void set_parts(struct mapped_rows *rows, const struct mapped_part *parts, size_t n_parts,
		      size_t room)
{
	size_t page = page_size();

	/* a block begins and ends anywhere in a page */
	rows->slot_bytes = (rows->block_rows * rows->row_bytes / page + 2) * page;
	rows->n_parts = n_parts;
	for (size_t p = 0; p < n_parts; p++) {
		size_t n_blocks = (parts[p].n_rows + rows->block_rows - 1) / rows->block_rows;

		rows->parts[p] = parts[p];
		rows->first_block[p + 1] = rows->first_block[p] + n_blocks;
		rows->n_slots += n_blocks < MAPPED_ROWS_WINDOW ? n_blocks : MAPPED_ROWS_WINDOW;
	}
	if (rows->first_block[n_parts] <= room / rows->slot_bytes &&
	    rows->first_block[n_parts] <= MAPPED_ROWS_MOST)
		rows->n_slots = rows->first_block[n_parts];
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
	rows->slots = mem_array(rows->n_slots, sizeof(*rows->slots));
	if (rows->slot_of == NULL || rows->slots == NULL ||
	    !mem_mul(rows->n_slots, rows->slot_bytes, &len))
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
			     const struct mapped_part *parts, size_t n_parts, size_t room,
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
	set_parts(rows, parts, n_parts, room);
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
	mem_free(rows->slots);
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

/* Map a block at an empty slot; bytes_out: where its first row is. */
static enum status map_block(const struct mapped_rows *rows, size_t s,
			     const struct mapped_part *part, size_t block_in_part,
			     const unsigned char **bytes_out, struct err *err)
{
	uint64_t page = page_size(), offset, begin;
	unsigned char *map = rows->memory + s * rows->slot_bytes;
	size_t len;

	byte_range(rows, part, block_in_part * rows->block_rows, rows->block_rows, &offset, &len);
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
	rows->slot_of[block] = (uint32_t)(s + 1);
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

/* Where a row is: part, row of the part, block of all. */
static struct place locate(const struct mapped_rows *rows, size_t row)
{
	struct place place = {.row = row};

	while (place.row >= rows->parts[place.part].n_rows)
		place.row -= rows->parts[place.part++].n_rows;
	place.block = rows->first_block[place.part] + place.row / rows->block_rows;
	return place;
}

/* Where the first byte after a row is in the file. */
static uint64_t row_end(const struct mapped_rows *rows, const struct place *place)
{
	return rows->parts[place->part].offset + (uint64_t)(place->row + 1) * rows->row_bytes;
}

/*
 * Where the first of the rows index [n] are, n_out of them, all within the file as it is now:
 * touching a page behind its end would end the process.
 */
static enum status locate_some(const struct mapped_rows *rows, const uint32_t *index, size_t n,
			       struct place *places, size_t *n_out, struct err *err)
{
	struct stat info;

	assert(n > 0);
	if (fstat(rows->fd, &info) != 0)
		return err_errno(err, STATUS_IO, "stat");
	for (*n_out = 0; *n_out < n && *n_out < TAKE; (*n_out)++) {
		struct place *place = &places[*n_out];

		*place = locate(rows, index[*n_out]);
		if (row_end(rows, place) <= (uint64_t)info.st_size)
			continue;
		if (*n_out > 0)
			break;
		return err_set(err, STATUS_IO,
			       "%s: the file has become shorter while it was read: %lld bytes",
			       rows->parts[place->part].name, (long long)info.st_size);
	}
	return STATUS_OK;
}

static struct slot *slot_of(struct mapped_rows *rows, size_t block)
{
	return rows->slot_of[block] == NO_SLOT ? NULL : &rows->slots[rows->slot_of[block] - 1];
}

/* The lock is held. Waits for the block of a place, or maps it; the caller is its reader. */
static enum status await_block(struct mapped_rows *rows, const struct place *place, struct err *err)
{
	struct slot *slot;

	while ((slot = slot_of(rows, place->block)) == NULL ? must_wait(rows) : slot->bytes == NULL)
		pthread_cond_wait(&rows->changed, &rows->lock);
	if (slot == NULL)
		return fill_slot(rows, &rows->parts[place->part], place->row / rows->block_rows,
				 place->block, err);
	slot->readers++;
	return STATUS_OK;
}

/*
 * Take the first of the rows index [n], n >= 1, and those after it whose blocks are mapped
 * already: a thread that waits has nothing that others could be waiting for.
 */
static enum status take(struct mapped_rows *rows, const uint32_t *index, size_t n,
			struct taken *taken, struct err *err)
{
	size_t n_within;
	enum status status = locate_some(rows, index, n, taken->places, &n_within, err);

	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&rows->lock);
	status = await_block(rows, &taken->places[0], err);
	taken->n = 0;
	while (status == STATUS_OK && taken->n < n_within) {
		struct place *place = &taken->places[taken->n];
		struct slot *slot = slot_of(rows, place->block);

		if (slot == NULL || slot->bytes == NULL)
			break;
		slot->readers += taken->n > 0;
		place->bytes = slot->bytes + place->row % rows->block_rows * rows->row_bytes;
		taken->n++;
	}
	pthread_mutex_unlock(&rows->lock);
	return status;
}

static void release(struct mapped_rows *rows, const struct taken *taken)
{
	bool is_last = false;

	pthread_mutex_lock(&rows->lock);
	for (size_t i = 0; i < taken->n; i++)
		is_last |= --slot_of(rows, taken->places[i].block)->readers == 0;
	if (is_last)
		pthread_cond_broadcast(&rows->changed);
	pthread_mutex_unlock(&rows->lock);
}

/* out [dim] = a row, or less that row; next: a row that will be read after it, or NULL */
static bool read_row(const struct mapped_rows *rows, const unsigned char *row, bool subtract,
		     const unsigned char *next, float *out)
{
	size_t number = dtype_size(rows->dtype), n, bad;
	bool is_finite = true;

	for (size_t j = 0; j < rows->dim; j += n) {
		n = rows->dim - j < PIECE ? rows->dim - j : PIECE;
		for (size_t line = 0; next != NULL && line < n * number; line += CACHE_LINE)
			__builtin_prefetch(next + j * number + line);
		if (subtract)
			dtype_subtract(rows->dtype, row + j * number, n, out + j);
		else
			dtype_to_floats(rows->dtype, row + j * number, n, out + j);
		is_finite &= all_finite_f(out + j, n, &bad);
	}
	return is_finite;
}

/* Error if one of the row's numbers is not finite. */
static enum status check_row(const struct mapped_rows *rows, const struct place *place,
			     struct err *err)
{
	size_t number = dtype_size(rows->dtype);

	for (size_t j = 0; j < rows->dim; j++) {
		float x;

		dtype_to_floats(rows->dtype, place->bytes + j * number, 1, &x);
		if (!isfinite(x))
			return err_set(err, STATUS_NOT_FINITE,
				       "%s: pair %zu: number %zu is not finite",
				       rows->parts[place->part].name, place->row + 1, j);
	}
	return STATUS_OK;
}

/* Taken rows first, first + 1, ... of a gathering; every: rows that make one of out. */
static enum status read_taken(const struct mapped_rows *rows, const struct taken *taken,
			      size_t first, size_t every, float *out, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < taken->n && status == STATUS_OK; i++) {
		const struct place *place = &taken->places[i];
		const unsigned char *next = i + 1 < taken->n ? place[1].bytes : NULL;
		size_t at = first + i;

		if (!read_row(rows, place->bytes, at % every != 0, next,
			      out + at / every * rows->dim))
			status = check_row(rows, place, err);
	}
	return status;
}

static enum status gather(struct mapped_rows *rows, const uint32_t *index, size_t n, size_t every,
			  float *out, struct err *err)
{
	enum status status = STATUS_OK;
	struct taken taken;

	for (size_t i = 0; i < n && status == STATUS_OK; i += taken.n) {
		status = take(rows, index + i, n - i, &taken, err);
		if (status != STATUS_OK)
			break;
		status = read_taken(rows, &taken, i, every, out, err);
		release(rows, &taken);
	}
	return status;
}

enum status mapped_rows_gather(struct mapped_rows *rows, const uint32_t *index, size_t n,
			       float *out, struct err *err)
{
	return gather(rows, index, n, 1, out, err);
}

enum status mapped_rows_differences(struct mapped_rows *rows, const uint32_t *index, size_t n,
				    float *out, struct err *err)
{
	return gather(rows, index, 2 * n, 2, out, err);
}

static bool is_mapped(struct mapped_rows *rows, size_t part, size_t row)
{
	bool is;

	pthread_mutex_lock(&rows->lock);
	is = slot_of(rows, rows->first_block[part] + row / rows->block_rows) != NULL;
	pthread_mutex_unlock(&rows->lock);
	return is;
}

void mapped_rows_expect(struct mapped_rows *rows, size_t part, size_t begin, size_t n_rows)
{
	uint64_t offset;
	size_t len;

	if (is_mapped(rows, part, begin))
		return;
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
