/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "generated/sqlite_schema.h"
#include "server/store_sqlite_recent.h"

/* as in schema/sqlite.sql */
#define APPLICATION_ID 0x4D694352 /* "MiCR" */
#define SCHEMA_VERSION 3
#define OLDEST_VERSION 1 /* that schema_migrate() can make the present one */

/* In one snapshot: another process may be making the tables. */
static enum status read_identity(struct conn *conn, int64_t *application_out, int64_t *version_out,
				 int64_t *n_objects_out, struct err *err)
{
	enum status status = conn_exec(conn, "SAVEPOINT identity", err);

	if (status == STATUS_OK)
		status = conn_read_int(conn, "PRAGMA application_id", application_out, err);
	if (status == STATUS_OK)
		status = conn_read_int(conn, "PRAGMA user_version", version_out, err);
	if (status == STATUS_OK)
		status =
		    conn_read_int(conn, "SELECT count(*) FROM sqlite_schema", n_objects_out, err);
	return status == STATUS_OK ? conn_exec(conn, "RELEASE identity", err) : status;
}

static enum status identify(struct conn *conn, bool *empty_out, struct err *err)
{
	int64_t application, version, n_objects;
	enum status status = read_identity(conn, &application, &version, &n_objects, err);

	if (status != STATUS_OK)
		return status;
	*empty_out = application == 0 && version == 0 && n_objects == 0;
	if (*empty_out)
		return STATUS_OK;
	if (application != APPLICATION_ID)
		return err_set(err, STATUS_STATE_SCHEMA,
			       "state %s: a database of another application (application_id "
			       "%" PRId64 ", microd's is %d): want a path of its own",
			       conn->name, application, APPLICATION_ID);
	if (version < OLDEST_VERSION || version > SCHEMA_VERSION)
		return err_set(
		    err, STATUS_STATE_SCHEMA,
		    "state %s: schema version %" PRId64 ", this microd reads and writes "
		    "version %d, and reads %d and later: want the microd that made it, or a new "
		    "path",
		    conn->name, version, SCHEMA_VERSION, OLDEST_VERSION);
	return STATUS_OK;
}

static enum status quick_check(struct conn *conn, struct err *err)
{
	char fault[256] = "ok";
	enum status status =
	    conn_read_text(conn, "PRAGMA quick_check(1)", fault, sizeof(fault), err);

	if (status != STATUS_OK || strcmp(fault, "ok") == 0)
		return status;
	return err_set(err, STATUS_STATE_CORRUPT,
		       "state %s: damaged: %s: want it restored from a backup, or moved away",
		       conn->name, fault);
}

enum status schema_check(struct conn *conn, bool thorough, struct err *err)
{
	bool empty;
	enum status status = identify(conn, &empty, err);

	return status == STATUS_OK && thorough ? quick_check(conn, err) : status;
}

/* Another process may have made the tables since the file was looked at. */
static enum status create_locked(struct conn *conn, struct err *err)
{
	bool empty;
	enum status status = identify(conn, &empty, err);

	if (status == STATUS_OK && empty)
		status = conn_exec(conn, sqlite_schema_sql, err);
	return status == STATUS_OK ? conn_exec(conn, "COMMIT", err) : status;
}

enum status schema_create(struct conn *conn, struct err *err)
{
	bool empty;
	enum status status = identify(conn, &empty, err);

	if (status == STATUS_OK && empty)
		status = conn_exec(conn, "BEGIN IMMEDIATE", err);
	if (status != STATUS_OK || !empty)
		return status;
	/* closing the connection rolls a failure back */
	return create_locked(conn, err);
}

static void event_key(sqlite3_context *context, int n_args, sqlite3_value **args)
{
	const unsigned char *hash_key = sqlite3_value_blob(args[0]);
	const char *user = (const char *)sqlite3_value_text(args[1]);
	const char *id = (const char *)sqlite3_value_text(args[2]);

	(void)n_args;
	if (hash_key == NULL || user == NULL || id == NULL)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_int64(context, recent_key(hash_key, user, id));
}

/* Version 1 had an index on the texts of users and ids, and every event in the states. */
static const char from_version_1[] =
    "INSERT INTO models SELECT model, id, n_heads FROM models_1;"
    "INSERT INTO events SELECT seq, user, id, context, model, time_us, temperature, strength,"
    " drift, digest, losses, weights, updates, input FROM events_1 ORDER BY seq;"
    "UPDATE folded SET seq = (SELECT coalesce(max(seq), 0) FROM events);"
    "INSERT INTO states SELECT user, context, model, log_weights, updates, updated_us, f.seq"
    " FROM states_1, folded f;"
    "INSERT INTO event_keys SELECT event_key(f.hash_key, user, id), e.seq"
    " FROM events e, folded f;"
    "DROP TABLE events_1; DROP TABLE states_1; DROP TABLE models_1";

/* Version 2 had all but this table, which is written as in schema/sqlite.sql. */
static const char from_version_2[] =
    "CREATE TABLE leaving (\n\tuser TEXT PRIMARY KEY CHECK (user <> '')\n)"
    " STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 3";

static enum status migrate_locked(struct conn *conn, struct err *err)
{
	int64_t version;
	enum status status = conn_read_int(conn, "PRAGMA user_version", &version, err);

	/* another process may have been faster */
	if (status == STATUS_OK && version == 2)
		status = conn_exec(conn, from_version_2, err);
	if (status == STATUS_OK && version == 1) {
		status = conn_exec(conn,
				   "ALTER TABLE events RENAME TO events_1;"
				   "ALTER TABLE states RENAME TO states_1;"
				   "ALTER TABLE models RENAME TO models_1",
				   err);
		if (status == STATUS_OK)
			status = conn_exec(conn, sqlite_schema_sql, err);
		if (status == STATUS_OK)
			status = conn_exec(conn, from_version_1, err);
	}
	return status == STATUS_OK ? conn_exec(conn, "COMMIT", err) : status;
}

enum status schema_migrate(struct conn *conn, struct err *err)
{
	int64_t version;
	enum status status = conn_read_int(conn, "PRAGMA user_version", &version, err);

	if (status != STATUS_OK || version == SCHEMA_VERSION)
		return status;
	if (sqlite3_create_function(conn->db, "event_key", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
				    NULL, event_key, NULL, NULL) != SQLITE_OK)
		return conn_fault(conn, err);
	status = conn_exec(conn, "BEGIN IMMEDIATE", err);
	if (status == STATUS_OK)
		status = migrate_locked(conn, err);
	if (status != STATUS_OK)
		err_wrap(err, "from schema version %" PRId64 " to %d", version, SCHEMA_VERSION);
	return status;
}

enum status schema_rewrite(struct conn *conn, struct err *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", SCHEMA_VERSION);
	return conn_exec(conn, sql, err);
}
