/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heads.h - K linear reward heads on one feature vector:
 *   r_k(x,a) = W_k . phi(x,a)                       (MiCRo, section 3)
 *
 * In memory W is stored by feature, [dim, n_heads]: the K weights of a feature
 * are neighbours, so one sparse feature costs one cache line. The model file
 * has the usual [n_heads, dim].
 */
#ifndef MICRO_MODEL_HEADS_H
#define MICRO_MODEL_HEADS_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/encode/features.h"

#define HEADS_MAX 1024

struct heads {
	size_t n_heads;
	size_t dim;
	float *weight; /* [dim, n_heads] */
	float *center; /* [n_heads]: mean reward of each head on the training set */
};

/** heads_init(heads, n_heads, dim, err): all zero; heads_free() releases. */
enum status heads_init(struct heads *heads, size_t n_heads, size_t dim, struct err *err);

/** heads_free(heads): frees the arrays. */
void heads_free(struct heads *heads);

/** heads_randomize(heads, scale, rng): weights from N(0, scale^2). */
void heads_randomize(struct heads *heads, double scale, struct rng *rng);

/** heads_rewards(heads, phi, reward_out): reward_out [n_heads] = W phi, not centered. */
void heads_rewards(const struct heads *heads, struct feature_row phi, float *reward_out);

/**
 * heads_similarity(heads, matrix_out): matrix_out [n_heads, n_heads], cosine
 * similarity between the heads' weight vectors (0 with a zero head).
 */
void heads_similarity(const struct heads *heads, double *matrix_out);

#endif
