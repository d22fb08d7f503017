/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_limit.h - how many texts a server takes at once, found out by asking: batches that are
 * refused are halved, and the limit lies between what passed and what did not. Each request
 * of a client tries one size between the two, so that a limit of 32 is known after a few of them
 * and never tried again.
 */
#ifndef MICRO_ENCODE_BATCH_LIMIT_H
#define MICRO_ENCODE_BATCH_LIMIT_H

#include <stddef.h>

/* Known of a server; a zeroed one knows nothing. The caller locks. */
struct batch_limit {
	size_t passed;	/* the most texts that it took */
	size_t refused; /* the fewest that it did not, though it took each of them; 0: none */
};

/* What happened while the texts of one request were sent; zeroed before. */
struct batch_try {
	size_t passed;	/* the most texts taken at once */
	size_t refused; /* the fewest not taken; 0: none */
};

/** batch_limit_next(limit, try, max): texts of the next call, from 1 to max. */
size_t batch_limit_next(const struct batch_limit *limit, const struct batch_try *try, size_t max);

/** batch_try_passed(try, n), batch_try_refused(try, n): what became of a call with n texts. */
void batch_try_passed(struct batch_try *try, size_t n);
void batch_try_refused(struct batch_try *try, size_t n);

/** batch_limit_learn(limit, try): every text was taken in the end: what was refused was too many.
 */
void batch_limit_learn(struct batch_limit *limit, const struct batch_try *try);

#endif
