/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite.c - the store in a SQLite file: open, read, check, close. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/store_sqlite_impl.h"
#include "server/store_sqlite_schema.h"

/* A try of writing, by store_check(), waits this long for a writer to end. */
#define PROBE_WAIT_MS 100

static const struct store_ops operations;

static enum status path_fault(const struct store_sqlite *s, const char *what, struct err *err)
{
	err_errno(err, STATUS_IO, what);
	return err_wrap(err, "state %s", s->name);
}

/* SQLite would create the file readable by everyone. */
static enum status create_file(const struct store_sqlite *s, struct err *err)
{
	int fd = open(s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return path_fault(s,
				  "cannot be created: want a folder that exists and that this "
				  "user may write",
				  err);
	return STATUS_OK;
}

static enum status find_file(struct store_sqlite *s, struct err *err)
{
	struct stat file;
	enum status status = create_file(s, err);

	if (status != STATUS_OK)
		return status;
	if (realpath(s->name, s->path) == NULL || stat(s->path, &file) != 0)
		return path_fault(s, "cannot be opened", err);
	if (!S_ISREG(file.st_mode))
		return err_set(err, STATUS_IO, "state %s: not a regular file, want one", s->name);
	s->device = file.st_dev;
	s->inode = file.st_ino;
	return STATUS_OK;
}

/* The last one to close a database moves its write-ahead log into it: a file that is
 * refused must stay as it is. */
static void checkpoint_on_close(struct conn *conn, bool on)
{
	sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on, NULL);
}

static enum status open_writer(struct store_sqlite *s, bool check, struct err *err)
{
	struct conn *writer = &s->writer;
	enum status status =
	    conn_open(writer, s->name, s->path, CONN_WRITER, s->busy_timeout_ms, err);

	if (status != STATUS_OK)
		return status;
	checkpoint_on_close(writer, false);
	if (sqlite3_db_readonly(writer->db, "main") == 1)
		return err_set(err, STATUS_IO,
			       "state %s: read-only, want a file that this user "
			       "may write",
			       s->name);
	status = schema_check(writer, check, err);
	if (status == STATUS_OK)
		status = conn_set_pragmas(writer, CONN_WRITER, err);
	if (status == STATUS_OK)
		status = schema_create(writer, err);
	if (status == STATUS_OK)
		status = conn_prepare(writer, CONN_WRITER, err);
	if (status != STATUS_OK)
		return status;
	checkpoint_on_close(writer, true);
	/* what a killed process committed or deleted reaches the disk before it is relied on */
	store_sqlite_checkpoint(s);
	return STATUS_OK;
}

static void close_writer(struct store_sqlite *s)
{
	conn_close(&s->writer);
	mem_free(s->name);
	mem_free(s);
}

enum status store_sqlite_open(const struct store_sqlite_options *options, struct store **store_out,
			      struct err *err)
{
	struct store_sqlite *s = mem_array(1, sizeof(*s));
	enum status status;

	*store_out = NULL;
	if (s == NULL)
		return err_no_memory(err, "the store");
	s->base.ops = &operations;
	s->busy_timeout_ms = options->busy_timeout_ms;
	s->name = mem_string(options->path, strlen(options->path));
	status = s->name == NULL ? err_no_memory(err, "the store") : find_file(s, err);
	if (status == STATUS_OK)
		status = open_writer(s, options->check, err);
	if (status == STATUS_OK)
		status = readers_open(&s->readers, options->n_readers, s->name, s->path,
				      s->busy_timeout_ms, err);
	if (status != STATUS_OK)
		close_writer(s);
	else
		*store_out = &s->base;
	return status;
}

static void close_store(struct store *store)
{
	struct store_sqlite *s = (struct store_sqlite *)store;

	readers_close(&s->readers);
	close_writer(s);
}

static enum status read_state(struct store *store, const char *user, const char *context,
			      const char *model_id, size_t n_heads, double *log_weight_out,
			      uint64_t *updates_out, struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct conn *conn;
	enum status status = readers_take(&s->readers, &conn, err);
	bool found;

	if (status != STATUS_OK)
		return status;
	memset(log_weight_out, 0, n_heads * sizeof(double));
	*updates_out = 0;
	struct query query = query_begin(conn, SQL_READ_STATE);
	query_text(&query, model_id);
	query_text(&query, user);
	query_text(&query, context);
	status = query_step(&query, &found, err);
	if (status == STATUS_OK && found) {
		*updates_out = (uint64_t)sqlite3_column_int64(query.stmt, 1);
		status = query_doubles(&query, 0, n_heads, log_weight_out, err);
	}
	query_end(&query);
	readers_give(&s->readers, conn);
	return status;
}

static char *copy_text(const struct query *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row->stmt, column);

	return text == NULL ? NULL : mem_string(text, strlen(text));
}

/* state is zeroed; on error it may be filled in part. */
static enum status copy_state(const struct query *row, struct store_state *state, struct err *err)
{
	enum status status = query_n_heads(row, 2, &state->n_heads, err);

	if (status != STATUS_OK)
		return status;
	state->context = copy_text(row, 0);
	state->model_id = copy_text(row, 1);
	state->log_weight = mem_array(state->n_heads, sizeof(double));
	if (state->context == NULL || state->model_id == NULL || state->log_weight == NULL)
		return err_no_memory(err, "a user's states");
	state->updates = (uint64_t)sqlite3_column_int64(row->stmt, 4);
	state->updated_us = sqlite3_column_int64(row->stmt, 5);
	return query_doubles(row, 3, state->n_heads, state->log_weight, err);
}

/* Room for one state more: doubled whenever n_states is a power of two. */
static enum status grow(struct store_user *user, struct err *err)
{
	size_t n = user->n_states;
	struct store_state *states;

	if ((n & (n - 1)) != 0)
		return STATUS_OK;
	states = mem_grow(user->states, n, n == 0 ? 1 : 2 * n, sizeof(*states));
	if (states == NULL)
		return err_no_memory(err, "a user's states");
	user->states = states;
	return STATUS_OK;
}

static enum status add_state(const struct query *row, struct store_user *user, struct err *err)
{
	enum status status = grow(user, err);

	if (status != STATUS_OK)
		return status;
	struct store_state *state = &user->states[user->n_states++];
	*state = (struct store_state){0};
	user->n_events = (uint64_t)sqlite3_column_int64(row->stmt, 6);
	return copy_state(row, state, err);
}

static enum status read_user(struct store *store, const char *user, struct store_user *user_out,
			     struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct conn *conn;
	enum status status = readers_take(&s->readers, &conn, err);
	bool found = true;

	*user_out = (struct store_user){0};
	if (status != STATUS_OK)
		return status;
	struct query query = query_begin(conn, SQL_READ_USER);
	query_text(&query, user);
	while (status == STATUS_OK && found) {
		status = query_step(&query, &found, err);
		if (status == STATUS_OK && found)
			status = add_state(&query, user_out, err);
	}
	query_end(&query);
	readers_give(&s->readers, conn);
	if (status == STATUS_OK && user_out->n_states == 0)
		return err_set(err, STATUS_NOT_FOUND, "this user has no state");
	if (status != STATUS_OK)
		store_user_free(user_out);
	return status;
}

/* A file that was moved away or replaced still takes writes, but nobody will find them. */
static enum status check_file(const struct store_sqlite *s, struct err *err)
{
	struct stat file;

	if (stat(s->path, &file) != 0)
		return path_fault(s, "is gone while in use", err);
	if (file.st_dev != s->device || file.st_ino != s->inode)
		return err_set(err, STATUS_IO,
			       "state %s: another file was put in its place: want a restart",
			       s->name);
	return STATUS_OK;
}

static enum status check_read(struct store_sqlite *s, struct err *err)
{
	struct conn *conn;
	enum status status = readers_take(&s->readers, &conn, err);
	bool found;

	if (status != STATUS_OK)
		return status;
	struct query query = query_begin(conn, SQL_READ_ANY);
	status = query_step(&query, &found, err);
	query_end(&query);
	readers_give(&s->readers, conn);
	return status;
}

static enum status check_write(struct store_sqlite *s, struct err *err)
{
	struct conn probe;
	enum status status = conn_open(&probe, s->name, s->path, CONN_WRITER, PROBE_WAIT_MS, err);

	if (status == STATUS_OK)
		status = conn_set_pragmas(&probe, CONN_WRITER, err);
	if (status == STATUS_OK)
		status = schema_rewrite(&probe, err);
	conn_close(&probe);
	if (status == STATUS_OK)
		atomic_store(&s->write_failed, false);
	return status;
}

static enum status check(struct store *store, struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	enum status status = check_file(s, err);

	if (status == STATUS_OK)
		status = check_read(s, err);
	if (status == STATUS_OK && atomic_load(&s->write_failed))
		status = check_write(s, err);
	return status;
}

static const struct store_ops operations = {
    .apply = store_sqlite_apply,
    .read_state = read_state,
    .read_user = read_user,
    .check = check,
    .close = close_store,
};
