/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_conn.h - one connection to a state database: its pragmas, its
 * prepared statements, and what SQLite's errors mean. Private to store_sqlite*.c.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_CONN_H
#define MICRO_SERVER_STORE_SQLITE_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "core/base/err.h"
#include "server/store.h"

enum conn_role { CONN_WRITER, CONN_READER };

enum sql {
	/* of a CONN_WRITER */
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_FIND_EVENT,
	SQL_FIND_RECENT,
	SQL_FIND_MODEL,
	SQL_ADD_MODEL,
	SQL_FIND_STATE,
	SQL_PUT_STATE,
	SQL_ADD_EVENT,
	SQL_ADD_KEY,
	SQL_SET_FOLDED,
	SQL_READ_FOLDED,
	SQL_RECENT_EVENTS,
	SQL_DELETE_STATES,
	SQL_DELETE_EVENTS,
	SQL_DELETE_RECENT,
	SQL_DELETE_KEYS,
	SQL_DELETE_CONTEXT,
	SQL_DELETE_RECENT_CONTEXT,
	SQL_USER_EVENTS,
	SQL_USER_RECENT,
	SQL_FIND_USER,
	SQL_NEXT_USER,
	SQL_PICK_EVENTS,
	SQL_DROP_EVENT,
	SQL_DROP_KEY,
	SQL_LEAVES,
	SQL_HAS_LEFT,
	SQL_WHO_LEAVES,
	/* of a CONN_READER */
	SQL_READ_STATE,
	SQL_READ_USER,
	SQL_READ_CONTEXT,
	SQL_EXPORT_FOLDED,
	SQL_EXPORT_RECENT,
	SQL_LIST_STATES,
	SQL_LIST_RECENT,
	SQL_READ_ANY,
	N_SQL
};

struct conn {
	sqlite3 *db;
	const char *name;	   /* of the file, for messages; the owner's */
	sqlite3_stmt *stmt[N_SQL]; /* NULL: of another role, or not prepared yet */
	atomic_bool *damage;	   /* set when the file turns out to be damaged; NULL: no need */
};

/**
 * conn_open(conn, name, path, role, busy_timeout_ms, err): open the existing file
 * path; nothing in it is read or changed yet. conn_close() also after an error.
 */
enum status conn_open(struct conn *conn, const char *name, const char *path, enum conn_role role,
		      int64_t busy_timeout_ms, struct err *err);

/** conn_set_pragmas(conn, role, err): set what the role needs and read it back. */
enum status conn_set_pragmas(struct conn *conn, enum conn_role role, struct err *err);

/** conn_prepare(conn, role, err): all statements of the role; STATUS_STATE_SCHEMA if a
 * table or column is not as in schema/sqlite.sql. */
enum status conn_prepare(struct conn *conn, enum conn_role role, struct err *err);

/** conn_exec(conn, sql, err): run statements that need no values and give no rows. */
enum status conn_exec(struct conn *conn, const char *sql, struct err *err);

/** conn_read_int(conn, sql, value_out, err): the one number that sql asks for. */
enum status conn_read_int(struct conn *conn, const char *sql, int64_t *value_out, struct err *err);

/** conn_read_text(conn, sql, text_out, size, err): the one text, cut to size. */
enum status conn_read_text(struct conn *conn, const char *sql, char *text_out, size_t size,
			   struct err *err);

/** conn_fault(conn, err): the connection's last error as a status, in words. */
enum status conn_fault(struct conn *conn, struct err *err);

/** conn_close(conn): a zeroed conn is allowed. */
void conn_close(struct conn *conn);

/*
 * One run of a prepared statement: begin, values in the order of ?1, ?2, ...,
 * step until there is no row, end. Values are not copied: they live until the end.
 */
struct query {
	struct conn *conn;
	sqlite3_stmt *stmt;
	int n_bound;
};

struct query query_begin(struct conn *conn, enum sql sql);
void query_text(struct query *query, const char *text); /* NULL is SQL's NULL */
void query_int(struct query *query, int64_t value);
void query_real(struct query *query, double value);
void query_bytes(struct query *query, const void *bytes, size_t len);

/** query_step(query, row_out, err): the next row, if any. */
enum status query_step(struct query *query, bool *row_out, struct err *err);

/** query_run(query, err): step through a statement that gives no rows, and end it. */
enum status query_run(struct query *query, struct err *err);

/** query_n_heads(query, column, n_heads_out, err): a number of heads; STATUS_STATE_CORRUPT
 * for one that no model has. */
enum status query_n_heads(const struct query *query, int column, size_t *n_heads_out,
			  struct err *err);

/** query_user(query, column, user_out, err): a user's name; STATUS_STATE_CORRUPT for one that is
 * longer than any. */
enum status query_user(const struct query *query, int column, char user_out[STORE_MAX_ID + 1],
		       struct err *err);

/**
 * query_doubles(query, column, n, out, err): the array of n float64 in this
 * column; STATUS_STATE_CORRUPT for another size or a number that is not finite.
 */
enum status query_doubles(const struct query *query, int column, size_t n, double *out,
			  struct err *err);

void query_end(struct query *query);

#endif
