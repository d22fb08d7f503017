/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_offline.h - what other processes than the daemon do with a state database,
 * also while a daemon has it open: look at it, copy it. Neither changes it;
 * SQLite may leave its files -wal and -shm beside it, empty.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_OFFLINE_H
#define MICRO_SERVER_STORE_SQLITE_OFFLINE_H

#include <stdint.h>

#include "core/base/err.h"

struct store_facts {
	int64_t n_users;
	int64_t n_events;
};

/**
 * store_sqlite_inspect(path, facts_out, err): is this a state database that this microd
 * serves, whole and undamaged? An empty file is: the tables would be made. The same
 * refusals as store_sqlite_open(); STATUS_IO if it is not there.
 */
enum status store_sqlite_inspect(const char *path, struct store_facts *facts_out, struct err *err);

/**
 * store_sqlite_backup(path, to, facts_out, err): a copy of one moment of the database,
 * checked, for this user only (mode 0600), in a file that appears when it is whole and on
 * disk. Rows are copied, not pages: nothing that was deleted is in it. STATUS_IO also if
 * there is a file of that name.
 */
enum status store_sqlite_backup(const char *path, const char *to, struct store_facts *facts_out,
				struct err *err);

#endif
