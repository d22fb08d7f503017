/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/features_part.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/mem.h"
#include "core/data/features_file.h"

#define PAGE ((uint64_t)4096) /* so that the note below is written as a whole or not at all */

/* The page behind the finished file's last one. */
struct note {
	char magic[16];
	uint64_t file_len; /* of the finished file */
	uint64_t n_done;
	uint64_t not_n_done; /* ~n_done */
};

static const char magic[16] = "micro-part/1";
static const char not_ours[] = "is not what an interrupted run leaves; remove it to begin anew";

static uint64_t note_offset(const struct safetensors_head *head)
{
	return (head->file_len + PAGE - 1) / PAGE * PAGE;
}

static enum status write_at(int fd, const void *bytes, size_t len, uint64_t offset, struct err *err)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, STATUS_IO, "write");
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return STATUS_OK;
}

/* As many bytes as there are, up to len. */
static enum status read_at(int fd, void *bytes, size_t len, uint64_t offset, size_t *len_out,
			   struct err *err)
{
	char *at = bytes;

	*len_out = 0;
	while (*len_out < len) {
		ssize_t n = pread(fd, at + *len_out, len - *len_out, (off_t)(offset + *len_out));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, STATUS_IO, "read");
		if (n == 0)
			break;
		*len_out += (size_t)n;
	}
	return STATUS_OK;
}

static enum status write_note(struct features_part *part, struct err *err)
{
	struct note note = {
	    .file_len = part->head->file_len,
	    .n_done = part->n_done,
	    .not_n_done = ~(uint64_t)part->n_done,
	};

	memcpy(note.magic, magic, sizeof(magic));
	return write_at(part->file.fd, &note, sizeof(note), note_offset(part->head), err);
}

enum status features_part_write(struct features_part *part, const void *bytes, size_t len,
				uint64_t offset, struct err *err)
{
	return write_at(part->file.fd, bytes, len, offset, err);
}

enum status features_part_keep(struct features_part *part, size_t n_done, struct err *err)
{
	/* the number only when what it counts cannot be lost any more */
	if (fdatasync(part->file.fd) != 0)
		return err_errno(err, STATUS_IO, "fsync");
	part->n_done = n_done;
	return write_note(part, err);
}

static enum status begin(struct features_part *part, struct err *err)
{
	uint64_t len = note_offset(part->head) + PAGE;
	enum status status;

	part->n_done = 0;
	if (ftruncate(part->file.fd, 0) != 0 || ftruncate(part->file.fd, (off_t)len) != 0)
		return err_errno(err, STATUS_IO, "make room");
	status = write_note(part, err);
	if (status != STATUS_OK)
		return status;
	return write_at(part->file.fd, part->head->bytes, part->head->len, 0, err);
}

/* ---- going on ---- */

/* n_done_out: of the note in the last page; false if there is no such note. */
static enum status read_note(int fd, uint64_t file_size, uint64_t *n_done_out, bool *found_out,
			     struct err *err)
{
	struct note note;
	size_t len;
	enum status status;

	*found_out = false;
	if (file_size < PAGE)
		return STATUS_OK;
	status = read_at(fd, &note, sizeof(note), file_size - PAGE, &len, err);
	if (status != STATUS_OK || len < sizeof(note))
		return status;
	*found_out = memcmp(note.magic, magic, sizeof(magic)) == 0 &&
		     note.n_done == ~note.not_n_done &&
		     (note.file_len + PAGE - 1) / PAGE * PAGE + PAGE == file_size;
	*n_done_out = note.n_done;
	return STATUS_OK;
}

static json_t *parse_head(const char *bytes, size_t len)
{
	uint64_t header_len;

	memcpy(&header_len, bytes, sizeof(header_len));
	if (header_len > len - sizeof(header_len))
		return NULL;
	return json_loadb(bytes + sizeof(header_len), (size_t)header_len, 0, NULL);
}

static const char *metadata_of(const json_t *header, const char *key)
{
	const char *text =
	    json_string_value(json_object_get(json_object_get(header, "__metadata__"), key));

	return text != NULL ? text : "";
}

/* "encoder hash:64, now hash:128" of the first thing that differs */
static enum status name_difference(const char *there, size_t len,
				   const struct safetensors_head *head, struct err *err)
{
	static const char *const keys[] = {FEATURES_KEY_SHA256, FEATURES_KEY_ENCODER,
					   FEATURES_KEY_PHI, FEATURES_KEY_PSI};
	json_t *was = parse_head(there, len), *now = parse_head(head->bytes, head->len);
	const char *key = "dtype";
	const char *was_text =
	    json_string_value(json_object_get(json_object_get(was, "chosen"), "dtype"));
	const char *now_text =
	    json_string_value(json_object_get(json_object_get(now, "chosen"), "dtype"));

	for (size_t i = sizeof(keys) / sizeof(keys[0]); i-- > 0;) {
		if (strcmp(metadata_of(was, keys[i]), metadata_of(now, keys[i])) == 0)
			continue;
		key = keys[i];
		was_text = metadata_of(was, key);
		now_text = metadata_of(now, key);
	}
	err_set(err, STATUS_INVALID_VALUE,
		"was begun with %s %s, now %s: give the same data and options to go on, or remove "
		"it to begin anew",
		key, was_text != NULL ? was_text : "?", now_text != NULL ? now_text : "?");
	json_decref(was);
	json_decref(now);
	return STATUS_INVALID_VALUE;
}

/* Whether what is there begins as the finished file does; otherwise it is refused. */
static enum status check_head(const struct features_part *part, struct err *err)
{
	const struct safetensors_head *head = part->head;
	uint64_t header_len = 0;
	char *there;
	size_t len;
	enum status status = read_at(part->file.fd, &header_len, sizeof(header_len), 0, &len, err);

	if (status != STATUS_OK)
		return status;
	if (header_len > SAFETENSORS_MAX_HEADER)
		return err_set(err, STATUS_INVALID_VALUE, "%s", not_ours);
	there = mem_array(sizeof(header_len) + header_len, 1);
	if (there == NULL)
		return err_no_memory(err, "header");
	status = read_at(part->file.fd, there, sizeof(header_len) + header_len, 0, &len, err);
	if (status == STATUS_OK && (len != head->len || memcmp(there, head->bytes, len) != 0))
		status = name_difference(there, len, head, err);
	mem_free(there);
	return status;
}

/* A file without a note that begins like this was never more than begun. */
static enum status is_begun_only(int fd, bool *is_out, struct err *err)
{
	uint64_t header_len = 0;
	size_t len;
	enum status status = read_at(fd, &header_len, sizeof(header_len), 0, &len, err);

	*is_out = header_len == 0;
	return status;
}

static enum status look(struct features_part *part, struct err *err)
{
	struct stat info;
	uint64_t size, n_done = 0;
	bool has_note, is_new = false;
	enum status status;

	if (fstat(part->file.fd, &info) != 0)
		return err_errno(err, STATUS_IO, "stat");
	if (!S_ISREG(info.st_mode))
		return err_set(err, STATUS_IO, "not a regular file");
	size = (uint64_t)info.st_size;
	status = read_note(part->file.fd, size, &n_done, &has_note, err);
	if (status == STATUS_OK && !has_note)
		status = is_begun_only(part->file.fd, &is_new, err);
	if (status != STATUS_OK)
		return status;
	if (is_new || (has_note && n_done == 0))
		return begin(part, err);
	/* without the note it is whole and lacks only its name */
	if (!has_note && size != part->head->file_len)
		return err_set(err, STATUS_INVALID_VALUE, "%s", not_ours);
	part->n_done = has_note ? (size_t)n_done : SIZE_MAX;
	return check_head(part, err);
}

enum status features_part_open(struct features_part *part, const char *path,
			       const struct safetensors_head *head, struct err *err)
{
	enum status status;

	*part = (struct features_part){.head = head};
	status = atomic_file_resume(&part->file, path, FEATURES_PART_SUFFIX, err);
	if (status != STATUS_OK)
		return status;
	status = look(part, err);
	if (status != STATUS_OK) {
		err_wrap(err, "%s", part->file.temporary);
		features_part_close(part);
	}
	return status;
}

enum status features_part_commit(struct features_part *part, struct err *err)
{
	/* all of it to disk before the note is gone: the note's absence says so */
	if (fsync(part->file.fd) != 0 ||
	    ftruncate(part->file.fd, (off_t)part->head->file_len) != 0) {
		err_errno(err, STATUS_IO, "finish");
		features_part_close(part);
		return STATUS_IO;
	}
	return atomic_file_commit(&part->file, err);
}

void features_part_close(struct features_part *part)
{
	atomic_file_abort(&part->file);
}
