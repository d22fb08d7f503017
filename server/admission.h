/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission.h - which of the bodies that come to one thread are read, and which wait.
 *
 * To refuse a body costs a good part of what it costs to answer it, because it has to be read.
 * Under load there is room for it in a moment: so nothing of it is read until so much more may be
 * pending (budget.h), and it is refused only when the moment is over.
 *
 * Long bodies that are read a piece of each at a time are all in memory at once, and none of them
 * in the processor's caches: each request then takes half as long again. So they take turns, in the
 * order in which they came, as many at once as a cache holds. Who has a turn and sends nothing
 * keeps nobody waiting: it loses the turn, and is read when it sends.
 *
 * An admission is for one thread, its budget for all.
 */
#ifndef MICRO_SERVER_ADMISSION_H
#define MICRO_SERVER_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "server/budget.h"

#define ADMISSION_SECONDS 1.0		/* that a body waits at most */
#define ADMISSION_SHORT	  (32u << 10)	/* a body below needs no turn: it came with its head */
#define ADMISSION_READING (1024u << 10) /* bytes of long bodies at once, or one alone */

enum applicant_state {
	APPLICANT_NONE, /* has not asked, needs or holds no turn, or has lost it */
	APPLICANT_WAITING,
	APPLICANT_READING,
};

/* A body; owned by whoever asks, zeroed before. */
struct applicant {
	enum applicant_state state;
	uint64_t n_bytes; /* asked for */
	uint64_t n_taken; /* from the budget; to be given back by the owner */
	uint64_t n_read;
	bool has_moved; /* since the last admission_end_round() */
	double since;	/* waiting */
	void *owner;	/* for whoever wakes it */
	struct applicant *prev, *next;
};

/* Zeroed but for its budget it is empty. */
struct admission {
	struct budget *budget;
	struct applicant *waiting; /* the first come first */
	struct applicant *reading;
	uint64_t n_reading; /* bytes of these */
	bool flows;	    /* those before did not wait any longer */
};

/** admission_ask(admission, applicant, n_bytes, now): a body of so many bytes, of which nothing is
 * read yet; true: so much was taken for it, and it may come; false: admission_next() tells. */
bool admission_ask(struct admission *admission, struct applicant *applicant, uint64_t n_bytes,
		   double now);

/** admission_next(admission, now): who waits no longer, because it has what it asked for (n_taken)
 * or its time is over; NULL: nobody, or too few to be worth it. */
struct applicant *admission_next(struct admission *admission, double now);

/** admission_move(applicant, n_read): so much of the body was read by now. */
void admission_move(struct applicant *applicant, uint64_t n_read);

/** admission_end_round(admission): all that had come was read: who has not moved loses its turn,
 * and what it took for bytes that have not come, so that nobody can hold the budget by an
 * announcement alone. */
void admission_end_round(struct admission *admission);

/** admission_leave(admission, applicant): the body is dealt with, or will not come. */
void admission_leave(struct admission *admission, struct applicant *applicant);

#endif
