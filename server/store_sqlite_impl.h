/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite_impl.h - what the parts of the SQLite store share. Private to
 * store_sqlite*.c. */
#ifndef MICRO_SERVER_STORE_SQLITE_IMPL_H
#define MICRO_SERVER_STORE_SQLITE_IMPL_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/store.h"
#include "server/store_sqlite_conn.h"
#include "server/store_sqlite_readers.h"

/* The log-weights of a user in one context. */
struct learner {
	double log_weight[HEADS_MAX]; /* [n_heads] */
	uint64_t updates;	      /* steps taken; 0: not in the database */
};

/*
 * Invariants: 1. writer, overall, in_context and checkpoint_due belong to the one
 *                thread in store_apply().
 *             2. everything else but write_failed is immutable while the store is open.
 */
struct store_sqlite {
	struct store base;   /* first: a struct store * of this kind points here */
	char *name;	     /* the path as the operator gave it, for messages */
	char path[PATH_MAX]; /* absolute: SQLite gives no special meaning to it */
	dev_t device;	     /* which file it is, to notice when it is replaced */
	ino_t inode;
	int64_t busy_timeout_ms;
	struct conn writer;
	struct readers readers;
	struct learner overall;	   /* scratch of a learning step: the context '' */
	struct learner in_context; /* and the context of the feedback */
	bool checkpoint_due;	   /* deleted content may still lie in the write-ahead log */
	atomic_bool write_failed;  /* the last store_apply() failed */
};

/** store_sqlite_apply(store, ops, n_ops, err): see store_apply(). */
enum status store_sqlite_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			       struct err *err);

/** store_sqlite_checkpoint(s): move the write-ahead log into the database and empty it, so
 * that nothing deleted stays there; if readers are in the way, it is due again later. */
void store_sqlite_checkpoint(struct store_sqlite *s);

#endif
