/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/head_merge.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/model/model_impl.h"

#define LABEL_JOINT " + "

enum status head_merge_init(struct head_merge *merge, size_t n_heads, struct err *err)
{
	*merge = (struct head_merge){
	    .n_heads = n_heads,
	    .n_groups = n_heads,
	    .group = mem_array(n_heads, sizeof(*merge->group)),
	    .share = mem_array(n_heads, sizeof(*merge->share)),
	};
	if (merge->group == NULL || merge->share == NULL) {
		head_merge_free(merge);
		return err_no_memory(err, "a merge of heads");
	}
	for (size_t k = 0; k < n_heads; k++) {
		merge->group[k] = k;
		merge->share[k] = 1;
	}
	return STATUS_OK;
}

void head_merge_free(struct head_merge *merge)
{
	mem_free(merge->group);
	mem_free(merge->share);
	*merge = (struct head_merge){0};
}

/* out [n_rows, n_groups] = in [n_rows, n_heads] with the columns of each group averaged by share */
static void average_columns(const struct head_merge *merge, const float *in, size_t n_rows,
			    float *out)
{
	for (size_t i = 0; i < n_rows; i++) {
		float *row = out + i * merge->n_groups;

		memset(row, 0, merge->n_groups * sizeof(*row));
		for (size_t k = 0; k < merge->n_heads; k++)
			row[merge->group[k]] +=
			    (float)(merge->share[k] * in[i * merge->n_heads + k]);
	}
}

/* g_G = sum pi_k g_k + H(pi), in the router's last layer */
static void merge_router(const struct head_merge *merge, const struct router *router,
			 struct router *merged)
{
	switch (router->kind) {
	case ROUTER_LINEAR:
		average_columns(merge, router->first, router->dim, merged->first);
		break;
	case ROUTER_MLP:
		memcpy(merged->first, router->first,
		       router->dim * router->n_hidden * sizeof(*router->first));
		memcpy(merged->bias0, router->bias0, router->n_hidden * sizeof(*router->bias0));
		average_columns(merge, router->weight2, router->n_hidden, merged->weight2);
		break;
	default:
		break;
	}
	average_columns(merge, router->bias, 1, merged->bias);
	for (size_t k = 0; k < merge->n_heads; k++) {
		double share = merge->share[k];

		if (share > 0)
			merged->bias[merge->group[k]] -= (float)(share * log(share));
	}
}

/* A new string; NULL without memory. */
static char *joined_label(const struct head_merge *merge, const struct model *model, size_t group)
{
	size_t len = 0;
	char *label;

	for (size_t k = 0; k < merge->n_heads; k++) {
		if (merge->group[k] == group)
			len += strlen(LABEL_JOINT) + strlen(model->labels[k]);
	}
	label = mem_array(len + 1, 1);
	if (label == NULL)
		return NULL;
	for (size_t k = 0; k < merge->n_heads; k++) {
		if (merge->group[k] != group)
			continue;
		if (label[0] != '\0')
			strcat(label, LABEL_JOINT);
		strcat(label, model->labels[k]);
	}
	return label;
}

static enum status merge_labels(const struct head_merge *merge, const struct model *model,
				struct model *merged, struct err *err)
{
	for (size_t group = 0; group < merge->n_groups; group++) {
		char *label = joined_label(merge, model, group);

		if (label == NULL)
			return err_no_memory(err, "a label");
		mem_free(merged->labels[group]);
		merged->labels[group] = label;
	}
	return STATUS_OK;
}

static enum status copy_texts(const struct model *model, struct model *copy, struct err *err)
{
	enum status status = model_replace_string(&copy->encoder_spec, model->encoder_spec, err);

	if (status == STATUS_OK)
		status = model_set_templates(copy, model->template_phi, model->template_psi, err);
	for (size_t i = 0; i < model->n_facts && status == STATUS_OK; i++)
		status = model_set_fact(copy, model->facts[i].key, model->facts[i].value, err);
	return status;
}

enum status head_merge_apply(const struct head_merge *merge, const struct model *model,
			     struct model *merged_out, struct err *err)
{
	const struct heads *heads = &model->heads;
	enum status status = model_allocate(merged_out, merge->n_groups, heads->dim,
					    model->router.kind, model->router.n_hidden, err);

	if (status != STATUS_OK)
		return status;
	status = copy_texts(model, merged_out, err);
	if (status == STATUS_OK)
		status = merge_labels(merge, model, merged_out, err);
	if (status != STATUS_OK) {
		model_free(merged_out);
		return status;
	}
	memcpy(merged_out->fingerprint, model->fingerprint,
	       heads->dim * sizeof(*model->fingerprint));
	for (size_t k = 0; k < merge->n_heads; k++)
		merged_out->mask[merge->group[k]] = model->mask[k];
	average_columns(merge, heads->weight, heads->dim, merged_out->heads.weight);
	average_columns(merge, heads->center, 1, merged_out->heads.center);
	merge_router(merge, &model->router, &merged_out->router);
	model_update_id(merged_out);
	return STATUS_OK;
}
