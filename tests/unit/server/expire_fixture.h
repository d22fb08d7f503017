/* SPDX-License-Identifier: Apache-2.0 */
/* expire_fixture.h - a pass over all users, step by step. */
#ifndef TESTS_UNIT_EXPIRE_FIXTURE_H
#define TESTS_UNIT_EXPIRE_FIXTURE_H

#include "tests/unit/server/store_fixture.h"

struct expire_pass {
	struct store_expire expire;
	char names[STORE_EXPIRE_USERS][STORE_MAX_ID + 1];
};

/** expire_begin(pass, before_us): it deletes who has given nothing since. */
void expire_begin(struct expire_pass *pass, int64_t before_us);

/** expire_step(store, pass): one step, which must be done; true if it was the last one. */
bool expire_step(struct store *store, struct expire_pass *pass);

/** expire_all(store, before_us): a whole pass; the number of users deleted. */
uint64_t expire_all(struct store *store, int64_t before_us);

/** expire_give_many(store, user, n): steps of seed 0, some in each transaction. */
void expire_give_many(struct store *store, const char *user, unsigned n);

#endif
