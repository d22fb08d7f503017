/* SPDX-License-Identifier: Apache-2.0 */
#include "server/distinct.h"

#include <string.h>

#define FEW    4 /* contents that are compared with each other rather than hashed */
#define PROBES 8 /* places that are looked at; who is in none of them counts as new */
#define LANES  4 /* of a hash, which run side by side */
#define SPARE  4 /* places of the table for each content */

enum status distinct_init(struct distinct *distinct, size_t capacity, struct arena *arena,
			  struct err *err)
{
	*distinct = (struct distinct){
	    .capacity = capacity,
	    .contents = arena_array(arena, capacity, sizeof(*distinct->contents)),
	};
	if (distinct->contents == NULL)
		return err_no_memory(err, "the contents of a request");
	if (capacity <= FEW)
		return STATUS_OK;
	distinct->table_size = 1;
	while (distinct->table_size < SPARE * capacity)
		distinct->table_size *= 2;
	distinct->hash = arena_array(arena, capacity, sizeof(*distinct->hash));
	distinct->table = arena_array(arena, distinct->table_size, sizeof(*distinct->table));
	if (distinct->hash == NULL || distinct->table == NULL)
		return err_no_memory(err, "the contents of a request");
	return STATUS_OK;
}

void distinct_clear(struct distinct *distinct)
{
	distinct->n = 0;
	if (distinct->table != NULL)
		memset(distinct->table, 0, distinct->table_size * sizeof(*distinct->table));
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

static uint64_t word_at(const unsigned char *bytes, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, bytes, len);
	return word;
}

/* Several lanes, because the steps of one wait for each other. */
static uint64_t hash_bytes(uint64_t seed, const unsigned char *bytes, size_t len)
{
	uint64_t lane[LANES];
	size_t i = 0;

	for (size_t l = 0; l < LANES; l++)
		lane[l] = mix(seed, len + l);
	for (; i + sizeof(lane) <= len; i += sizeof(lane)) {
		for (size_t l = 0; l < LANES; l++)
			lane[l] = mix(lane[l], word_at(bytes + i + 8 * l, 8));
	}
	for (; i < len; i += 8)
		lane[0] = mix(lane[0], word_at(bytes + i, len - i < 8 ? len - i : 8));
	for (size_t l = 1; l < LANES; l++)
		lane[0] = mix(lane[0], lane[l]);
	return lane[0];
}

static uint64_t hash_of(const struct content *content)
{
	uint64_t hash = content->kind;

	for (size_t i = 0; i < DISTINCT_PARTS; i++) {
		if (content->part[i].len > 0)
			hash = hash_bytes(hash + i, content->part[i].bytes, content->part[i].len);
	}
	return hash;
}

static bool is_equal(const struct content *a, const struct content *b)
{
	if (a->kind != b->kind)
		return false;
	for (size_t i = 0; i < DISTINCT_PARTS; i++) {
		if (a->part[i].len != b->part[i].len)
			return false;
	}
	for (size_t i = 0; i < DISTINCT_PARTS; i++) {
		if (a->part[i].len > 0 &&
		    memcmp(a->part[i].bytes, b->part[i].bytes, a->part[i].len) != 0)
			return false;
	}
	return true;
}

static size_t append(struct distinct *distinct, const struct content *content)
{
	distinct->contents[distinct->n] = *content;
	return distinct->n++;
}

static size_t find_among_few(const struct distinct *distinct, const struct content *content)
{
	size_t i = 0;

	while (i < distinct->n && !is_equal(&distinct->contents[i], content))
		i++;
	return i;
}

/* Where in the table the content stands, or may be put; a place of another if there is none. */
static uint32_t *find_place(const struct distinct *distinct, const struct content *content,
			    uint64_t hash)
{
	uint32_t *place = NULL;

	for (size_t i = 0; i < PROBES; i++) {
		place = &distinct->table[(hash + i) & (distinct->table_size - 1)];
		if (*place == 0 || (distinct->hash[*place - 1] == hash &&
				    is_equal(&distinct->contents[*place - 1], content)))
			break;
	}
	return place;
}

static size_t add_by_hash(struct distinct *distinct, const struct content *content,
			  bool *is_new_out)
{
	uint64_t hash = hash_of(content);
	uint32_t *place = find_place(distinct, content, hash);
	size_t number;

	*is_new_out = *place == 0 || distinct->hash[*place - 1] != hash ||
		      !is_equal(&distinct->contents[*place - 1], content);
	if (!*is_new_out)
		return *place - 1;
	if (distinct->n == distinct->capacity) {
		distinct_clear(distinct);
		place = find_place(distinct, content, hash);
	}
	number = append(distinct, content);
	distinct->hash[number] = hash;
	if (*place == 0)
		*place = (uint32_t)number + 1;
	return number;
}

size_t distinct_add(struct distinct *distinct, const struct content *content, bool *is_new_out)
{
	size_t number;

	if (distinct->table != NULL)
		return add_by_hash(distinct, content, is_new_out);
	number = find_among_few(distinct, content);
	*is_new_out = number == distinct->n;
	if (!*is_new_out)
		return number;
	if (distinct->n == distinct->capacity)
		distinct_clear(distinct);
	return append(distinct, content);
}
