/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_conn.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/heads.h"
#include "server/store_sqlite_vfs.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "arrays are stored as they lie in memory, little-endian");

/* Of an event as a step: in the order of enum column in store_sqlite_replay.c. */
#define EVENT_COLUMNS                                                                              \
	"e.seq, e.user, e.id, e.context, m.id, m.n_heads, e.time_us, e.temperature, e.strength,"   \
	" e.drift, e.losses"

/* All of an event: in the order of enum column in store_sqlite_export.c. */
#define EXPORT_COLUMNS                                                                             \
	"e.seq, e.id, e.context, m.id, m.n_heads, e.time_us, e.temperature, e.strength, e.drift,"  \
	" e.digest, e.losses, e.weights, e.updates, e.input"

/* All SQL on the tables of schema/sqlite.sql */
static const struct {
	enum conn_role role;
	const char *text;
} statements[N_SQL] = {
    [SQL_BEGIN] = {CONN_WRITER, "BEGIN IMMEDIATE"},
    [SQL_COMMIT] = {CONN_WRITER, "COMMIT"},
    [SQL_ROLLBACK] = {CONN_WRITER, "ROLLBACK"},
    [SQL_FIND_EVENT] = {CONN_WRITER, "SELECT e.digest, e.weights, e.updates, m.id, m.n_heads"
				     " FROM event_keys k JOIN events e USING (seq)"
				     " JOIN models m USING (model)"
				     " WHERE k.key = ?1 AND e.user = ?2 AND e.id = ?3"},
    [SQL_FIND_RECENT] = {CONN_WRITER, "SELECT e.digest, e.weights, e.updates, m.id, m.n_heads"
				      " FROM events e JOIN models m USING (model)"
				      " WHERE e.seq = ?1 AND e.user = ?2 AND e.id = ?3"},
    [SQL_FIND_MODEL] = {CONN_WRITER, "SELECT model, n_heads FROM models WHERE id = ?1"},
    [SQL_ADD_MODEL] = {CONN_WRITER, "INSERT INTO models (id, n_heads) VALUES (?1, ?2)"},
    [SQL_FIND_STATE] = {CONN_WRITER, "SELECT log_weights, updates, updated_us, seq FROM states"
				     " WHERE user = ?1 AND context = ?2 AND model = ?3"},
    [SQL_PUT_STATE] = {CONN_WRITER, "INSERT INTO states"
				    " (user, context, model, log_weights, updates, updated_us, seq)"
				    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
				    " ON CONFLICT (user, context, model) DO UPDATE"
				    " SET log_weights = ?4, updates = ?5, updated_us = ?6,"
				    " seq = ?7"},
    [SQL_ADD_EVENT] = {CONN_WRITER, "INSERT INTO events (seq, user, id, context, model, time_us,"
				    " temperature, strength, drift, digest, losses, weights,"
				    " updates, input)"
				    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
				    " ?13, ?14)"},
    /* a key may be there already when a fold begins again */
    [SQL_ADD_KEY] = {CONN_WRITER, "INSERT OR IGNORE INTO event_keys (key, seq) VALUES (?1, ?2)"},
    [SQL_SET_FOLDED] = {CONN_WRITER, "UPDATE folded SET seq = ?1"},
    [SQL_READ_FOLDED] = {CONN_WRITER, "SELECT seq, hash_key,"
				      " (SELECT coalesce(max(seq), 0) FROM events) FROM folded"},
    [SQL_RECENT_EVENTS] = {CONN_WRITER,
			   "SELECT " EVENT_COLUMNS " FROM events e JOIN models m USING (model)"
			   " WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2"},
    [SQL_DELETE_STATES] = {CONN_WRITER, "DELETE FROM states WHERE user = ?1"},
    [SQL_DELETE_EVENTS] = {CONN_WRITER,
			   "DELETE FROM events WHERE user = ?1 AND seq IN"
			   " (SELECT seq FROM event_keys WHERE key BETWEEN ?2 AND ?3)"},
    [SQL_DELETE_RECENT] = {CONN_WRITER, "DELETE FROM events WHERE user = ?1 AND seq = ?2"},
    /* users may share their half of the key */
    [SQL_DELETE_KEYS] = {CONN_WRITER, "DELETE FROM event_keys WHERE key BETWEEN ?1 AND ?2 AND"
				      " NOT EXISTS (SELECT * FROM events e"
				      " WHERE e.seq = event_keys.seq)"},
    [SQL_DELETE_CONTEXT] = {CONN_WRITER,
			    "DELETE FROM events WHERE user = ?1 AND context = ?4 AND seq IN"
			    " (SELECT seq FROM event_keys WHERE key BETWEEN ?2 AND ?3)"},
    [SQL_DELETE_RECENT_CONTEXT] = {CONN_WRITER, "DELETE FROM events WHERE user = ?1 AND seq = ?2"
						" AND context = ?3"},
    /* a user's events up to a seq; and one event, if it is the user's */
    [SQL_USER_EVENTS] = {CONN_WRITER,
			 "SELECT " EVENT_COLUMNS " FROM events e JOIN models m USING (model)"
			 " WHERE e.seq IN (SELECT seq FROM event_keys"
			 " WHERE key BETWEEN ?2 AND ?3)"
			 " AND e.seq <= ?4 AND e.user = ?1 ORDER BY e.seq"},
    [SQL_USER_RECENT] = {CONN_WRITER,
			 "SELECT " EVENT_COLUMNS " FROM events e JOIN models m USING (model)"
			 " WHERE e.user = ?1 AND e.seq = ?2"},
    [SQL_FIND_USER] = {CONN_WRITER, "SELECT 1 FROM states WHERE user = ?1 LIMIT 1"},
    [SQL_NEXT_USER] = {CONN_WRITER, "SELECT user, max(updated_us) FROM states WHERE user ="
				    " (SELECT user FROM states WHERE user > ?1"
				    " ORDER BY user LIMIT 1)"},
    [SQL_PICK_EVENTS] = {CONN_WRITER, "SELECT k.key, k.seq"
				      " FROM event_keys k CROSS JOIN events e USING (seq)"
				      " WHERE k.key BETWEEN ?2 AND ?3 AND e.user = ?1 LIMIT ?4"},
    [SQL_DROP_EVENT] = {CONN_WRITER, "DELETE FROM events WHERE seq = ?1"},
    [SQL_DROP_KEY] = {CONN_WRITER, "DELETE FROM event_keys WHERE key = ?1 AND seq = ?2"},
    [SQL_LEAVES] = {CONN_WRITER, "INSERT INTO leaving (user) VALUES (?1)"},
    [SQL_HAS_LEFT] = {CONN_WRITER, "DELETE FROM leaving WHERE user = ?1"},
    [SQL_WHO_LEAVES] = {CONN_WRITER, "SELECT user FROM leaving LIMIT 1"},
    [SQL_READ_STATE] = {CONN_READER, "SELECT s.log_weights, s.updates, s.updated_us, s.seq,"
				     " s.context"
				     " FROM models m JOIN states s USING (model)"
				     " WHERE m.id = ?1 AND s.user = ?2 AND s.context IN (?3, '')"},
    [SQL_READ_USER] = {CONN_READER, "SELECT s.context, m.id, m.n_heads, s.log_weights, s.updates,"
				    " s.updated_us, s.seq"
				    " FROM states s JOIN models m USING (model)"
				    " WHERE s.user = ?1"},
    [SQL_READ_CONTEXT] = {CONN_READER, "SELECT s.context, m.id, m.n_heads, s.log_weights,"
				       " s.updates, s.updated_us, s.seq"
				       " FROM states s JOIN models m USING (model)"
				       " WHERE s.user = ?1 AND s.context = ?2"},
    /* a user's events up to folded.seq, and after it, up to another seq */
    [SQL_EXPORT_FOLDED] = {CONN_READER,
			   "SELECT " EXPORT_COLUMNS " FROM events e JOIN models m USING (model)"
			   " WHERE e.seq IN (SELECT seq FROM event_keys"
			   " WHERE key BETWEEN ?2 AND ?3) AND e.seq <= ?4"
			   " AND e.seq <= ?5 AND e.user = ?1 ORDER BY e.seq"},
    [SQL_EXPORT_RECENT] = {CONN_READER,
			   "SELECT " EXPORT_COLUMNS " FROM events e JOIN models m USING (model)"
			   " WHERE e.seq > ?2 AND e.seq <= ?3 AND e.user = ?1"
			   " ORDER BY e.seq"},
    /* the next user; a user's first row is an overall state */
    [SQL_LIST_STATES] = {CONN_READER, "SELECT user, sum(updates), max(updated_us) FROM states"
				      " WHERE context = '' AND user = (SELECT user FROM states"
				      " WHERE user > ?1 ORDER BY user LIMIT 1)"},
    /* what recent events add to that */
    [SQL_LIST_RECENT] = {CONN_READER, "SELECT e.user, count(*), max(e.time_us)"
				      " FROM folded f CROSS JOIN events e LEFT JOIN states s"
				      " ON s.user = e.user AND s.context = ''"
				      " AND s.model = e.model"
				      " WHERE e.seq > f.seq AND e.user > ?1"
				      " AND (?2 IS NULL OR e.user <= ?2)"
				      " AND (s.seq IS NULL OR e.seq > s.seq)"
				      " GROUP BY e.user ORDER BY e.user LIMIT ?3"},
    [SQL_READ_ANY] = {CONN_READER,
		      "SELECT (SELECT count(*) FROM models), EXISTS (SELECT * FROM states),"
		      " EXISTS (SELECT * FROM events), EXISTS (SELECT * FROM event_keys),"
		      " (SELECT seq FROM folded)"},
};

/* What SQLite's primary result codes mean to us; others are STATUS_INTERNAL. */
static const struct {
	int code;
	enum status status;
	const char *want;
} faults[] = {
    {SQLITE_BUSY, STATUS_STATE_BUSY, "another connection holds its lock, try again"},
    {SQLITE_LOCKED, STATUS_STATE_BUSY, "another connection holds its lock, try again"},
    {SQLITE_FULL, STATUS_STATE_FULL, "want free space on its disk"},
    {SQLITE_CORRUPT, STATUS_STATE_CORRUPT, "want it restored from a backup, or moved away"},
    {SQLITE_NOTADB, STATUS_STATE_CORRUPT, "want a state of microd, or a path that is still free"},
    {SQLITE_NOMEM, STATUS_NO_MEMORY, "try again"},
    {SQLITE_IOERR, STATUS_IO, "want a disk that reads and writes"},
    {SQLITE_CANTOPEN, STATUS_IO, "want a file and a folder that this user may write"},
    {SQLITE_PERM, STATUS_IO, "want a file and a folder that this user may write"},
    {SQLITE_READONLY, STATUS_IO, "want a file and a folder that this user may write"},
    {SQLITE_PROTOCOL, STATUS_IO, "want a local file system, where locks work"},
    {SQLITE_ERROR, STATUS_STATE_SCHEMA, "want the tables as microd made them"},
    {SQLITE_SCHEMA, STATUS_STATE_SCHEMA, "want the tables as microd made them"},
};

#define TEXT_OF(token) #token
#define TEXT(macro)    TEXT_OF(macro)

/* Set, then read back: a pragma that SQLite cannot honour says nothing by itself. */
static const struct {
	enum conn_role role;
	const char *set;
	const char *get;
	const char *value;
} pragmas[] = {
    {CONN_WRITER, "PRAGMA journal_mode = WAL", "PRAGMA journal_mode", "wal"},
    {CONN_WRITER, "PRAGMA synchronous = FULL", "PRAGMA synchronous", "2"},
    {CONN_WRITER, "PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", "1"},
    /* these three are what deletion relies on, see store_sqlite_vfs.h */
    {CONN_WRITER, "PRAGMA secure_delete = ON", "PRAGMA secure_delete", "1"},
    {CONN_WRITER, "PRAGMA auto_vacuum = NONE", "PRAGMA auto_vacuum", "0"},
    {CONN_WRITER, "PRAGMA max_page_count = " TEXT(VFS_MAX_PAGES), "PRAGMA max_page_count",
     TEXT(VFS_MAX_PAGES)},
    /* 16 MiB; and 32 MiB of log between checkpoints: a page that is changed often is written
     * back once. Together a third to a half more feedbacks per second. */
    {CONN_WRITER, "PRAGMA cache_size = -16384", "PRAGMA cache_size", "-16384"},
    {CONN_WRITER, "PRAGMA wal_autocheckpoint = 8000", "PRAGMA wal_autocheckpoint", "8000"},
    {CONN_READER, "PRAGMA query_only = ON", "PRAGMA query_only", "1"},
};

enum status conn_fault(struct conn *conn, struct err *err)
{
	int code = sqlite3_extended_errcode(conn->db) & 0xff;
	const char *text = sqlite3_errmsg(conn->db);

	/* not every lack of space shows up as SQLITE_FULL */
	if (code == SQLITE_IOERR && sqlite3_system_errno(conn->db) == ENOSPC)
		code = SQLITE_FULL;
	if ((code == SQLITE_CORRUPT || code == SQLITE_NOTADB) && conn->damage != NULL)
		atomic_store(conn->damage, true);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].code == code)
			return err_set(err, faults[i].status, "state %s: %s: %s", conn->name, text,
				       faults[i].want);
	}
	return err_set(err, STATUS_INTERNAL, "state %s: %s", conn->name, text);
}

enum status conn_open(struct conn *conn, const char *name, const char *path, enum conn_role role,
		      int64_t busy_timeout_ms, struct err *err)
{
	int flags = role == CONN_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

	*conn = (struct conn){.name = name};
	if (!vfs_register())
		return err_no_memory(err, "SQLite");
	/* each connection is used by one thread at a time */
	if (sqlite3_open_v2(path, &conn->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			    VFS_NAME) != SQLITE_OK ||
	    sqlite3_busy_timeout(conn->db, (int)busy_timeout_ms) != SQLITE_OK)
		return conn_fault(conn, err);
	return STATUS_OK;
}

enum status conn_exec(struct conn *conn, const char *sql, struct err *err)
{
	return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK
									  : conn_fault(conn, err);
}

/* Prepare a statement and step to the row that it must have. */
static enum status first_row(struct conn *conn, const char *sql, sqlite3_stmt **stmt_out,
			     struct err *err)
{
	enum status status;

	if (sqlite3_prepare_v2(conn->db, sql, -1, stmt_out, NULL) == SQLITE_OK &&
	    sqlite3_step(*stmt_out) == SQLITE_ROW)
		return STATUS_OK;
	status = conn_fault(conn, err);
	sqlite3_finalize(*stmt_out);
	return status;
}

enum status conn_read_int(struct conn *conn, const char *sql, int64_t *value_out, struct err *err)
{
	sqlite3_stmt *stmt;
	enum status status = first_row(conn, sql, &stmt, err);

	if (status != STATUS_OK)
		return status;
	*value_out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return STATUS_OK;
}

enum status conn_read_text(struct conn *conn, const char *sql, char *text_out, size_t size,
			   struct err *err)
{
	sqlite3_stmt *stmt;
	enum status status = first_row(conn, sql, &stmt, err);
	const unsigned char *text;

	if (status != STATUS_OK)
		return status;
	text = sqlite3_column_text(stmt, 0);
	if (text == NULL)
		status = conn_fault(conn, err);
	else
		snprintf(text_out, size, "%s", (const char *)text);
	sqlite3_finalize(stmt);
	return status;
}

static enum status check_pragma(struct conn *conn, const char *get, const char *want,
				struct err *err)
{
	char got[32];
	enum status status = conn_read_text(conn, get, got, sizeof(got), err);

	if (status != STATUS_OK || strcmp(got, want) == 0)
		return status;
	return err_set(err, STATUS_IO,
		       "state %s: %s is %s, want %s, as in a database that microd made and on a "
		       "local file system",
		       conn->name, get, got, want);
}

enum status conn_set_pragmas(struct conn *conn, enum conn_role role, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]) && status == STATUS_OK; i++) {
		if (pragmas[i].role != role)
			continue;
		status = conn_exec(conn, pragmas[i].set, err);
		if (status == STATUS_OK)
			status = check_pragma(conn, pragmas[i].get, pragmas[i].value, err);
	}
	return status;
}

enum status conn_prepare(struct conn *conn, enum conn_role role, struct err *err)
{
	for (size_t i = 0; i < N_SQL; i++) {
		if (statements[i].role == role &&
		    sqlite3_prepare_v3(conn->db, statements[i].text, -1, SQLITE_PREPARE_PERSISTENT,
				       &conn->stmt[i], NULL) != SQLITE_OK)
			return conn_fault(conn, err);
	}
	return STATUS_OK;
}

void conn_close(struct conn *conn)
{
	for (size_t i = 0; i < N_SQL; i++)
		sqlite3_finalize(conn->stmt[i]);
	sqlite3_close(conn->db);
}

struct query query_begin(struct conn *conn, enum sql sql)
{
	return (struct query){.conn = conn, .stmt = conn->stmt[sql]};
}

/* Nothing is copied, so only a wrong index or an endless value could be refused. */
static void bound(int result)
{
	assert(result == SQLITE_OK);
	(void)result;
}

void query_text(struct query *query, const char *text)
{
	bound(sqlite3_bind_text(query->stmt, ++query->n_bound, text, -1, SQLITE_STATIC));
}

void query_int(struct query *query, int64_t value)
{
	bound(sqlite3_bind_int64(query->stmt, ++query->n_bound, value));
}

void query_real(struct query *query, double value)
{
	bound(sqlite3_bind_double(query->stmt, ++query->n_bound, value));
}

void query_bytes(struct query *query, const void *bytes, size_t len)
{
	bound(sqlite3_bind_blob64(query->stmt, ++query->n_bound, bytes, len, SQLITE_STATIC));
}

enum status query_step(struct query *query, bool *row_out, struct err *err)
{
	int result = sqlite3_step(query->stmt);

	*row_out = result == SQLITE_ROW;
	return result == SQLITE_ROW || result == SQLITE_DONE ? STATUS_OK
							     : conn_fault(query->conn, err);
}

enum status query_run(struct query *query, struct err *err)
{
	bool row;
	enum status status = query_step(query, &row, err);

	query_end(query);
	return status;
}

enum status query_n_heads(const struct query *query, int column, size_t *n_heads_out,
			  struct err *err)
{
	int64_t n_heads = sqlite3_column_int64(query->stmt, column);

	if (n_heads < 1 || n_heads > HEADS_MAX)
		return err_set(err, STATUS_STATE_CORRUPT,
			       "state %s: a model of %" PRId64 " heads, want 1 to %d",
			       query->conn->name, n_heads, HEADS_MAX);
	*n_heads_out = (size_t)n_heads;
	return STATUS_OK;
}

enum status query_user(const struct query *query, int column, char user_out[STORE_MAX_ID + 1],
		       struct err *err)
{
	const unsigned char *user = sqlite3_column_text(query->stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(query->stmt, column);

	if (user == NULL)
		return conn_fault(query->conn, err);
	if (len > STORE_MAX_ID)
		return err_set(err, STATUS_STATE_CORRUPT,
			       "state %s: a user of %zu bytes, want at most %d", query->conn->name,
			       len, STORE_MAX_ID);
	memcpy(user_out, user, len + 1);
	return STATUS_OK;
}

enum status query_doubles(const struct query *query, int column, size_t n, double *out,
			  struct err *err)
{
	const void *bytes = sqlite3_column_blob(query->stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(query->stmt, column);
	const char *name = sqlite3_column_name(query->stmt, column);

	if (len != n * sizeof(double))
		return err_set(err, STATUS_STATE_CORRUPT, "state %s: %s of %zu bytes, want %zu",
			       query->conn->name, name, len, n * sizeof(double));
	memcpy(out, bytes, len);
	if (!all_finite(out, n))
		return err_set(err, STATUS_STATE_CORRUPT, "state %s: %s are not finite",
			       query->conn->name, name);
	return STATUS_OK;
}

void query_end(struct query *query)
{
	sqlite3_reset(query->stmt);
}
