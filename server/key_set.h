/* SPDX-License-Identifier: Apache-2.0 */
/* key_set.h - the keys of a key file, and which of them a client shows. Immutable. */
#ifndef MICRO_SERVER_KEY_SET_H
#define MICRO_SERVER_KEY_SET_H

#include <stddef.h>

#include "server/api_key.h"

/* All keys are looked at for each request; more clients than this want another front. */
#define KEY_SET_MAX	 1024
#define KEY_SET_MAX_FILE (1u << 20) /* bytes */

struct key_set {
	struct api_key *keys; /* [n_keys] */
	size_t n_keys;
};

/**
 * key_set_parse(text, len, set_out, err): lines of api_key_parse(); empty lines and
 * those that begin with # are skipped. key_set_free() releases; nothing is owned on
 * error. STATUS_BAD_FILE naming the line: not a key, a name or a hash that is there
 * twice; or no key at all, or more than KEY_SET_MAX.
 */
enum status key_set_parse(const char *text, size_t len, struct key_set *set_out, struct err *err);

/** key_set_load(path, set_out, err): key_set_parse() of a file; also STATUS_IO. */
enum status key_set_load(const char *path, struct key_set *set_out, struct err *err);

/** key_set_add(set, key, err): one more; STATUS_BAD_FILE if its name or hash is there. */
enum status key_set_add(struct key_set *set, const struct api_key *key, struct err *err);

/** key_set_find(set, key, len): its index, or set->n_keys. Takes the same time whichever
 * it is, and if it is none. */
size_t key_set_find(const struct key_set *set, const char *key, size_t len);

/** key_set_free(set): a zeroed set is allowed. */
void key_set_free(struct key_set *set);

#endif
