/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/repeats.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/mem.h"

/* One line of the data: responses in a fixed order, so that equal pairs sort together. */
struct judgement {
	uint32_t prompt, first, second;
	uint32_t user;
	bool prefers_first;
};

/* Judgements of one person about one pair, and how they differ from the others'. */
struct opinion {
	uint32_t user;
	double n, n_first;	/* judgements; of these, for the first response */
	double met, discordant; /* judgements of two people that this one is part of */
};

/* What one cluster has: sum of weighted discordant shares, and the weights themselves. */
struct influence {
	double *discordant, *weight; /* [n_users] */
};

/* Sums behind a mean over pairs whose standard error is clustered by pair and by person. */
struct two_way {
	struct influence user;
	double n_pairs, total; /* sum of shares: each pair has weight 1 */
	double squares;	       /* of the shares, by pair */
	/* of a (pair, person) cell's (discordant, weight) */
	double cell_dd, cell_dw, cell_ww;
};

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_pairs(const struct judgement *a, const struct judgement *b)
{
	int order = compare_numbers(a->prompt, b->prompt);

	if (order == 0)
		order = compare_numbers(a->first, b->first);
	return order != 0 ? order : compare_numbers(a->second, b->second);
}

static int compare_judgements(const void *a_in, const void *b_in)
{
	const struct judgement *a = a_in, *b = b_in;
	int order = compare_pairs(a, b);

	return order != 0 ? order : compare_numbers(a->user, b->user);
}

/* All judgements, sorted by pair and person; ties are counted and left out. */
static size_t list_judgements(const struct dataset *dataset, struct judgement *judgements,
			      size_t *n_ties_out)
{
	size_t n = 0;

	for (size_t i = 0; i < dataset->n_pairs; i++) {
		uint32_t chosen = dataset->chosen[i], rejected = dataset->rejected[i];

		if (chosen == rejected)
			continue;
		judgements[n++] = (struct judgement){
		    .prompt = dataset->prompt[i],
		    .first = chosen < rejected ? chosen : rejected,
		    .second = chosen < rejected ? rejected : chosen,
		    .user = dataset->user[i],
		    .prefers_first = chosen < rejected,
		};
	}
	*n_ties_out = dataset->n_pairs - n;
	qsort(judgements, n, sizeof(*judgements), compare_judgements);
	return n;
}

/* Judgements [n] of one pair into opinions, one a person; unnamed people have none. */
static size_t gather_opinions(const struct judgement *judgements, size_t n,
			      struct opinion *opinions)
{
	size_t n_opinions = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t user = judgements[i].user;

		if (user == DATASET_NONE)
			continue;
		if (n_opinions == 0 || opinions[n_opinions - 1].user != user)
			opinions[n_opinions++] = (struct opinion){.user = user};
		opinions[n_opinions - 1].n += 1;
		opinions[n_opinions - 1].n_first += judgements[i].prefers_first;
	}
	return n_opinions;
}

/* Add a pair whose share of discordance is the sum of its cells' discordant over weight's. */
static void add_share(struct two_way *sums, double share)
{
	sums->n_pairs += 1;
	sums->total += share;
	sums->squares += share * share;
}

static void add_cell(struct two_way *sums, uint32_t user, double discordant, double weight)
{
	sums->user.discordant[user] += discordant;
	sums->user.weight[user] += weight;
	sums->cell_dd += discordant * discordant;
	sums->cell_dw += discordant * weight;
	sums->cell_ww += weight * weight;
}

/* The pair's share of discordant judgements of two different people. */
static void add_between(struct two_way *sums, struct opinion *opinions, size_t n)
{
	double all = 0, all_first = 0, met = 0, discordant = 0;

	for (size_t i = 0; i < n; i++) {
		all += opinions[i].n;
		all_first += opinions[i].n_first;
	}
	for (size_t i = 0; i < n; i++) {
		struct opinion *o = &opinions[i];
		double others_first = all_first - o->n_first;
		double others_second = all - o->n - others_first;

		o->met = o->n * (all - o->n);
		o->discordant = o->n_first * others_second + (o->n - o->n_first) * others_first;
		met += o->met / 2; /* each is met from both sides */
		discordant += o->discordant / 2;
	}
	add_share(sums, discordant / met);
	/* leaving a person out leaves out all judgements that the person is part of */
	for (size_t i = 0; i < n; i++)
		add_cell(sums, opinions[i].user, opinions[i].discordant / met,
			 opinions[i].met / met);
}

/* The share of discordant ones among a person's own judgements of a pair; n >= 2. */
static void add_within(struct two_way *sums, const struct opinion *o)
{
	double share = 2 * o->n_first * (o->n - o->n_first) / (o->n * (o->n - 1));

	add_share(sums, share);
	add_cell(sums, o->user, share, 1);
}

/*
 * Residuals are e = discordant - m weight. What people share beyond their cells may come out
 * negative by chance; it is not let lower the variance.
 */
static struct estimate two_way_estimate(const struct two_way *sums, size_t n_users)
{
	double m, by_pair, by_user = 0, by_cell, variance;

	if (sums->n_pairs == 0)
		return (struct estimate){0};
	m = sums->total / sums->n_pairs;
	by_pair = fmax(0, sums->squares - sums->n_pairs * m * m);
	by_cell = sums->cell_dd - 2 * m * sums->cell_dw + m * m * sums->cell_ww;
	for (size_t u = 0; u < n_users; u++) {
		double residual = sums->user.discordant[u] - m * sums->user.weight[u];

		by_user += residual * residual;
	}
	variance = by_pair + fmax(0, by_user - by_cell);
	return estimate_share(m, variance / (sums->n_pairs * sums->n_pairs), (size_t)sums->n_pairs);
}

/* Judgements [n] of one pair. */
static void add_pair(const struct judgement *judgements, size_t n, struct opinion *opinions,
		     struct repeats *repeats, struct two_way *between, struct two_way *within)
{
	size_t n_opinions = gather_opinions(judgements, n, opinions);
	double all = 0, all_first = 0;

	repeats->n_distinct++;
	for (size_t i = 0; i < n_opinions; i++) {
		all += opinions[i].n;
		all_first += opinions[i].n_first;
		if (opinions[i].n < 2)
			continue;
		repeats->n_same_person++;
		add_within(within, &opinions[i]);
	}
	if (n_opinions < 2)
		return;
	repeats->n_shared++;
	repeats->n_judgements += (size_t)all;
	repeats->n_both_ways += all_first > 0 && all_first < all;
	add_between(between, opinions, n_opinions);
}

static void measure(const struct dataset *dataset, struct judgement *judgements,
		    struct opinion *opinions, struct two_way *between, struct two_way *within,
		    struct repeats *repeats)
{
	size_t n = list_judgements(dataset, judgements, &repeats->n_ties), end;

	for (size_t begin = 0; begin < n; begin = end) {
		for (end = begin + 1;
		     end < n && compare_pairs(&judgements[begin], &judgements[end]) == 0; end++)
			;
		add_pair(judgements + begin, end - begin, opinions, repeats, between, within);
	}
	repeats->between = two_way_estimate(between, dataset->n_users);
	repeats->within = two_way_estimate(within, dataset->n_users);
	repeats->loss_bound = (struct estimate){
	    .mean = 2 * M_LN2 * repeats->between.mean,
	    .se = 2 * M_LN2 * repeats->between.se,
	    .low = 2 * M_LN2 * repeats->between.low,
	    .high = 2 * M_LN2 * repeats->between.high,
	    .n_clusters = repeats->between.n_clusters,
	};
	if (dataset->n_users == 0)
		repeats->state = REPEATS_NO_USERS;
	else
		repeats->state = repeats->n_shared == 0 ? REPEATS_NONE : REPEATS_FOUND;
}

enum status repeats_measure(const struct dataset *dataset, struct repeats *repeats_out,
			    struct err *err)
{
	struct judgement *judgements = mem_array(dataset->n_pairs, sizeof(*judgements));
	struct opinion *opinions = mem_array(dataset->n_users, sizeof(*opinions));
	double *sums = mem_array(dataset->n_users, 4 * sizeof(*sums));
	enum status status = STATUS_OK;

	*repeats_out = (struct repeats){0};
	if (judgements != NULL && opinions != NULL && sums != NULL) {
		size_t n = dataset->n_users;
		struct two_way between = {.user = {sums, sums + n}};
		struct two_way within = {.user = {sums + 2 * n, sums + 3 * n}};

		measure(dataset, judgements, opinions, &between, &within, repeats_out);
	} else {
		status = err_no_memory(err, "repeated pairs");
	}
	mem_free(judgements);
	mem_free(opinions);
	mem_free(sums);
	return status;
}
