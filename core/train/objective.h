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

struct objective_spec {
	const char *name;
	const char *summary;		 /* one line for people */
	const struct objective_ops *ops; /* NULL: auto, which the data decides */
	enum objective_need needs;
	bool static_router; /* the only kind that makes sense */
	size_t only_heads;  /* the only number of heads that makes sense; 0: any */

	/* defaults; those of the options that are not here are the same for all */
	size_t n_heads; /* 0: as many as contexts */
	enum router_kind router;
	size_t epochs, batch;
	double learning_rate, weight_decay;
	double init_scale; /* NaN: by the number of heads */
};

/** objective_spec(objective): its line of the table; OBJECTIVE_AUTO has ops NULL. */
const struct objective_spec *objective_spec(enum objective objective);

#endif
