/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/spares.h"

#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(MICRO_SANITIZED)

void *spares_take(size_t n_bytes)
{
	(void)n_bytes;
	return NULL;
}

bool spares_keep(void *block)
{
	(void)block;
	return false;
}

#else

#define SMALLEST_LOG 6	/* blocks of 64 bytes */
#define LARGEST_LOG  17 /* to 256 KB */
#define N_CLASSES    (LARGEST_LOG - SMALLEST_LOG + 1)
#define PER_CLASS    6

struct spare {
	void *block;
	size_t n_bytes; /* that it has room for */
};

/* Of a thread. Class c has blocks of 2^(c + SMALLEST_LOG) bytes or more, and less than twice
 * that; the last one in goes out first. */
struct spares {
	bool is_known; /* to the key: what is here is freed when the thread ends */
	size_t n_bytes;
	size_t n[N_CLASSES];
	struct spare spare[N_CLASSES][PER_CLASS];
};

static _Thread_local struct spares own;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static void free_all(void *spares_of_thread)
{
	struct spares *spares = spares_of_thread;

	for (size_t c = 0; c < N_CLASSES; c++) {
		while (spares->n[c] > 0)
			free(spares->spare[c][--spares->n[c]].block);
	}
	*spares = (struct spares){0};
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, free_all) == 0;
}

static bool make_known(void)
{
	if (own.is_known)
		return true;
	pthread_once(&once, make_key);
	own.is_known = has_key && pthread_setspecific(key, &own) == 0;
	return own.is_known;
}

/* N_CLASSES or more: none. */
static size_t class_of(size_t n_bytes)
{
	return (size_t)(63 - __builtin_clzll(n_bytes | 1)) - SMALLEST_LOG;
}

static void *take_from(size_t class, size_t n_bytes)
{
	struct spare *spare = own.spare[class];

	for (size_t i = own.n[class]; i-- > 0;) {
		void *block = spare[i].block;

		if (spare[i].n_bytes < n_bytes)
			continue;
		own.n_bytes -= spare[i].n_bytes;
		spare[i] = spare[--own.n[class]];
		return block;
	}
	return NULL;
}

void *spares_take(size_t n_bytes)
{
	size_t class = class_of(n_bytes);
	void *block;

	if (class >= N_CLASSES)
		return NULL;
	block = take_from(class, n_bytes);
	return block == NULL && class + 1 < N_CLASSES ? take_from(class + 1, n_bytes) : block;
}

bool spares_keep(void *block)
{
	size_t n_bytes, class;

	if ((uintptr_t)block % SPARES_ALIGNMENT != 0)
		return false;
	n_bytes = malloc_usable_size(block);
	class = class_of(n_bytes);
	if (class >= N_CLASSES || own.n[class] == PER_CLASS || n_bytes > SPARES_MAX - own.n_bytes ||
	    !make_known())
		return false;
	own.spare[class][own.n[class]++] = (struct spare){block, n_bytes};
	own.n_bytes += n_bytes;
	return true;
}

#endif
