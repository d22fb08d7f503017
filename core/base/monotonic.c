/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/monotonic.h"

#include <time.h>

#define NS_PER_S 1000000000

double monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / NS_PER_S;
}

void monotonic_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

void monotonic_wait(pthread_cond_t *cond, pthread_mutex_t *lock, double until)
{
	struct timespec end = {.tv_sec = (time_t)until};

	end.tv_nsec = (long)((until - (double)end.tv_sec) * NS_PER_S);
	pthread_cond_timedwait(cond, lock, &end);
}
