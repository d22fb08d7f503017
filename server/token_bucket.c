/* SPDX-License-Identifier: Apache-2.0 */
#include "server/token_bucket.h"

#define NS_PER_S 1e9
/* A century, so that no sum of times overflows. */
#define MAX_NS 3.2e18

static int64_t limited(double ns)
{
	return ns < MAX_NS ? (int64_t)ns : (int64_t)MAX_NS;
}

struct token_rate token_rate_of(double rate, double burst)
{
	if (rate <= 0)
		return (struct token_rate){0};
	return (struct token_rate){
	    .interval_ns = limited(NS_PER_S / rate),
	    .burst_ns = limited(NS_PER_S / rate * burst),
	};
}

bool token_take(struct token_bucket *bucket, const struct token_rate *rate, int64_t now_ns,
		int64_t *wait_ns_out)
{
	long long full_at = atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
	long long next;

	*wait_ns_out = 0;
	do {
		/* what had been full before now is full, no more */
		next = (full_at > now_ns ? full_at : now_ns) + rate->interval_ns;
		if (next - now_ns > rate->burst_ns) {
			*wait_ns_out = next - now_ns - rate->burst_ns;
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(
	    &bucket->full_at_ns, &full_at, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}
