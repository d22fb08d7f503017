/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite_readers.h - a few read-only connections, lent to one thread at a
 * time. Private to store_sqlite*.c. */
#ifndef MICRO_SERVER_STORE_SQLITE_READERS_H
#define MICRO_SERVER_STORE_SQLITE_READERS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "server/store_sqlite_conn.h"

struct readers {
	struct conn *conns; /* [n_conns] */
	size_t n_conns;
	int64_t wait_ms;	 /* how long readers_take() waits */
	pthread_mutex_t lock;	 /* guards idle, n_idle */
	pthread_cond_t returned; /* n_idle has grown */
	struct conn **idle;	 /* [n_conns], the first n_idle of them are free */
	size_t n_idle;
};

/** readers_open(readers, n_conns, name, path, wait_ms, err): on error nothing is owned. */
enum status readers_open(struct readers *readers, size_t n_conns, const char *name,
			 const char *path, int64_t wait_ms, struct err *err);

/** readers_take(readers, conn_out, err): one for this thread, to be given back with
 * readers_give(); STATUS_STATE_BUSY if none comes free in time. */
enum status readers_take(struct readers *readers, struct conn **conn_out, struct err *err);

/** readers_give(readers, conn): its query is ended. */
void readers_give(struct readers *readers, struct conn *conn);

/** readers_close(readers): all are given back. */
void readers_close(struct readers *readers);

#endif
