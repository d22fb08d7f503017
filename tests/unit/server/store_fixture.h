/* SPDX-License-Identifier: Apache-2.0 */
/* store_fixture.h - databases in a folder of their own, and learning steps to give them. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "server/store.h"

#define STORE_HEADS	  3
#define STORE_CACHE	  (1 << 20)
#define STORE_SMALL_CACHE (1 << 15)
#define STORE_MAX_STEPS	  8		   /* of store_apply_steps() */
#define STORE_TIME_US	  1767225600000000 /* 2026-01-01T00:00:00Z */

struct store_folder {
	char path[64];
	char file[80]; /* of the database; not made yet */
};

/** store_folder_make(folder): empty, under $TMPDIR or /tmp. */
void store_folder_make(struct store_folder *folder);

/** store_folder_remove(folder): with everything in it. */
void store_folder_remove(const struct store_folder *folder);

/** store_folder_open(folder): its database, two readers, short waits; must succeed. */
struct store *store_folder_open(const struct store_folder *folder);

/** store_folder_open_small(folder): with a cache that is soon full: it folds after some fifty
 * states have changed, and forgets. */
struct store *store_folder_open_small(const struct store_folder *folder);

/** store_folder_sql(folder, sql): run sql on a connection of its own, without microd. */
void store_folder_sql(const struct store_folder *folder, const char *sql);

/** store_folder_int(folder, sql): the number that sql asks for. */
int64_t store_folder_int(const struct store_folder *folder, const char *sql);

/* A feedback and all that it points to. */
struct store_step {
	struct store_op op;
	char user[STORE_MAX_ID + 1], context[STORE_MAX_ID + 1], event_id[STORE_MAX_ID + 1];
	double loss[HEADS_MAX];
	float logits[HEADS_MAX];
	double weights[HEADS_MAX];
};

/** store_step_set(step, user, context, event_id, seed): of STORE_HEADS heads of "model";
 * losses, logits and digest follow from seed. */
void store_step_set(struct store_step *step, const char *user, const char *context,
		    const char *event_id, unsigned seed);

/** store_step_resize(step, model_id, n_heads): the same for another model. */
void store_step_resize(struct store_step *step, const char *model_id, size_t n_heads);

/** store_apply_one(store, op): alone in a transaction that succeeds; op's own outcome. */
enum status store_apply_one(struct store *store, struct store_op *op);

/** store_apply_steps(store, steps, n): together, in a transaction that succeeds. */
void store_apply_steps(struct store *store, struct store_step *steps, size_t n);

/** store_give(store, user, context, event_id, seed): a step that must be done; its updates. */
uint64_t store_give(struct store *store, const char *user, const char *context,
		    const char *event_id, unsigned seed);

/** store_delete(store, user): must be done; the number of events deleted. */
uint64_t store_delete(struct store *store, const char *user);

#endif
