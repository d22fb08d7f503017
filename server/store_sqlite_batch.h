/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_batch.h - what a transaction changes in memory: staged while it is at work,
 * seen by all once it is durable, gone if it fails. Private to store_sqlite*.c.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_BATCH_H
#define MICRO_SERVER_STORE_SQLITE_BATCH_H

#include <stddef.h>

#include "server/store_sqlite_impl.h"

/** batch_begin(s, n_ops, err): room for all that n_ops operations change. */
enum status batch_begin(struct store_sqlite *s, size_t n_ops, struct err *err);

/** batch_take(s, learner, err): what is held becomes the batch's, also on error. */
enum status batch_take(struct store_sqlite *s, struct learner *learner, struct err *err);

/** batch_expect(s, n_states, err): further states may change than one operation's. */
enum status batch_expect(struct store_sqlite *s, size_t n_states, struct err *err);

/** batch_expect_events(s, n_events, err): so many events may come of one operation. */
enum status batch_expect_events(struct store_sqlite *s, size_t n_events, struct err *err);

/** batch_delete(s, user, err): nothing of the user's past is known any more. */
enum status batch_delete(struct store_sqlite *s, const char *user, struct err *err);

/** batch_has_deleted(s, user): in this transaction. */
bool batch_has_deleted(const struct store_sqlite *s, const char *user);

/** batch_commit(s, err): COMMIT, then publish. On error the transaction is not durable. */
enum status batch_commit(struct store_sqlite *s, struct err *err);

/** batch_publish(s): what is staged is durable. */
void batch_publish(struct store_sqlite *s);

/** batch_cancel(s): the transaction is rolled back. */
void batch_cancel(struct store_sqlite *s);

/** batch_close(s): at the end of the store. */
void batch_close(struct store_sqlite *s);

#endif
