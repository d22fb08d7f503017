/* SPDX-License-Identifier: Apache-2.0 */
#include "server/key_set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

/* Which key has this name or this hash already; NULL: none. */
static const struct api_key *find_twin(const struct key_set *set, const struct api_key *key)
{
	for (size_t i = 0; i < set->n_keys; i++) {
		const struct api_key *other = &set->keys[i];

		if (strcmp(other->name, key->name) == 0 ||
		    memcmp(other->hash, key->hash, sizeof(key->hash)) == 0)
			return other;
	}
	return NULL;
}

enum status key_set_add(struct key_set *set, const struct api_key *key, struct err *err)
{
	const struct api_key *twin = find_twin(set, key);
	size_t n = set->n_keys;

	if (twin != NULL)
		return err_set(err, STATUS_BAD_FILE, "key %s: %s has the same %s", key->name,
			       twin->name, strcmp(twin->name, key->name) == 0 ? "name" : "hash");
	if (n == KEY_SET_MAX)
		return err_set(err, STATUS_BAD_FILE, "more than %d keys", KEY_SET_MAX);
	/* room is doubled whenever n is a power of two */
	if ((n & (n - 1)) == 0) {
		struct api_key *keys =
		    mem_grow(set->keys, n, n == 0 ? 1 : 2 * n, sizeof(*set->keys));

		if (keys == NULL)
			return err_no_memory(err, "the keys");
		set->keys = keys;
	}
	set->keys[set->n_keys++] = *key;
	return STATUS_OK;
}

static enum status add_line(struct key_set *set, const char *line, size_t len, size_t number,
			    struct err *err)
{
	struct api_key key;
	enum status status;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0 || line[0] == '#')
		return STATUS_OK;
	status = api_key_parse(line, len, &key, err);
	if (status == STATUS_OK)
		status = key_set_add(set, &key, err);
	if (status == STATUS_OK)
		return STATUS_OK;
	err_wrap(err, "line %zu", number);
	if (status == STATUS_INVALID_VALUE && err != NULL)
		err->code = STATUS_BAD_FILE;
	return status == STATUS_INVALID_VALUE ? STATUS_BAD_FILE : status;
}

enum status key_set_parse(const char *text, size_t len, struct key_set *set_out, struct err *err)
{
	enum status status = STATUS_OK;
	const char *end = text + len;

	*set_out = (struct key_set){0};
	for (size_t number = 1; text < end && status == STATUS_OK; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline == NULL ? end : newline;

		status = add_line(set_out, text, (size_t)(line_end - text), number, err);
		text = line_end + 1;
	}
	if (status == STATUS_OK && set_out->n_keys == 0)
		status =
		    err_set(err, STATUS_BAD_FILE, "no key in it, want a line of microd key new");
	if (status != STATUS_OK)
		key_set_free(set_out);
	return status;
}

/* The whole file into text [KEY_SET_MAX_FILE + 1]. */
static enum status read_file(int fd, char *text, size_t *len_out, struct err *err)
{
	size_t len = 0;

	while (len <= KEY_SET_MAX_FILE) {
		ssize_t n = read(fd, text + len, KEY_SET_MAX_FILE + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, STATUS_IO, "read");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*len_out = len;
	if (len > KEY_SET_MAX_FILE)
		return err_set(err, STATUS_BAD_FILE, "more than %u bytes", KEY_SET_MAX_FILE);
	return STATUS_OK;
}

static enum status load(int fd, struct key_set *set_out, struct err *err)
{
	char *text = mem_array(KEY_SET_MAX_FILE + 1, 1);
	enum status status;
	size_t len = 0;

	if (text == NULL)
		return err_no_memory(err, "the keys");
	status = read_file(fd, text, &len, err);
	if (status == STATUS_OK)
		status = key_set_parse(text, len, set_out, err);
	mem_free(text);
	return status;
}

enum status key_set_load(const char *path, struct key_set *set_out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum status status;

	*set_out = (struct key_set){0};
	if (fd < 0) {
		status = err_errno(err, STATUS_IO, "open");
	} else {
		status = load(fd, set_out, err);
		close(fd);
	}
	if (status != STATUS_OK)
		err_wrap(err, "keys %s", path);
	return status;
}

size_t key_set_find(const struct key_set *set, const char *key, size_t len)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	size_t found = set->n_keys;

	api_key_hash(key, len, hash);
	for (size_t i = 0; i < set->n_keys; i++) {
		if (sodium_memcmp(set->keys[i].hash, hash, sizeof(hash)) == 0)
			found = i;
	}
	return found;
}

void key_set_free(struct key_set *set)
{
	mem_free(set->keys);
	*set = (struct key_set){0};
}
