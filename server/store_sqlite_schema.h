/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_schema.h - is this file a state of microd, of the version that
 * this program reads and writes? After a failure the connection can only be
 * closed. Private to store_sqlite*.c.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_SCHEMA_H
#define MICRO_SERVER_STORE_SQLITE_SCHEMA_H

#include <stdbool.h>

#include "core/base/err.h"
#include "server/store_sqlite_conn.h"

/**
 * schema_check(conn, thorough, err): an empty database, or one with the right
 * application_id and user_version, and undamaged as far as PRAGMA quick_check can
 * tell if thorough. Only reads.
 */
enum status schema_check(struct conn *conn, bool thorough, struct err *err);

/** schema_create(conn, err): make the tables if the database is empty. */
enum status schema_create(struct conn *conn, struct err *err);

/** schema_rewrite(conn, err): write, durably, what is there already: can it be written? */
enum status schema_rewrite(struct conn *conn, struct err *err);

#endif
