/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - what the service needs of a database of users' states. SQLite is
 * the embedded implementation (store_sqlite.c); another one fits behind the same
 * table of functions without touching the service.
 *
 * Promises of every implementation:
 *  1. What store_apply() reports as done is durable: it survives kill -9 and
 *     power loss.
 *  2. The event and the weights it changes are one transaction.
 *  3. An event id is applied once per user; a repeat gives the first answer.
 *  4. Reads see everything that was applied before they began.
 *  5. What is deleted is gone from the files as well; if another program's long
 *     read stands in the way, with the first store_apply() after it.
 */
#ifndef MICRO_SERVER_STORE_H
#define MICRO_SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/model/heads.h"

#define STORE_MAX_ID	    256 /* bytes of a user, context or event id */
#define STORE_DIGEST_LEN    16
#define STORE_MAX_INPUT	    ((size_t)256 << 20) /* bytes of a pair that is kept */
#define STORE_EXPIRE_EVENTS 512			/* deleted in a step, at most */
#define STORE_EXPIRE_USERS  64
#define STORE_MAX_EXPORTS   8 /* at once: each holds the write-ahead log as it is */

struct store; /* opaque */

/*
 * One learning step. Strings and arrays belong to the caller and live until the
 * operation is done. context "" is none: only the user's overall state learns.
 */
struct store_feedback {
	const char *user;
	const char *context;
	const char *event_id;
	const char *model_id;
	int64_t time_us; /* microseconds since 1970 */
	size_t n_heads;
	const double *loss;		     /* [n_heads]: L_k */
	double temperature, strength, drift; /* of the Hedge step */
	const float *logits; /* [n_heads]: router logits of the prompt, for the answer */
	const bool *mask;    /* [n_heads] or NULL */
	unsigned char digest[STORE_DIGEST_LEN]; /* of what was sent: an id reused for something else
						   is refused */
	const char *input; /* the pair as a line of schema/preference.md, kept if not NULL */
	bool dry_run;	   /* answer, and change nothing */
	/* the answer; a duplicate's is the first one, perhaps of another model */
	double *weights_out;  /* [HEADS_MAX], filled [n_weights_out]: softmax(g + s) */
	size_t n_weights_out; /* n_heads of the model that answered */
	char model_id_out[STORE_MAX_ID + 1]; /* the model that answered */
	uint64_t updates_out;		     /* learning steps of this user and context so far */
	bool duplicate_out; /* this id was applied before and changed nothing now */
	double *before_out; /* [n_heads]: softmax(g + s) before the step, but for a duplicate;
			       NULL: not wanted */
};

/*
 * What is stored of a user, or of a user's feedbacks in one context: then all states become
 * what they are without those feedbacks.
 */
struct store_delete {
	const char *user;
	const char *context; /* NULL: all, with and without a context */
	uint64_t states_out; /* that are gone */
	uint64_t events_out;
};

/* A user's state in one context under one model. */
struct store_state {
	char *context; /* "" is the overall state */
	char *model_id;
	uint64_t updates;
	int64_t updated_us;
	int64_t seq; /* of the last event in it; later events have greater ones */
	size_t n_heads;
	double *log_weight; /* [n_heads] */
};

/* A learning step that was taken. */
struct store_event {
	const char *id;
	const char *context; /* "": none */
	const char *model_id;
	int64_t time_us;
	double temperature, strength, drift;
	unsigned char digest[STORE_DIGEST_LEN];
	size_t n_heads;
	const double *loss, *weights; /* [n_heads] each: L, and what was answered */
	uint64_t updates;	      /* what was answered */
	const char *input;	      /* NULL: not kept */
};

enum store_record_kind { STORE_RECORD_NONE, STORE_RECORD_STATE, STORE_RECORD_EVENT };

/* A part of what is stored of a user; what it points to lives until the next one. */
struct store_record {
	enum store_record_kind kind;
	union {
		struct store_state state;
		struct store_event event;
	};
};

/* All that is stored of a user at one moment, on its way out. For one thread at a time. */
struct store_export {
	const struct store_export_ops *ops;
};

struct store_export_ops {
	enum status (*next)(struct store_export *export, struct store_record *record_out,
			    struct err *err);
	void (*close)(struct store_export *export);
};

/* A state or an event that came from outside, and in which line of it. */
struct store_import_state {
	const char *context, *model_id;
	uint64_t updates;
	int64_t updated_us;
	size_t n_heads;
	const double *log_weight; /* [n_heads] */
	size_t line;
};

struct store_import_event {
	struct store_event event;
	size_t line;
	size_t overall, in_context; /* its states: indices; the same one without a context */
};

/*
 * What was stored of a user elsewhere, or here before. A user of whom nothing is stored gets the
 * states as they are. Any other learns from the events that are not there yet, in their order.
 * It fits if one of its models is the one that is served, or one that this store has states of,
 * and no model has another number of heads here.
 */
struct store_import {
	const char *user;
	const struct store_import_state *states; /* [n_states], normalized, no two the same */
	size_t n_states;
	const struct store_import_event *events; /* [n_events], in their order; ids differ */
	size_t n_events;
	const char *model_id; /* that is served */
	size_t n_heads;	      /* of it */
	uint64_t events_out, duplicates_out;
};

/*
 * A step of a pass over all users that deletes those whose last feedback is older than a moment,
 * as STORE_DELETE_USER does. Zeroed for a new pass but for before_us and names, and given to the
 * store again until it is done. A step deletes at most STORE_EXPIRE_EVENTS events.
 */
struct store_expire {
	int64_t before_us;		 /* microseconds since 1970 */
	char (*names)[STORE_MAX_ID + 1]; /* [STORE_EXPIRE_USERS]: the store's to use */
	/* of the pass so far */
	uint64_t users_out, events_out;
	bool done_out;
	/* the store's */
	size_t n_names;
	int64_t last_seq;
	char after[STORE_MAX_ID + 1];
};

enum store_op_kind { STORE_FEEDBACK, STORE_DELETE_USER, STORE_IMPORT, STORE_EXPIRE };

struct store_op {
	enum store_op_kind kind;
	union {
		struct store_feedback feedback;
		struct store_delete delete_user;
		struct store_import import;
		struct store_expire *expire;
	};
	struct err err; /* outcome of this operation; code STATUS_OK if done */
};

struct store_user {
	struct store_state *states; /* [n_states], ordered by context, then model */
	size_t n_states;
	uint64_t n_events; /* that are in the states */
};

/* A user in a list. */
struct store_listed {
	char user[STORE_MAX_ID + 1];
	uint64_t n_events;
	int64_t updated_us; /* time of the last feedback */
};

/* What a store that keeps states in memory tells of it; zeros of one that does not. */
struct store_stats {
	size_t cache_capacity_bytes, cache_bytes, cache_states;
	unsigned long long cache_hits, cache_misses, cache_evictions;
	size_t recent_events;	  /* that a start after a crash would replay */
	unsigned long long folds; /* how often they were brought into the tables */
	size_t replayed_events;	  /* at this start */
};

struct store_ops {
	enum status (*apply)(struct store *store, struct store_op *const *ops, size_t n_ops,
			     struct err *err);
	enum status (*read_state)(struct store *store, const char *user, const char *context,
				  const char *model_id, size_t n_heads, double *log_weight_out,
				  uint64_t *updates_out, struct err *err);
	enum status (*read_user)(struct store *store, const char *user, const char *context,
				 struct store_user *user_out, struct err *err);
	enum status (*list_users)(struct store *store, const char *after, size_t n_max,
				  struct store_listed *users_out, size_t *n_out, bool *more_out,
				  struct err *err);
	enum status (*export_user)(struct store *store, const char *user,
				   struct store_export **export_out, struct err *err);
	enum status (*check)(struct store *store, struct err *err);
	void (*stats)(struct store *store, struct store_stats *stats_out);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
};

/**
 * store_apply(store, ops, n_ops, err): ops [n_ops] in this order, one transaction
 * for all; each op's own outcome is in its err. An op that fails by itself leaves
 * the others alone: STATUS_EVENT_ID_REUSED, STATUS_INVALID_VALUE and
 * STATUS_NOT_FINITE for a step that cannot be taken, STATUS_MODEL_MISMATCH for an import that
 * does not fit, STATUS_STATE_CORRUPT for a user whose rows are damaged. If the transaction fails,
 * nothing is applied, every op's err and the return value say why: STATUS_STATE_BUSY,
 * STATUS_STATE_FULL, STATUS_STATE_CORRUPT, STATUS_IO. One thread at a time.
 */
enum status store_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			struct err *err);

/**
 * store_read_state(store, user, context, model_id, n_heads, log_weight_out,
 * updates_out, err): the log-weights to score with: those of (user, context);
 * if there are none, the user's overall ones; if there are none, all zero,
 * updates 0. updates_out counts the steps of the row that was used. Any thread.
 */
enum status store_read_state(struct store *store, const char *user, const char *context,
			     const char *model_id, size_t n_heads, double *log_weight_out,
			     uint64_t *updates_out, struct err *err);

/** store_read_user(store, user, context, user_out, err): the states in a context, or all if
 * it is NULL; STATUS_NOT_FOUND if there are none. store_user_free() releases; nothing is owned
 * on error. Any thread. */
enum status store_read_user(struct store *store, const char *user, const char *context,
			    struct store_user *user_out, struct err *err);

/**
 * store_list_users(store, after, n_max, users_out, n_out, more_out, err): the first n_max users
 * after a name ("": from the beginning), in the order of their bytes, into users_out [n_max];
 * more_out: there are further ones. Whoever is stored all the time while a list is read part by
 * part is in it once. Any thread.
 */
enum status store_list_users(struct store *store, const char *after, size_t n_max,
			     struct store_listed *users_out, size_t *n_out, bool *more_out,
			     struct err *err);

/**
 * store_export(store, user, export_out, err): everything that is stored of a user now, record by
 * record, whatever is written meanwhile. STATUS_NOT_FOUND if that is nothing, STATUS_OVERLOADED
 * if STORE_MAX_EXPORTS are open. store_export_close() before the store is closed. Any thread.
 */
enum status store_export(struct store *store, const char *user, struct store_export **export_out,
			 struct err *err);

/** store_export_next(export, record_out, err): the states, by context and model, then the
 * events as they were learnt, then STORE_RECORD_NONE. */
enum status store_export_next(struct store_export *export, struct store_record *record_out,
			      struct err *err);

/** store_export_close(export): NULL does nothing. */
void store_export_close(struct store_export *export);

/** store_state_free(state): what it points to. */
void store_state_free(struct store_state *state);

/** store_user_free(user): a zeroed user is allowed. */
void store_user_free(struct store_user *user);

/**
 * store_check(store, err): can it be read and written now? For /readyz. Any thread.
 * Writing is tried only while the last store_apply() has failed: a healthy writer
 * is never disturbed, and a store without traffic notices that it has recovered.
 */
enum status store_check(struct store *store, struct err *err);

/** store_stats(store, stats_out): numbers for /metrics. Any thread. */
void store_stats(struct store *store, struct store_stats *stats_out);

/** store_close(store): NULL does nothing. */
void store_close(struct store *store);

struct store_sqlite_options {
	const char *path;
	int64_t busy_timeout_ms;
	size_t n_readers;   /* read connections */
	size_t cache_bytes; /* of states in memory, about */
	bool check;	    /* PRAGMA quick_check at start */
};

/**
 * store_sqlite_open(options, store_out, err): create (for this user only: mode
 * 0600) or open a database of schema/sqlite.sql: WAL, synchronous=FULL,
 * secure_delete, all pragmas read back; one of an older version becomes one of this version.
 * Refused with a message that says what it
 * is and what would be right, and left as it is: another application's database or
 * a newer schema (STATUS_STATE_SCHEMA), one that another microd has
 * open (STATUS_STATE_BUSY), a damaged database or no database
 * (STATUS_STATE_CORRUPT), a file that cannot be written (STATUS_IO).
 */
enum status store_sqlite_open(const struct store_sqlite_options *options, struct store **store_out,
			      struct err *err);

#endif
