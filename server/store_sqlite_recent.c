/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_recent.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"

#define FIRST_CAPACITY 1024 /* a power of two */
#define MAX_EVENTS     (UINT32_MAX / 4)

_Static_assert(RECENT_HASH_KEY_LEN == crypto_shorthash_KEYBYTES, "a key of SipHash");

enum status recent_open(struct recent *recent, struct err *err)
{
	*recent = (struct recent){
	    .event = mem_array(FIRST_CAPACITY, sizeof(struct recent_event)),
	    .capacity = FIRST_CAPACITY,
	    .bucket = mem_array(FIRST_CAPACITY, sizeof(uint32_t)),
	    .n_buckets = FIRST_CAPACITY,
	};
	if (recent->event != NULL && recent->bucket != NULL)
		return STATUS_OK;
	recent_close(recent);
	return err_no_memory(err, "recent events");
}

void recent_close(struct recent *recent)
{
	mem_free(recent->event);
	mem_free(recent->bucket);
	mem_free(recent->order);
	*recent = (struct recent){0};
}

static uint32_t half_key(const unsigned char *hash_key, const char *text)
{
	unsigned char hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, (const unsigned char *)text, strlen(text), hash_key);
	return (uint32_t)hash[0] | (uint32_t)hash[1] << 8 | (uint32_t)hash[2] << 16 |
	       (uint32_t)hash[3] << 24;
}

int64_t recent_key(const unsigned char hash_key[RECENT_HASH_KEY_LEN], const char *user,
		   const char *id)
{
	return (int64_t)((uint64_t)half_key(hash_key, user) << 32 | half_key(hash_key, id));
}

void recent_user_keys(const unsigned char hash_key[RECENT_HASH_KEY_LEN], const char *user,
		      int64_t *first_out, int64_t *last_out)
{
	uint64_t first = (uint64_t)half_key(hash_key, user) << 32;

	*first_out = (int64_t)first;
	*last_out = (int64_t)(first | UINT32_MAX);
}

static uint32_t *bucket_of(const struct recent *recent, int64_t key)
{
	/* both halves count */
	uint64_t mixed = (uint64_t)key ^ (uint64_t)key >> 32;

	return &recent->bucket[mixed & (recent->n_buckets - 1)];
}

static void link_event(struct recent *recent, size_t i)
{
	uint32_t *bucket = bucket_of(recent, recent->event[i].key);

	recent->event[i].next = *bucket;
	*bucket = (uint32_t)(i + 1);
}

static void link_all(struct recent *recent)
{
	memset(recent->bucket, 0, recent->n_buckets * sizeof(uint32_t));
	for (size_t i = 0; i < recent->n; i++)
		link_event(recent, i);
}

enum status recent_reserve(struct recent *recent, size_t n_more, struct err *err)
{
	size_t capacity = recent->capacity;
	struct recent_event *event;
	uint32_t *bucket;

	if (n_more <= recent->capacity - recent->n)
		return STATUS_OK;
	while (capacity < MAX_EVENTS && capacity - recent->n < n_more)
		capacity *= 2;
	if (capacity >= MAX_EVENTS)
		return err_no_memory(err, "recent events");
	bucket = mem_array(capacity, sizeof(*bucket));
	if (bucket == NULL)
		return err_no_memory(err, "recent events");
	event = mem_grow(recent->event, recent->capacity, capacity, sizeof(*event));
	if (event == NULL) {
		mem_free(bucket);
		return err_no_memory(err, "recent events");
	}
	mem_free(recent->bucket);
	recent->event = event;
	recent->bucket = bucket;
	recent->capacity = recent->n_buckets = capacity;
	link_all(recent);
	return STATUS_OK;
}

void recent_add(struct recent *recent, int64_t key, int64_t seq)
{
	recent->event[recent->n] = (struct recent_event){.key = key, .seq = seq};
	link_event(recent, recent->n++);
}

uint32_t recent_find(const struct recent *recent, int64_t key, uint32_t after)
{
	uint32_t at = after == 0 ? *bucket_of(recent, key) : recent->event[after - 1].next;

	while (at != 0 && recent->event[at - 1].key != key)
		at = recent->event[at - 1].next;
	return at;
}

int64_t recent_first_seq(const struct recent *recent, int64_t none)
{
	size_t i = 0;

	while (i < recent->n && recent->event[i].seq == 0)
		i++;
	return i == recent->n ? none : llabs(recent->event[i].seq);
}

void recent_take_back(struct recent *recent, size_t n)
{
	while (recent->n > n) {
		const struct recent_event *last = &recent->event[--recent->n];

		*bucket_of(recent, last->key) = last->next;
	}
}

void recent_end_deletion(struct recent *recent, bool done)
{
	for (size_t i = 0; i < recent->n; i++) {
		if (recent->event[i].seq < 0)
			recent->event[i].seq = done ? 0 : -recent->event[i].seq;
	}
}

static int compare_keys(const void *a, const void *b, void *context)
{
	const struct recent *recent = context;
	int64_t key_a = recent->event[*(const uint32_t *)a].key;
	int64_t key_b = recent->event[*(const uint32_t *)b].key;

	return (key_a > key_b) - (key_a < key_b);
}

enum status recent_freeze(struct recent *recent, struct err *err)
{
	uint32_t *order = mem_array(recent->n, sizeof(*order));

	if (order == NULL)
		return err_no_memory(err, "recent events");
	for (size_t i = 0; i < recent->n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, recent->n, sizeof(*order), compare_keys, recent);
	recent->order = order;
	recent->n_frozen = recent->n;
	recent->n_folded = 0;
	return STATUS_OK;
}

void recent_drop_frozen(struct recent *recent)
{
	recent->n -= recent->n_frozen;
	memmove(recent->event, recent->event + recent->n_frozen,
		recent->n * sizeof(*recent->event));
	mem_free(recent->order);
	recent->order = NULL;
	recent->n_frozen = recent->n_folded = 0;
	link_all(recent);
}
