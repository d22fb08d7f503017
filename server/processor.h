/* SPDX-License-Identifier: Apache-2.0 */
/*
 * processor.h - a processor of its own for a thread: two threads with connections that share one
 * for some milliseconds let all their clients wait. But where others want that processor, too, a
 * thread that may not run elsewhere waits much longer: then it is let go for a while.
 */
#ifndef MICRO_SERVER_PROCESSOR_H
#define MICRO_SERVER_PROCESSOR_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* Of one thread, which calls all functions; zeroed: it runs anywhere. */
struct processor {
	bool is_wanted; /* there is one for it */
	bool is_bound;	/* and it has it */
	cpu_set_t all, own;
	int schedstat;		/* how long the thread ran and waited, as the kernel counts it */
	double ran, waited;	/* seconds, by then */
	double checked, let_go; /* when; clock_monotonic() */
};

/**
 * processor_take(processor, i, n, now): of n threads, the calling one is number i. Where the
 * process may use n processors, no more and no less, it gets one for itself; otherwise, and where
 * the system does not allow or tell what is needed for that, nothing changes. End with leave.
 */
void processor_take(struct processor *processor, size_t i, size_t n, double now);

/** processor_check(processor, now): let the thread run anywhere if it has waited for its processor
 * for much longer than it ran there; after a minute, bind it again. Looks once a second at most. */
void processor_check(struct processor *processor, double now);

/** processor_leave(processor): the thread ends. */
void processor_leave(struct processor *processor);

#endif
