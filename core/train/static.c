/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static.c - a mixture whose weights do not depend on the input: the reward model of
 * MaxMin-RLHF (Chakraborty et al. 2024, arXiv 2402.08925).
 *
 * Its EM clusters people, not pairs (their Algorithm 2). Once an epoch every user
 * gets the head under which all of the user's pairs are likeliest, without a prior,
 *
 *   z(u) = argmax_k sum_i log p_k,i
 *
 * and then each head takes gradient steps on the pairs of its own users. A pair
 * without a user is a person of one pair, and giving it the head that already agrees
 * with it most would only make that head surer of itself. So there the likelihood
 * is eq. (1) itself, whose responsibilities are soft: micro without a router and without the
 * regularizer that is there for the router's sake.
 *
 * The weights are the shares of the pairs, learnt by the same gradient in both cases.
 */
#include "core/base/mem.h"
#include "core/train/trainer.h"

static bool has_user(const struct trainer *t, size_t group)
{
	/* dataset_by_user(): the named users come first */
	return group < t->dataset->n_users;
}

static size_t likeliest_head(const double *log_likelihood, size_t n_heads)
{
	size_t best = 0;

	for (size_t k = 1; k < n_heads; k++) {
		if (log_likelihood[k] > log_likelihood[best])
			best = k;
	}
	return best;
}

static void static_begin_epoch(struct trainer *t, size_t epoch)
{
	(void)epoch;
	for (size_t i = t->n_heldout; i < t->n_groups; i++) {
		size_t group = t->groups[i];
		double *q = t->responsibility + group * t->n_heads;
		size_t head;

		if (!has_user(t, group))
			continue;
		trainer_user_log_likelihood(t, group, q);
		head = likeliest_head(q, t->n_heads);
		for (size_t k = 0; k < t->n_heads; k++)
			q[k] = k == head;
	}
}

static double static_pair_gradient(const struct trainer *t, struct pair_loss *loss)
{
	if (has_user(t, t->group_of[loss->pair]))
		return panel_objective.pair_gradient(t, loss);
	return stage1_gradient(t, loss, 0);
}

const struct objective_ops static_objective = {
    .by_user = true,
    .start = trainer_start_responsibility,
    .begin_epoch = static_begin_epoch,
    .pair_gradient = static_pair_gradient,
};
