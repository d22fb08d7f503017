/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite_impl.h - what the parts of the SQLite store share. Private to
 * store_sqlite*.c. */
#ifndef MICRO_SERVER_STORE_SQLITE_IMPL_H
#define MICRO_SERVER_STORE_SQLITE_IMPL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/state_cache.h"
#include "server/store.h"
#include "server/store_sqlite_conn.h"
#include "server/store_sqlite_fold.h"
#include "server/store_sqlite_readers.h"
#include "server/store_sqlite_recent.h"

/* A row of models, as far as it is committed. */
struct known_model {
	char id[STORE_MAX_ID + 1];
	int64_t model; /* 0: none is known */
	size_t n_heads;
};

/* What a transaction will have changed in memory when it is durable. */
struct batch {
	struct learner **taken; /* [n_taken]: held by it, some of them several times */
	size_t n_taken, capacity;
	size_t n_recent;   /* recent events before it */
	int64_t first_seq; /* next_seq before it */
	size_t n_events;   /* new ones */
	size_t n_ops;
	size_t n_changes;     /* states that may change, at most */
	const char **deleted; /* [n_deleted]: users, the operations' */
	size_t n_deleted, deleted_capacity;
	char leaving[STORE_MAX_ID + 1]; /* as in struct store_sqlite, after it */
};

/*
 * Invariants: 1. cache, readers, n_folds, n_exports, n_replayed, damage and write_failed are for
 *                every thread; what is immutable while the store is open, too.
 *             2. everything else belongs to the one thread in store_apply().
 *             3. a state that differs from its row in states is held in the cache: what the
 *                cache does not have is in the database.
 */
struct store_sqlite {
	struct store base;   /* first: a struct store * of this kind points here */
	char *name;	     /* the path as the operator gave it, for messages */
	char path[PATH_MAX]; /* absolute: SQLite gives no special meaning to it */
	int lock_fd;	     /* of the file, locked: no other process writes; -1: not yet */
	dev_t device;	     /* which file it is, to notice when it is replaced */
	ino_t inode;
	int64_t busy_timeout_ms;
	struct conn writer;
	struct readers readers;
	struct state_cache *cache;
	pthread_mutex_t publishing; /* held while a batch becomes visible */
	struct recent recent;
	struct fold fold;
	struct batch batch;
	struct known_model model; /* the last one that was asked for */
	int64_t next_seq;
	char leaving[STORE_MAX_ID + 1]; /* whose events are being deleted; "": nobody's */
	bool checkpoint_due;		/* deleted content may still lie in the write-ahead log */
	atomic_bool write_failed;	/* the last store_apply() failed */
	atomic_bool damage;		/* the file was found damaged: it does not heal */
	atomic_size_t n_recent;		/* events that a restart would replay */
	atomic_ullong n_folds;
	atomic_int n_exports; /* open ones */
	size_t n_replayed;    /* at start */
};

/** store_sqlite_apply(store, ops, n_ops, err): see store_apply(). */
enum status store_sqlite_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			       struct err *err);

/** store_sqlite_read_state(...), _read_user(...), _list_users(...): see store_read_state(),
 * store_read_user(), store_list_users(). */
enum status store_sqlite_read_state(struct store *store, const char *user, const char *context,
				    const char *model_id, size_t n_heads, double *log_weight_out,
				    uint64_t *updates_out, struct err *err);
enum status store_sqlite_read_user(struct store *store, const char *user, const char *context,
				   struct store_user *user_out, struct err *err);
enum status store_sqlite_list_users(struct store *store, const char *after, size_t n_max,
				    struct store_listed *users_out, size_t *n_out, bool *more_out,
				    struct err *err);

/** store_sqlite_export(...): see store_export(). */
enum status store_sqlite_export(struct store *store, const char *user,
				struct store_export **export_out, struct err *err);

/** store_sqlite_add_rows(conn, user, context, user_out, err): the states in the database, those of
 * one context unless it is NULL, are added to what user_out has; of the same state the later one
 * stays. */
enum status store_sqlite_add_rows(struct conn *conn, const char *user, const char *context,
				  struct store_user *user_out, struct err *err);

/* A transaction of the writer. */
enum status store_sqlite_begin(struct store_sqlite *s, struct err *err);
enum status store_sqlite_commit(struct store_sqlite *s, struct err *err);
/** store_sqlite_roll_back(s): whatever state it is in. */
void store_sqlite_roll_back(struct store_sqlite *s);

/** store_sqlite_find_model(s, model_id, model_out, n_heads_out, err): its row in models;
 * model_out 0 if it has none. */
enum status store_sqlite_find_model(struct store_sqlite *s, const char *model_id,
				    int64_t *model_out, size_t *n_heads_out, struct err *err);

/** store_sqlite_add_model(s, model_id, n_heads, model_out, err): a row for it. */
enum status store_sqlite_add_model(struct store_sqlite *s, const char *model_id, size_t n_heads,
				   int64_t *model_out, struct err *err);

/** store_sqlite_find_event(s, feedback, key, err): duplicate_out is set, with the first answer, if
 * it is there already; STATUS_EVENT_ID_REUSED if its id is, with another digest. */
enum status store_sqlite_find_event(struct store_sqlite *s, struct store_feedback *feedback,
				    int64_t key, struct err *err);

/** store_sqlite_add_event(s, user, key, event, model, err): its row, with the next seq. */
enum status store_sqlite_add_event(struct store_sqlite *s, const char *user, int64_t key,
				   const struct store_event *event, int64_t model, struct err *err);

/** store_sqlite_import(s, op, err): in a transaction and its batch. An op that fails by itself, as
 * op->err says, has written nothing. */
enum status store_sqlite_import(struct store_sqlite *s, struct store_op *op, struct err *err);

/** store_sqlite_take_learner(s, key, n_heads, learner_out, err): held, with its state before
 * this transaction or staged in it. */
enum status store_sqlite_take_learner(struct store_sqlite *s, const struct state_key *key,
				      size_t n_heads, struct learner **learner_out,
				      struct err *err);

/** store_sqlite_state_of(learner): staged or else published. */
static inline const struct state_value *store_sqlite_state_of(const struct learner *learner)
{
	return learner->staged != NULL ? learner->staged : learner->value;
}

/* An event as a step of a state. */
struct learning {
	int64_t seq, time_us;
	size_t n_heads;
	const double *loss; /* [n_heads] */
	double temperature, strength, drift;
};

/**
 * store_sqlite_learn(now, begin, step, next_out, err): the state after now; one that does not
 * exist yet begins as begin or, if that does not exist either, as equal weights. next_out is
 * the caller's, also on error.
 */
enum status store_sqlite_learn(const struct state_value *now, const struct state_value *begin,
			       const struct learning *step, struct state_value **next_out,
			       struct err *err);

/** store_sqlite_stage(learner, next): takes next over. */
void store_sqlite_stage(struct learner *learner, struct state_value *next);

/** store_sqlite_delete_user(s, delete_user, err): all of it, or what is of one context; in a
 * transaction and its batch. */
enum status store_sqlite_delete_user(struct store_sqlite *s, struct store_delete *delete_user,
				     struct err *err);

/* An event of a row with the columns of SQL_RECENT_EVENTS; texts are the row's. */
struct event {
	struct state_key key;
	const char *id;
	struct learning step;
	double loss[HEADS_MAX]; /* [n_heads] */
};

/** store_sqlite_delete_states(s, user, err): rows that are not written yet, too;
 * sqlite3_changes64() says how many. */
enum status store_sqlite_delete_states(struct store_sqlite *s, const char *user, struct err *err);

/** store_sqlite_expire(s, expire, err): in a transaction and its batch. */
enum status store_sqlite_expire(struct store_sqlite *s, struct store_expire *expire,
				struct err *err);

/** store_sqlite_end_leaving(s, user, err): before anything else is done with this user; in a
 * transaction and its batch. */
enum status store_sqlite_end_leaving(struct store_sqlite *s, const char *user, struct err *err);

/** store_sqlite_open_leaving(s, err): end what was begun before; at open, after the replay. */
enum status store_sqlite_open_leaving(struct store_sqlite *s, struct err *err);

/** store_sqlite_replay_event(s, row, event, err): event, which is filled, as a step of its
 * states, staged in the batch, but for those that have it in them. */
enum status store_sqlite_replay_event(struct store_sqlite *s, const struct query *row,
				      struct event *event, struct err *err);

/** store_sqlite_replay(s, err): take into memory what follows from the recent events; at open. */
enum status store_sqlite_replay(struct store_sqlite *s, struct err *err);

/** store_sqlite_checkpoint(s): move the write-ahead log into the database and empty it, so
 * that nothing deleted stays there; if readers are in the way, it is due again later. */
void store_sqlite_checkpoint(struct store_sqlite *s);

#endif
