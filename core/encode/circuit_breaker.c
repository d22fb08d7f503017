/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/circuit_breaker.h"

void circuit_breaker_init(struct circuit_breaker *b, unsigned max_failures)
{
	*b = (struct circuit_breaker){.max_failures = max_failures,
				      .wait = CIRCUIT_BREAKER_FIRST_WAIT};
}

void circuit_breaker_success(struct circuit_breaker *b)
{
	if (b->state == BREAKER_OPEN)
		return; /* an answer to a question from before */
	b->state = BREAKER_CLOSED;
	b->n_failures = 0;
	b->wait = CIRCUIT_BREAKER_FIRST_WAIT;
}

static void open_breaker(struct circuit_breaker *b, double now, double asked)
{
	if (b->state == BREAKER_CLOSED) {
		b->n_trips++;
		b->opened_at = now;
	}
	b->state = BREAKER_OPEN;
	b->retry_at = now + (asked > b->wait ? asked : b->wait);
	b->wait = b->wait * 2 < CIRCUIT_BREAKER_MAX_WAIT ? b->wait * 2 : CIRCUIT_BREAKER_MAX_WAIT;
}

void circuit_breaker_failure(struct circuit_breaker *b, double now, double asked)
{
	if (b->state == BREAKER_OPEN)
		return;
	b->n_failures++;
	if (b->state == BREAKER_PROBING ||
	    (b->max_failures > 0 && b->n_failures >= b->max_failures))
		open_breaker(b, now, asked);
}

void circuit_breaker_trip(struct circuit_breaker *b, double now, double asked)
{
	if (b->max_failures > 0 && b->state != BREAKER_OPEN)
		open_breaker(b, now, asked);
}

bool circuit_breaker_due(struct circuit_breaker *b, double now)
{
	if (b->state != BREAKER_OPEN || now < b->retry_at)
		return false;
	b->state = BREAKER_PROBING;
	return true;
}

const char *circuit_breaker_name(enum breaker_state state)
{
	static const char *const names[] = {
	    [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_PROBING] = "probing"};

	return names[state];
}
