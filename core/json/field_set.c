/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json/field_set.h"

#include <sodium.h>
#include <string.h>

#include "core/base/mem.h"

#define FIRST_CAPACITY 64 /* a power of two */

/* Open addressing. Invariants: 1. capacity is a power of two. 2. n <= 3/4 capacity. */
struct field_set {
	const struct node **slots; /* [capacity]; NULL: free */
	size_t capacity;
	size_t n;
	unsigned char key[crypto_shorthash_KEYBYTES];
};

struct field_set *field_set_new(void)
{
	struct field_set *set = mem_array(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	set->slots = mem_array(FIRST_CAPACITY, sizeof(struct node *));
	if (set->slots == NULL) {
		mem_free(set);
		return NULL;
	}
	set->capacity = FIRST_CAPACITY;
	crypto_shorthash_keygen(set->key);
	return set;
}

void field_set_free(struct field_set *set)
{
	if (set == NULL)
		return;
	mem_free(set->slots);
	mem_free(set);
}

static bool is_same(const struct node *a, const struct node *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

/* The slot that has name, or the free one where it belongs. */
static const struct node **slot_of(const struct field_set *set, const struct node *name)
{
	unsigned char hash[crypto_shorthash_BYTES];
	size_t at;

	crypto_shorthash(hash, (const unsigned char *)name->bytes, name->n, set->key);
	memcpy(&at, hash, sizeof(at));
	at &= set->capacity - 1;
	while (set->slots[at] != NULL && !is_same(set->slots[at], name))
		at = (at + 1) & (set->capacity - 1);
	return &set->slots[at];
}

static bool grow(struct field_set *set)
{
	struct field_set larger = *set;

	larger.capacity *= 2;
	larger.slots = mem_array(larger.capacity, sizeof(struct node *));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < set->capacity; i++) {
		if (set->slots[i] != NULL)
			*slot_of(&larger, set->slots[i]) = set->slots[i];
	}
	mem_free(set->slots);
	*set = larger;
	return true;
}

enum field_set_outcome field_set_add(struct field_set *set, const struct node *name)
{
	const struct node **slot;

	if (set->n >= set->capacity / 4 * 3 && !grow(set))
		return FIELD_SET_NO_MEMORY;
	slot = slot_of(set, name);
	if (*slot != NULL)
		return FIELD_SET_DUPLICATE;
	*slot = name;
	set->n++;
	return FIELD_SET_ADDED;
}
