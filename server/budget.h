/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - how much may be pending at once, in bytes of request bodies.
 *
 * What a request costs goes with the length of its body: in memory, and in the time that the
 * requests behind it wait. A bound on the sum is a bound on both. For any threads.
 */
#ifndef MICRO_SERVER_BUDGET_H
#define MICRO_SERVER_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
	uint64_t limit;
	atomic_uint_fast64_t used;
};

/** budget_take(budget, held, n): n more for whoever holds so much of it already, if the limit
 * allows; always if nothing else is pending. */
bool budget_take(struct budget *budget, uint64_t held, uint64_t n);

/** budget_give_back(budget, n): n of what was taken. */
void budget_give_back(struct budget *budget, uint64_t n);

#endif
