/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - what the daemon does, without HTTP and JSON: score responses for
 * a user, learn from a preference, show and delete a user.
 *
 * Time and randomness are given from outside. All results live in the arena of
 * the request.
 */
#ifndef MICRO_SERVER_SERVICE_H
#define MICRO_SERVER_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/identifier.h"
#include "server/judge.h"
#include "server/live_model.h"
#include "server/page.h"
#include "server/receipt_key.h"
#include "server/store.h"
#include "server/text_batch.h"

/* Immutable after start; any thread may use it. */
struct service {
	struct store *store;
	double temperature; /* tau of the Hedge step */
	double drift;	    /* fixed share */
	bool keep_inputs;   /* keep each pair beside its event */
	int64_t (*now_us)(void);
	random_bytes_fn *random_bytes;
	struct receipt_key receipt_key;
	int64_t receipt_age_us; /* older receipts are refused */
};

struct score_item {
	const char *user; /* NULL: nobody, the router alone */
	struct question question;
	bool wants_receipt; /* of a user who is named */
	bool impersonal;    /* score as if the user were not known */
	bool wants_heads;   /* tell what each head says */
	/* the answer */
	double *rewards;   /* [n_responses] */
	double preference; /* P(first > second), if n_responses is 2 */
	double *weights;   /* [n_weights] */
	size_t n_weights;  /* the model's n_heads */
	uint64_t updates;
	const char *receipt; /* NULL: none was wanted */
	double *heads;	     /* [n_responses, n_weights]: r_k - center_k; NULL: not wanted */
};

struct score_request {
	struct score_item *items; /* [n_items] */
	size_t n_items;
	bool is_batch;		  /* came as {"items": [...]} and is answered so */
	bool is_gathered;	  /* texts are there */
	struct text_batch *texts; /* NULL: no server is asked for any */
};

/* Which of the responses that a receipt is for was chosen, and over which others. */
struct receipt_choice {
	struct text token;
	size_t chosen;
	const size_t *rejected; /* [n_rejected], at least 1, all different and not chosen */
	size_t n_rejected;
};

/*
 * The chosen response was preferred over each of the rejected ones: one step with the sum of
 * the pairs' losses. A feedback by receipt has no responses and no event id of its own.
 */
struct feedback {
	const char *user;	  /* NULL, with a receipt: whoever it was made for */
	const char *event_id;	  /* NULL: service_prepare_feedback() makes one */
	struct question question; /* responses: chosen, then each rejected. With a receipt: only
				     context, NULL if it is not said */
	const struct receipt_choice *choice; /* NULL: no receipt */
	double strength;
	bool dry_run;		  /* tell what it would do, and do not do it */
	bool explain;		  /* tell the losses, and the weights before it */
	bool is_gathered;	  /* texts are there */
	struct text_batch *texts; /* NULL: no server is asked for any */
};

/* A user's states with the weights that they alone would give, softmax(s). */
struct user_view {
	const char *user;
	struct store_user stored; /* service_free_user() */
	double **weights;	  /* [n_states][n_heads of the state] */
};

/* A part of the list of users. */
struct user_list {
	struct store_listed *users; /* [n_users], in the order of their bytes */
	size_t n_users;
	const char *next_cursor; /* NULL: these are the last ones */
};

/** service_score(service, served, request, arena, err): fill the items' answers. */
enum status service_score(const struct service *service, const struct served_model *served,
			  struct score_request *request, struct arena *arena, struct err *err);

/**
 * service_gather_score(served, request, arena, err), service_gather_feedback(...): the texts that a
 * server is asked for, into texts: if there are any, service_score() or
 * service_prepare_feedback() waits for it, unless text_batch_is_ready(). They gather them where
 * it was not done before. Errors: a question that the model cannot answer, STATUS_NO_MEMORY.
 */
enum status service_gather_score(const struct served_model *served, struct score_request *request,
				 struct arena *arena, struct err *err);
enum status service_gather_feedback(const struct served_model *served, struct feedback *feedback,
				    struct arena *arena, struct err *err);

/**
 * service_prepare_feedback(service, served, feedback, arena, op_out, err): the
 * step for the writer; everything in op_out lives in arena, feedback and served. Of a receipt:
 * the errors of receipt_open() and receipt_check(), and STATUS_INVALID_VALUE for a response
 * that it has not.
 */
enum status service_prepare_feedback(const struct service *service,
				     const struct served_model *served, struct feedback *feedback,
				     struct arena *arena, struct store_op *op_out, struct err *err);

/** service_put_off_score(request), service_put_off_feedback(feedback): forget the texts; they are
 * gathered again. */
void service_put_off_score(struct score_request *request);
void service_put_off_feedback(struct feedback *feedback);

/** service_check_write(op, err): the outcome of what the writer did; STATUS_INTERNAL for
 * weights that are not finite, STATUS_RECEIPT_REPLAYED if the receipt was used for another
 * choice before. */
enum status service_check_write(const struct store_op *op, struct err *err);

/** service_read_user(service, user, context, arena, view_out, err): the states of one context, or
 * all if it is NULL; STATUS_NOT_FOUND if there are none; service_free_user() releases, also after
 * an error. */
enum status service_read_user(const struct service *service, const char *user, const char *context,
			      struct arena *arena, struct user_view *view_out, struct err *err);

/** service_list_users(service, page, arena, list_out, err): in the arena. */
enum status service_list_users(const struct service *service, const struct page *page,
			       struct arena *arena, struct user_list *list_out, struct err *err);

/** service_free_user(view): a zeroed view is allowed. */
void service_free_user(struct user_view *view);

#endif
