/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/intern.h"

#include <string.h>

#include "core/base/mem.h"

#define HASH_NONFATAL_OOM	 1
#define uthash_malloc(size)	 mem_array(size, 1)
#define uthash_free(block, size) mem_free(block)
#define uthash_nonfatal_oom(e)	 ((e)->is_lost = true)
#include <uthash.h>

struct intern_entry {
	UT_hash_handle hh;
	uint32_t id;
	bool is_lost; /* there was no memory to put it into the table */
	size_t len;
	char bytes[];
};

static struct intern_entry *new_entry(uint32_t id, const char *bytes, size_t len)
{
	struct intern_entry *entry = mem_array(sizeof(*entry) + len, 1);

	if (entry == NULL)
		return NULL;
	entry->id = id;
	entry->len = len;
	if (len > 0)
		memcpy(entry->bytes, bytes, len);
	return entry;
}

enum status intern_add(struct intern *intern, const char *bytes, size_t len, uint32_t *id_out,
		       struct err *err)
{
	struct intern_entry *entry;

	HASH_FIND(hh, intern->table, bytes, len, entry);
	if (entry == NULL) {
		entry = new_entry(intern->n, bytes, len);
		if (entry == NULL)
			return err_no_memory(err, "distinct texts");
		HASH_ADD_KEYPTR(hh, intern->table, entry->bytes, len, entry);
		if (entry->is_lost) {
			mem_free(entry);
			return err_no_memory(err, "distinct texts");
		}
		intern->n++;
	}
	*id_out = entry->id;
	return STATUS_OK;
}

enum status intern_strings(const struct intern *intern, char ***strings_out, struct err *err)
{
	char **strings = mem_array(intern->n, sizeof(*strings));

	if (strings == NULL)
		return err_no_memory(err, "names");
	for (const struct intern_entry *e = intern->table; e != NULL; e = e->hh.next) {
		strings[e->id] = mem_string(e->bytes, e->len);
		if (strings[e->id] == NULL) {
			for (uint32_t i = 0; i < e->id; i++)
				mem_free(strings[i]);
			mem_free(strings);
			return err_no_memory(err, "names");
		}
	}
	*strings_out = strings;
	return STATUS_OK;
}

void intern_free(struct intern *intern)
{
	struct intern_entry *entry, *next;

	HASH_ITER(hh, intern->table, entry, next)
	{
		HASH_DEL(intern->table, entry);
		mem_free(entry);
	}
	intern->n = 0;
}
