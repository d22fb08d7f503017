/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_offline.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/atomic_file.h"
#include "server/store_sqlite_conn.h"
#include "server/store_sqlite_schema.h"

#define BUSY_TIMEOUT_MS 10000

/* conn_close() also after an error. */
static enum status open_existing(struct conn *conn, const char *name, char path_out[PATH_MAX],
				 struct err *err)
{
	*conn = (struct conn){0};
	/* absolute: SQLite gives no special meaning to it */
	if (realpath(name, path_out) == NULL) {
		err_errno(err, STATUS_IO, "cannot be opened");
		return err_wrap(err, "state %s", name);
	}
	return conn_open(conn, name, path_out, CONN_READER, BUSY_TIMEOUT_MS, err);
}

/* Users of recent events may not be in states yet; version 1 had no such events. */
static const char count_users[] =
    "SELECT count(*) FROM (SELECT user FROM states UNION SELECT user FROM events"
    " WHERE seq > (SELECT seq FROM folded))";
static const char count_users_1[] = "SELECT count(DISTINCT user) FROM states";

static enum status read_facts(struct conn *conn, struct store_facts *facts_out, struct err *err)
{
	int64_t n_tables, version;
	enum status status =
	    conn_read_int(conn, "SELECT count(*) FROM sqlite_schema", &n_tables, err);

	*facts_out = (struct store_facts){0};
	if (status != STATUS_OK || n_tables == 0)
		return status;
	status = conn_read_int(conn, "PRAGMA user_version", &version, err);
	if (status == STATUS_OK)
		status = conn_read_int(conn, version == 1 ? count_users_1 : count_users,
				       &facts_out->n_users, err);
	if (status != STATUS_OK)
		return status;
	return conn_read_int(conn, "SELECT count(*) FROM events", &facts_out->n_events, err);
}

enum status store_sqlite_inspect(const char *path, struct store_facts *facts_out, struct err *err)
{
	char absolute[PATH_MAX];
	struct conn conn;
	enum status status = open_existing(&conn, path, absolute, err);

	if (status == STATUS_OK)
		status = schema_check(&conn, true, err);
	if (status == STATUS_OK)
		status = read_facts(&conn, facts_out, err);
	conn_close(&conn);
	return status;
}

/* VACUUM INTO builds a new database of the rows that one snapshot has: what was deleted, in
 * free pages, unallocated space or the write-ahead log, is not a row. It writes through the
 * layer of store_sqlite_vfs.h, so a restored copy keeps that promise as the original does. */
static enum status copy_rows(struct conn *conn, const char *to, struct err *err)
{
	sqlite3_stmt *stmt;
	enum status status = STATUS_OK;

	if (sqlite3_prepare_v2(conn->db, "VACUUM INTO ?1", -1, &stmt, NULL) != SQLITE_OK)
		return conn_fault(conn, err);
	if (sqlite3_bind_text(stmt, 1, to, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_DONE)
		status = conn_fault(conn, err);
	sqlite3_finalize(stmt);
	return status;
}

/* Into an empty file, which SQLite takes as one that is not there. */
static enum status copy_into(struct conn *conn, const struct atomic_file *file,
			     struct store_facts *facts_out, struct err *err)
{
	char to[PATH_MAX];
	enum status status;

	if (fchmod(file->fd, 0600) != 0 || realpath(file->temporary, to) == NULL)
		return err_errno(err, STATUS_IO, file->temporary);
	status = schema_check(conn, false, err);
	if (status == STATUS_OK)
		status = copy_rows(conn, to, err);
	return status == STATUS_OK ? store_sqlite_inspect(to, facts_out, err) : status;
}

static enum status copy_to(struct conn *conn, const char *to, struct store_facts *facts_out,
			   struct err *err)
{
	struct atomic_file file;
	enum status status;

	/* it might be the database of another microd */
	if (access(to, F_OK) == 0)
		return err_set(err, STATUS_IO, "there already, want a new name");
	status = atomic_file_open(&file, to, err);
	if (status != STATUS_OK)
		return status;
	status = copy_into(conn, &file, facts_out, err);
	if (status == STATUS_OK)
		return atomic_file_commit(&file, err);
	atomic_file_abort(&file);
	return status;
}

enum status store_sqlite_backup(const char *path, const char *to, struct store_facts *facts_out,
				struct err *err)
{
	char absolute[PATH_MAX];
	struct conn conn;
	enum status status = open_existing(&conn, path, absolute, err);

	if (status == STATUS_OK) {
		status = copy_to(&conn, to, facts_out, err);
		if (status != STATUS_OK)
			err_wrap(err, "backup %s", to);
	}
	conn_close(&conn);
	return status;
}
