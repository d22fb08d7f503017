/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/expire_fixture.h"

#include <check.h>
#include <stdio.h>

#define MAX_STEPS 1000

void expire_begin(struct expire_pass *pass, int64_t before_us)
{
	pass->expire = (struct store_expire){.before_us = before_us, .names = pass->names};
}

bool expire_step(struct store *store, struct expire_pass *pass)
{
	struct store_op op = {.kind = STORE_EXPIRE, .expire = &pass->expire};

	ck_assert_int_eq(store_apply_one(store, &op), STATUS_OK);
	return pass->expire.done_out;
}

uint64_t expire_all(struct store *store, int64_t before_us)
{
	struct expire_pass pass;

	expire_begin(&pass, before_us);
	for (int i = 0; i < MAX_STEPS; i++) {
		if (expire_step(store, &pass))
			return pass.expire.users_out;
	}
	ck_abort_msg("a pass of more than %d steps", MAX_STEPS);
}

void expire_give_many(struct store *store, const char *user, unsigned n)
{
	static struct store_step steps[STORE_MAX_STEPS];
	char id[24];

	for (unsigned i = 0; i < n; i += STORE_MAX_STEPS) {
		unsigned n_steps = n - i < STORE_MAX_STEPS ? n - i : STORE_MAX_STEPS;

		for (unsigned k = 0; k < n_steps; k++) {
			snprintf(id, sizeof(id), "many %u", i + k);
			store_step_set(&steps[k], user, k % 2 == 0 ? "work" : "", id, 0);
		}
		store_apply_steps(store, steps, n_steps);
	}
}
