/* SPDX-License-Identifier: Apache-2.0 */
#include "server/admission.h"

#include <stddef.h>

#include <utlist.h>

/* To wake one connection costs a look at all that sleep: so nobody is woken before this part of
 * each bound is free, and then some go on together. */
#define FREE_OF_BUDGET	16
#define FREE_OF_READING 2

static bool has_turn(const struct admission *admission, uint64_t n_bytes)
{
	return n_bytes < ADMISSION_SHORT || admission->n_reading == 0 ||
	       admission->n_reading + n_bytes <= ADMISSION_READING;
}

static bool take(struct admission *admission, struct applicant *applicant)
{
	if (!budget_take(admission->budget, 0, applicant->n_bytes))
		return false;
	applicant->n_taken = applicant->n_bytes;
	return true;
}

static bool admit(struct admission *admission, struct applicant *applicant)
{
	if (!has_turn(admission, applicant->n_bytes) || !take(admission, applicant))
		return false;
	if (applicant->n_bytes < ADMISSION_SHORT)
		return true;
	applicant->state = APPLICANT_READING;
	applicant->has_moved = true; /* it has had no round yet */
	admission->n_reading += applicant->n_bytes;
	DL_APPEND(admission->reading, applicant);
	return true;
}

bool admission_ask(struct admission *admission, struct applicant *applicant, uint64_t n_bytes,
		   double now)
{
	bool may_pass = n_bytes < ADMISSION_SHORT || admission->waiting == NULL;

	applicant->n_bytes = n_bytes;
	if (n_bytes == 0 || (may_pass && admit(admission, applicant)))
		return true;
	applicant->state = APPLICANT_WAITING;
	applicant->since = now;
	DL_APPEND(admission->waiting, applicant);
	return false;
}

void admission_move(struct applicant *applicant, uint64_t n_read)
{
	applicant->n_read = n_read;
	applicant->has_moved = true;
}

void admission_leave(struct admission *admission, struct applicant *applicant)
{
	/* NOLINTBEGIN(clang-analyzer-core.NullDereference): it is on the list of its state */
	if (applicant->state == APPLICANT_WAITING)
		DL_DELETE(admission->waiting, applicant);
	if (applicant->state == APPLICANT_READING) {
		admission->n_reading -= applicant->n_bytes;
		DL_DELETE(admission->reading, applicant);
	}
	/* NOLINTEND(clang-analyzer-core.NullDereference) */
	applicant->state = APPLICANT_NONE;
}

static void lose_turn(struct admission *admission, struct applicant *applicant)
{
	admission_leave(admission, applicant);
	if (applicant->n_taken <= applicant->n_read)
		return;
	budget_give_back(admission->budget, applicant->n_taken - applicant->n_read);
	applicant->n_taken = applicant->n_read;
}

void admission_end_round(struct admission *admission)
{
	struct applicant *applicant, *next;

	DL_FOREACH_SAFE(admission->reading, applicant, next)
	{
		if (!applicant->has_moved)
			lose_turn(admission, applicant);
		applicant->has_moved = false;
	}
}

static bool can_go_on(const struct admission *admission)
{
	const struct budget *budget = admission->budget;

	return admission->flows ||
	       (atomic_load(&budget->used) <= budget->limit - budget->limit / FREE_OF_BUDGET &&
		admission->n_reading <= ADMISSION_READING - ADMISSION_READING / FREE_OF_READING);
}

struct applicant *admission_next(struct admission *admission, double now)
{
	struct applicant *first = admission->waiting;
	bool is_over;

	if (first == NULL)
		return NULL;
	is_over = now - first->since >= ADMISSION_SECONDS;
	if (!is_over && !can_go_on(admission))
		return NULL;
	admission_leave(admission, first);
	admission->flows = admit(admission, first);
	if (admission->flows || is_over)
		return first;
	first->state = APPLICANT_WAITING;
	DL_PREPEND(admission->waiting, first);
	return NULL;
}
