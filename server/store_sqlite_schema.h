/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_schema.h - is this file a state of microd, of a version that
 * this program can read and write? After a failure the connection can only be
 * closed. Private to store_sqlite*.c.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_SCHEMA_H
#define MICRO_SERVER_STORE_SQLITE_SCHEMA_H

#include <stdbool.h>

#include "core/base/err.h"
#include "server/store_sqlite_conn.h"

/**
 * schema_check(conn, thorough, err): an empty database, or one with the right
 * application_id and a user_version up to this one, and undamaged as far as PRAGMA quick_check can
 * tell if thorough. Only reads.
 */
enum status schema_check(struct conn *conn, bool thorough, struct err *err);

/** schema_create(conn, err): make the tables if the database is empty. */
enum status schema_create(struct conn *conn, struct err *err);

/** schema_migrate(conn, err): make a database of an older version one of the present version,
 * in one transaction: after a failure, or a kill -9, it is as it was. */
enum status schema_migrate(struct conn *conn, struct err *err);

/** schema_rewrite(conn, err): write, durably, what is there already: can it be written? */
enum status schema_rewrite(struct conn *conn, struct err *err);

#endif
