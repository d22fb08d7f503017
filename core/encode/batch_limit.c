/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/batch_limit.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t batch_limit_next(const struct batch_limit *limit, const struct batch_try *try, size_t max)
{
	size_t next = max;

	if (limit->refused > 0)
		next = smaller(max, limit->passed + (limit->refused - limit->passed) / 2);
	/* refused just now: what passed at another time, or half: the fault may be in one text */
	if (try->refused > 0)
		next = limit->passed > 0 && limit->passed < try->refused ? limit->passed
									 : try->refused / 2;
	next = smaller(next, max);
	return next > 0 ? next : 1;
}

void batch_try_passed(struct batch_try *try, size_t n)
{
	if (n > try->passed)
		try->passed = n;
}

void batch_try_refused(struct batch_try *try, size_t n)
{
	if (try->refused == 0 || n < try->refused)
		try->refused = n;
}

void batch_limit_learn(struct batch_limit *limit, const struct batch_try *try)
{
	if (try->passed > limit->passed)
		limit->passed = try->passed;
	if (try->refused == 0)
		return;
	if (limit->refused == 0 || try->refused < limit->refused)
		limit->refused = try->refused;
	/* it takes fewer than it did */
	if (limit->passed >= limit->refused)
		limit->passed = smaller(try->passed, limit->refused - 1);
}
