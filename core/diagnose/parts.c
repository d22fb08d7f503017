/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/parts.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/data/dataset_subset.h"

/* Pairs grouped by person, or each by itself, and the groups in random order. */
struct groups {
	uint32_t *order; /* group g is order[start[g] .. start[g + 1]) */
	size_t *start;
	uint32_t *shuffled; /* [n] */
	size_t n;
};

static enum status groups_of_pairs(const struct dataset *dataset, struct groups *groups,
				   struct err *err)
{
	size_t n = dataset->n_pairs;

	groups->order = mem_array(n, sizeof(*groups->order));
	groups->start = mem_array(n + 1, sizeof(*groups->start));
	if (groups->order == NULL || groups->start == NULL)
		return err_no_memory(err, "pairs");
	for (size_t i = 0; i < n; i++) {
		groups->order[i] = (uint32_t)i;
		groups->start[i + 1] = i + 1;
	}
	groups->n = n;
	return STATUS_OK;
}

static enum status groups_shuffle(struct groups *groups, uint64_t seed, struct err *err)
{
	struct rng rng;

	groups->shuffled = mem_array(groups->n, sizeof(*groups->shuffled));
	if (groups->shuffled == NULL)
		return err_no_memory(err, "people");
	for (size_t g = 0; g < groups->n; g++)
		groups->shuffled[g] = (uint32_t)g;
	rng_init(&rng, seed);
	rng_shuffle(&rng, groups->shuffled, groups->n);
	return STATUS_OK;
}

static void groups_free(struct groups *groups)
{
	mem_free(groups->order);
	mem_free(groups->start);
	mem_free(groups->shuffled);
}

static size_t group_size(const struct groups *groups, size_t g)
{
	return groups->start[g + 1] - groups->start[g];
}

/* Which people of the random order are whose: three fifths fit, one chooses, one measures. */
static size_t part_begin(size_t n_paid, int part)
{
	static const size_t fifths[N_DIAGNOSIS_PARTS + 1] = {0, 3, 4, 5};

	return n_paid * fifths[part] / 5;
}

/* People whose pairs the budget pays: the first ones of the random order; too few it cannot be. */
static size_t count_paid(const struct groups *groups, size_t budget)
{
	size_t n = 0, pairs = 0;

	while (n < groups->n && (pairs < budget || n < DIAGNOSIS_MIN_USERS))
		pairs += group_size(groups, groups->shuffled[n++]);
	return n;
}

/* The pairs of one part's people into pairs; returns their number. */
static size_t list_part(const struct groups *groups, size_t n_paid, int part, uint32_t *pairs)
{
	size_t n = 0;

	for (size_t i = part_begin(n_paid, part); i < part_begin(n_paid, part + 1); i++) {
		size_t g = groups->shuffled[i];

		memcpy(pairs + n, groups->order + groups->start[g],
		       group_size(groups, g) * sizeof(*pairs));
		n += group_size(groups, g);
	}
	return n;
}

static enum status deal(struct parts *parts, const struct dataset *dataset,
			const struct groups *groups, size_t budget, struct diagnosis *diagnosis,
			struct err *err)
{
	size_t n_paid = count_paid(groups, budget);
	uint32_t *pairs = mem_array(dataset->n_pairs, sizeof(*pairs));
	enum status status = STATUS_OK;

	if (pairs == NULL)
		return err_no_memory(err, "pairs");
	diagnosis->sampled = n_paid < groups->n;
	for (int p = 0; p < N_DIAGNOSIS_PARTS && status == STATUS_OK; p++) {
		struct dataset *part = &parts->part[p];
		size_t n = list_part(groups, n_paid, p, pairs);

		status = dataset_subset(dataset, pairs, n, part, err);
		if (status == STATUS_OK && diagnosis->way == DIAGNOSIS_BY_PAIR)
			dataset_forget_users(part);
		diagnosis->parts[p] = (struct diagnosis_size){part->n_users, part->n_pairs};
	}
	mem_free(pairs);
	return status;
}

/* Named people with several pairs. */
static size_t count_many(const struct dataset *dataset, const size_t *start)
{
	size_t n = 0;

	for (size_t u = 0; u < dataset->n_users; u++)
		n += start[u + 1] - start[u] >= 2;
	return n;
}

static enum diagnosis_way way_of(const struct diagnosis *diagnosis)
{
	if (diagnosis->n_users_many >= DIAGNOSIS_MIN_USERS)
		return DIAGNOSIS_BY_USER;
	return diagnosis->n_pairs >= DIAGNOSIS_MIN_PAIRS ? DIAGNOSIS_BY_PAIR : DIAGNOSIS_TOO_LITTLE;
}

enum status parts_init(struct parts *parts, const struct dataset *dataset,
		       const struct diagnosis_options *options, struct diagnosis *diagnosis,
		       struct err *err)
{
	struct groups groups = {0};
	enum status status = dataset_by_user(dataset, &groups.order, &groups.start, &groups.n, err);

	*parts = (struct parts){0};
	if (status != STATUS_OK)
		return status;
	diagnosis->n_users = dataset->n_users;
	diagnosis->n_pairs = dataset->n_pairs;
	diagnosis->n_users_many = count_many(dataset, groups.start);
	diagnosis->way = way_of(diagnosis);
	if (diagnosis->way == DIAGNOSIS_BY_USER)
		groups.n = dataset->n_users; /* the others, one pair each, are nobody's */
	if (diagnosis->way == DIAGNOSIS_BY_PAIR) {
		groups_free(&groups);
		groups = (struct groups){0};
		status = groups_of_pairs(dataset, &groups, err);
	}
	if (diagnosis->way != DIAGNOSIS_TOO_LITTLE) {
		if (status == STATUS_OK)
			status = groups_shuffle(&groups, options->seed, err);
		if (status == STATUS_OK)
			status = deal(parts, dataset, &groups, options->budget, diagnosis, err);
	}
	groups_free(&groups);
	return status;
}

void parts_free(struct parts *parts)
{
	for (int p = 0; p < N_DIAGNOSIS_PARTS; p++)
		dataset_free(&parts->part[p]);
}
