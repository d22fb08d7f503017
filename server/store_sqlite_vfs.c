/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_vfs.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include <sqlite3.h>

#define MIN_PAGE 512
#define MAX_PAGE 65536
/* page 1 begins with the header of the database */
#define DATABASE_HEADER 100

/*
 * A file of this layer is a file of the layer below, which SQLite allocates, with
 * this behind it: only xWrite differs, and every other method works as it is.
 */
struct scrubbed {
	sqlite3_io_methods methods;
	const sqlite3_io_methods *below;
};

static sqlite3_vfs *below; /* the default layer; set once, like layer */
static sqlite3_vfs layer;
static size_t scrubbed_offset; /* of struct scrubbed in a file */

static struct scrubbed *scrubbed_of(sqlite3_file *file)
{
	return (struct scrubbed *)((unsigned char *)file + scrubbed_offset);
}

static size_t read_u16(const unsigned char *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/* Bytes of a B-tree page's header by the page's type; 0: another kind of page. */
static size_t header_len(unsigned char type)
{
	switch (type) {
	case 2: /* interior, index and table */
	case 5:
		return 12;
	case 10: /* leaf */
	case 13:
		return 8;
	default:
		return 0;
	}
}

/* The space between the array of cell pointers and the first cell. */
static bool find_unallocated(const unsigned char *page, size_t size, size_t header,
			     size_t *begin_out, size_t *end_out)
{
	size_t len = header_len(page[header]);
	size_t n_cells = read_u16(page + header + 3);
	size_t first_cell = read_u16(page + header + 5);

	*begin_out = header + len + 2 * n_cells;
	*end_out = first_cell == 0 ? MAX_PAGE : first_cell;
	return len > 0 && *begin_out < *end_out && *end_out <= size;
}

static int write_scrubbed(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
	const sqlite3_io_methods *methods = scrubbed_of(file)->below;
	size_t begin, end, size = (size_t)n;
	unsigned char page[MAX_PAGE];

	/* only whole pages are ever written to a database */
	if (size < MIN_PAGE || size > MAX_PAGE || offset % n != 0 ||
	    !find_unallocated(bytes, size, offset == 0 ? DATABASE_HEADER : 0, &begin, &end))
		return methods->xWrite(file, bytes, n, offset);
	memcpy(page, bytes, begin);
	memset(page + begin, 0, end - begin);
	memcpy(page + end, (const unsigned char *)bytes + end, size - end);
	return methods->xWrite(file, page, n, offset);
}

static int open_scrubbed(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			 int *flags_out)
{
	int result = below->xOpen(below, name, file, flags, flags_out);
	struct scrubbed *scrubbed = scrubbed_of(file);

	(void)vfs;
	if (result != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0)
		return result;
	scrubbed->below = file->pMethods;
	scrubbed->methods = *file->pMethods;
	scrubbed->methods.xWrite = write_scrubbed;
	file->pMethods = &scrubbed->methods;
	return SQLITE_OK;
}

static bool register_layer(void)
{
	const size_t alignment = _Alignof(struct scrubbed);

	below = sqlite3_vfs_find(NULL);
	if (below == NULL)
		return false;
	scrubbed_offset = ((size_t)below->szOsFile + alignment - 1) / alignment * alignment;
	layer = *below;
	layer.zName = VFS_NAME;
	layer.szOsFile = (int)(scrubbed_offset + sizeof(struct scrubbed));
	layer.xOpen = open_scrubbed;
	return sqlite3_vfs_register(&layer, 0) == SQLITE_OK;
}

bool vfs_register(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards registered */
	static bool registered;
	bool done;

	pthread_mutex_lock(&lock);
	if (!registered)
		registered = register_layer();
	done = registered;
	pthread_mutex_unlock(&lock);
	return done;
}
