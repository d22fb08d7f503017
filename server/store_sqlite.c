/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite.c - the store in a SQLite file: open, read, check, close. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/store_sqlite_batch.h"
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

/* States are in memory: two processes that write would each not know what the other has
 * learnt. SQLite's own locks are not disturbed, but they end when this descriptor is closed:
 * after SQLite's. */
static enum status lock_file(struct store_sqlite *s, struct err *err)
{
	s->lock_fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->lock_fd < 0)
		return path_fault(s, "cannot be opened", err);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return STATUS_OK;
	if (errno != EWOULDBLOCK)
		return path_fault(s, "cannot be locked: want a local file system", err);
	return err_set(err, STATUS_STATE_BUSY,
		       "state %s: another microd has it open: want it stopped, or a path of its "
		       "own for each",
		       s->name);
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
		status = schema_migrate(writer, err);
	if (status == STATUS_OK)
		status = conn_prepare(writer, CONN_WRITER, err);
	if (status != STATUS_OK)
		return status;
	checkpoint_on_close(writer, true);
	/* what a killed process committed or deleted reaches the disk before it is relied on */
	store_sqlite_checkpoint(s);
	return STATUS_OK;
}

/* Also of a store that was opened in part. */
static void close_all(struct store_sqlite *s)
{
	batch_close(s);
	if (s->cache != NULL)
		fold_close(&s->fold, s->cache);
	state_cache_close(s->cache);
	recent_close(&s->recent);
	conn_close(&s->writer);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->publishing);
	mem_free(s->name);
	mem_free(s);
}

static enum status open_memory(struct store_sqlite *s, size_t cache_bytes, struct err *err)
{
	enum status status = state_cache_open(cache_bytes, &s->cache, err);

	s->fold.max_bytes = cache_bytes / FOLD_CACHE_SHARE;
	return status == STATUS_OK ? recent_open(&s->recent, err) : status;
}

static enum status open_all(struct store_sqlite *s, const struct store_sqlite_options *options,
			    struct err *err)
{
	enum status status = find_file(s, err);

	if (status == STATUS_OK)
		status = lock_file(s, err);
	if (status == STATUS_OK)
		status = open_writer(s, options->check, err);
	if (status == STATUS_OK)
		status = open_memory(s, options->cache_bytes, err);
	if (status == STATUS_OK)
		status = store_sqlite_replay(s, err);
	if (status == STATUS_OK)
		status = store_sqlite_open_leaving(s, err);
	if (status == STATUS_OK)
		status = readers_open(&s->readers, options->n_readers, s->name, s->path,
				      s->busy_timeout_ms, err);
	s->writer.damage = &s->damage;
	for (size_t i = 0; status == STATUS_OK && i < s->readers.n_conns; i++)
		s->readers.conns[i].damage = &s->damage;
	return status;
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
	s->lock_fd = -1;
	pthread_mutex_init(&s->publishing, NULL);
	s->name = mem_string(options->path, strlen(options->path));
	status = s->name == NULL ? err_no_memory(err, "the store") : open_all(s, options, err);
	if (status != STATUS_OK)
		close_all(s);
	else
		*store_out = &s->base;
	return status;
}

static void close_store(struct store *store)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct err ignored;

	readers_close(&s->readers);
	/* so that the tables say it all; if it fails, the next open replays */
	fold_all(s, &ignored);
	close_all(s);
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

/* It is tried again until something is learnt: a try is shorter than that, and may have taken the
 * last place of a log that is longer than what is in it. */
static enum status check_write(struct store_sqlite *s, struct err *err)
{
	struct conn probe;
	enum status status = conn_open(&probe, s->name, s->path, CONN_WRITER, PROBE_WAIT_MS, err);

	if (status == STATUS_OK)
		status = conn_set_pragmas(&probe, CONN_WRITER, err);
	if (status == STATUS_OK)
		status = schema_rewrite(&probe, err);
	conn_close(&probe);
	return status;
}

/* Whoever met it has told; what lies on other pages may still be read. */
static enum status check_damage(struct store_sqlite *s, struct err *err)
{
	if (!atomic_load(&s->damage))
		return STATUS_OK;
	return err_set(
	    err, STATUS_STATE_CORRUPT,
	    "state %s: malformed in places: want it restored from a backup, and a restart",
	    s->name);
}

static enum status check(struct store *store, struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	enum status status = check_file(s, err);

	if (status == STATUS_OK)
		status = check_damage(s, err);
	if (status == STATUS_OK)
		status = check_read(s, err);
	if (status == STATUS_OK && atomic_load(&s->write_failed))
		status = check_write(s, err);
	return status;
}

static void stats(struct store *store, struct store_stats *stats_out)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct state_cache_stats cache;

	state_cache_stats(s->cache, &cache);
	*stats_out = (struct store_stats){
	    .cache_capacity_bytes = cache.capacity_bytes,
	    .cache_bytes = cache.bytes,
	    .cache_states = cache.n_states,
	    .cache_hits = cache.hits,
	    .cache_misses = cache.misses,
	    .cache_evictions = cache.evictions,
	    .recent_events = atomic_load_explicit(&s->n_recent, memory_order_relaxed),
	    .folds = atomic_load_explicit(&s->n_folds, memory_order_relaxed),
	    .replayed_events = s->n_replayed,
	};
}

static const struct store_ops operations = {
    .apply = store_sqlite_apply,
    .read_state = store_sqlite_read_state,
    .read_user = store_sqlite_read_user,
    .list_users = store_sqlite_list_users,
    .export_user = store_sqlite_export,
    .check = check,
    .stats = stats,
    .close = close_store,
};
