/* SPDX-License-Identifier: Apache-2.0 */
/* monotonic.h - seconds that never go back, and waiting for them. */
#ifndef MICRO_BASE_MONOTONIC_H
#define MICRO_BASE_MONOTONIC_H

#include <pthread.h>

/** monotonic_seconds(): since some moment. */
double monotonic_seconds(void);

/** monotonic_cond_init(cond): a condition variable for monotonic_wait(). */
void monotonic_cond_init(pthread_cond_t *cond);

/** monotonic_wait(cond, lock, until): like pthread_cond_timedwait(), by monotonic_seconds(). */
void monotonic_wait(pthread_cond_t *cond, pthread_mutex_t *lock, double until);

#endif
