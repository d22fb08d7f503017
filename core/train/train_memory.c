/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/train_memory.h"

#include <string.h>

#include "core/train/components.h"
#include "core/train/layer.h"
#include "core/train/objective.h"

#define MIB 1048576.0

/* H of the header */
static double first_outputs(const struct train_options *o)
{
	switch (o->router) {
	case ROUTER_MLP:
		return (double)o->n_hidden;
	case ROUTER_LINEAR:
		return (double)o->n_heads;
	default:
		return 0;
	}
}

static double count_parameters(const struct train_options *o, double dim)
{
	double n_heads = (double)o->n_heads, n_first = first_outputs(o);
	double n = n_heads * dim + n_first * dim + n_heads;

	/* the hidden layer's biases and the second layer */
	return o->router == ROUTER_MLP ? n + n_first + n_first * n_heads : n;
}

/* Users, and pairs that stand alone. */
static double count_groups(const struct dataset *dataset)
{
	double n = (double)dataset->n_users;

	for (size_t i = 0; i < dataset->n_pairs; i++)
		n += dataset->user[i] == DATASET_NONE;
	return n;
}

/* What static, lore and panel keep of users: see the header. */
static double users_bytes(const struct dataset *dataset, const struct train_options *o)
{
	double n_heads = (double)o->n_heads;
	double of_lore =
	    o->objective == OBJECTIVE_LORE ? 4 * n_heads * (double)dataset->n_pairs : 0;

	if (!objective_spec(o->objective)->ops->by_user)
		return 0;
	return 8 * n_heads * count_groups(dataset) + of_lore;
}

static double components_bytes(const struct train_options *o, double dim)
{
	double width = (double)(o->n_heads + COMPONENTS_OVERSAMPLING);

	return o->objective == OBJECTIVE_DRM ? 8 * width * (dim + 3 * width) + 256 * dim : 0;
}

static double names_bytes(char *const *names, size_t n)
{
	double bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += 300 + 16 * (double)strlen(names[i]);
	return bytes;
}

void train_memory_of(const struct dataset *dataset, const struct train_options *options,
		     struct train_memory *memory_out)
{
	struct train_memory *m = memory_out;
	double n_pairs = (double)dataset->n_pairs, n_heads = (double)options->n_heads;
	double dim = (double)dataset->phi.dim, n_first = first_outputs(options);
	double batch = (double)options->batch < n_pairs ? (double)options->batch : n_pairs;
	double per_output = (double)layer_n_shards(dataset->phi.dim) + 2;

	m->parameters = 16 * count_parameters(options, dim);
	m->batch = 4 * batch * (2 * dim + (n_heads + n_first) * per_output + 4 * n_heads);
	m->pairs = n_pairs * (80 + 12 * n_heads);
	m->users = users_bytes(dataset, options);
	m->components = components_bytes(options, dim);
	m->names = names_bytes(dataset->user_names, dataset->n_users) +
		   names_bytes(dataset->context_names, dataset->n_contexts);
	m->window = (double)mapped_rows_window(dataset->phi.mapped) +
		    (double)mapped_rows_window(dataset->psi.mapped);
	m->program = 16 * MIB + 32 * MIB * (double)options->n_threads;
	m->total = m->parameters + m->batch + m->pairs + m->users + m->components + m->names +
		   m->window + m->program;
}
