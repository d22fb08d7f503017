/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objective.h - the table of the methods of training: one line each says what the
 * method needs and how it is best trained. Private to core/train; train.h has what
 * others may know.
 */
#ifndef MICRO_TRAIN_OBJECTIVE_H
#define MICRO_TRAIN_OBJECTIVE_H

#include "core/train/trainer.h"

/* What each or some pair must carry. */
enum objective_need { NEEDS_NOTHING, NEEDS_USERS, NEEDS_CONTEXTS };

/* Of the options that differ; the others begin the same for all. */
struct objective_defaults {
	size_t n_heads; /* 0: as many as contexts */
	enum router_kind router;
	size_t epochs, batch;
	double learning_rate, weight_decay;
	double init_scale; /* NaN: by the number of heads */
};

struct objective_spec {
	const char *name;
	const char *summary;		 /* one line for people */
	const struct objective_ops *ops; /* NULL: auto, which the data decides */
	enum objective_need needs;
	bool static_router; /* the only kind that makes sense */
	bool one_head;	    /* the only number that makes sense */
	struct objective_defaults defaults;
};

/** objective_spec(objective): its line of the table; OBJECTIVE_AUTO has ops NULL. */
const struct objective_spec *objective_spec(enum objective objective);

#endif
