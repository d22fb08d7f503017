/* SPDX-License-Identifier: Apache-2.0 */
/* served_fixture.h - small models to serve, and a store that tests can look into. */
#ifndef TESTS_UNIT_SERVED_FIXTURE_H
#define TESTS_UNIT_SERVED_FIXTURE_H

#include <stdbool.h>

#include "server/live_model.h"
#include "server/service.h"
#include "server/store.h"

#define SERVED_DIM     4
#define SERVED_HEADS   3
#define SERVED_HIDDEN  2
#define SERVED_EVENT   "00000000-0000-4000-8000-000000000000" /* what served_service() makes */
#define SERVED_TIME_US 1767225600000000			      /* 2026-01-01T00:00:00Z */

/* Head weights [SERVED_HEADS][SERVED_DIM] and centers of every model made here. */
extern const float served_head[SERVED_HEADS][SERVED_DIM];
extern const float served_center[SERVED_HEADS];
extern const float served_router_bias[SERVED_HEADS];

/** served_open(spec, kind): a model with the encoder of spec ("none:4", or "hash:4"
 * for texts) and a router whose parameters are small and fixed; served_close() frees it. */
struct served_model *served_open(const char *spec, enum router_kind kind);

/** served_set_templates(served, phi, psi): other templates. */
void served_set_templates(struct served_model *served, const char *phi, const char *psi);

void served_close(struct served_model *served);

/** served_save(spec, kind, path_out): such a model in a new file, "/tmp/..." in path_out [64]. */
void served_save(const char *spec, enum router_kind kind, char *path_out);

/* A store of one answer: what was asked is kept, what is answered is set by the test. */
struct fake_store {
	struct store store;
	enum status fails;	   /* answer of every operation */
	const char *known_user;	   /* who has a state; NULL: nobody */
	double bias[SERVED_HEADS]; /* that state */
	uint64_t updates;
	bool duplicate;		    /* feedback was there before */
	void (*before_apply)(void); /* called by the writer before each batch; NULL: nothing */
	unsigned n_reads, n_applied;
	char last_context[STORE_MAX_ID + 1]; /* of the last read */
	char last_input[1024];		     /* of the last feedback, "" if none was kept */
	unsigned char last_digest[STORE_DIGEST_LEN];
};

/** fake_store_init(fake): empty; there is nothing to free. */
void fake_store_init(struct fake_store *fake);

/** fake_store_apply(fake, op): what the writer would do with it. */
void fake_store_apply(struct fake_store *fake, struct store_op *op);

/** served_service(fake): a service on it with fixed time and randomness. */
struct service served_service(struct fake_store *fake);

/** served_head_reward(k, x): r_k of the numbers x [SERVED_DIM], by hand. */
double served_head_reward(size_t k, const float *x);

#endif
