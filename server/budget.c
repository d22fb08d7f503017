/* SPDX-License-Identifier: Apache-2.0 */
#include "server/budget.h"

bool budget_take(struct budget *budget, uint64_t held, uint64_t n)
{
	uint64_t used = atomic_load(&budget->used);

	do {
		if (used > held && (used > budget->limit || n > budget->limit - used))
			return false;
	} while (!atomic_compare_exchange_weak(&budget->used, &used, used + n));
	return true;
}

void budget_give_back(struct budget *budget, uint64_t n)
{
	atomic_fetch_sub(&budget->used, n);
}
