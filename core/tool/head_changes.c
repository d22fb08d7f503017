/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/head_changes.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/eval/head_scores.h"
#include "core/eval/redundancy.h"
#include "core/tool/head_list.h"
#include "core/tool/usage.h"

#define HEAD_TEXT 6 /* of a head's number, with what separates it from the next */

/* ---- labels and masks ---- */

/* listed [n_heads]: the heads of a list, which may be NULL. */
static enum status list_heads(const char *text, const char *option, size_t n_heads, bool *listed,
			      struct err *err)
{
	memset(listed, 0, n_heads * sizeof(*listed));
	if (text == NULL)
		return STATUS_OK;
	return usage_of_option(head_list_numbers(text, n_heads, listed, err), option, err);
}

/* new_mask [n_heads]: as in the model, with the orders; in and out [n_heads]: scratch. */
static enum status order_mask(const struct model *model, const struct head_orders *orders,
			      bool *new_mask, bool *in, bool *out, struct err *err)
{
	size_t n_heads = model->heads.n_heads;
	enum status status = list_heads(orders->unmask, "unmask", n_heads, in, err);

	if (status == STATUS_OK)
		status = list_heads(orders->mask, "mask", n_heads, out, err);
	if (status != STATUS_OK)
		return status;
	for (size_t k = 0; k < n_heads; k++) {
		if (in[k] && out[k])
			return err_set(err, STATUS_USAGE,
				       "--mask and --unmask: head %zu is in both", k);
		new_mask[k] = out[k] || (model->mask[k] && !in[k]);
	}
	return STATUS_OK;
}

static enum status change_mask(struct model *model, const struct head_orders *orders,
			       struct err *err)
{
	size_t n_heads = model->heads.n_heads;
	bool *masks = mem_array(3 * n_heads, sizeof(*masks));
	enum status status;

	if (masks == NULL)
		return err_no_memory(err, "a mask");
	status = order_mask(model, orders, masks, masks + n_heads, masks + 2 * n_heads, err);
	if (status == STATUS_OK)
		status = usage_of_option(model_set_mask(model, masks, err), "mask", err);
	mem_free(masks);
	return status;
}

enum status head_changes_order(struct model *model, const struct head_orders *orders,
			       struct err *err)
{
	enum status status = STATUS_OK;

	if (orders->label != NULL)
		status =
		    usage_of_option(head_list_some_labels(orders->label, model, err), "label", err);
	if (status == STATUS_OK && (orders->mask != NULL || orders->unmask != NULL))
		status = change_mask(model, orders, err);
	return status;
}

/* ---- audit ---- */

static enum status audit_init(struct head_audit *audit, const struct model *model,
			      const struct dataset *safety, struct err *err)
{
	struct head_margins margins;
	struct head_scores scores;
	enum status status = head_margins_init(&margins, model, safety, 1, err);

	if (status != STATUS_OK)
		return status;
	status = head_scores_init(&scores, &margins, 0, safety, err);
	head_margins_free(&margins);
	if (status != STATUS_OK)
		return status;
	audit->n_heads = model->heads.n_heads;
	audit->n_pairs = safety->n_pairs;
	audit->inverted = mem_array(audit->n_heads, sizeof(*audit->inverted));
	audit->masked = mem_array(audit->n_heads, sizeof(*audit->masked));
	if (audit->inverted == NULL || audit->masked == NULL)
		status = err_no_memory(err, "an audit");
	for (size_t k = 0; k < audit->n_heads && status == STATUS_OK; k++) {
		audit->inverted[k] = scores.score[k].inverted;
		audit->masked[k] = audit->inverted[k] > audit->threshold;
	}
	head_scores_free(&scores);
	return status;
}

/* The model's mask and the audit's. */
static enum status mask_audited(struct model *model, const struct head_audit *audit,
				struct err *err)
{
	bool *mask = mem_array(audit->n_heads, sizeof(*mask));
	enum status status;

	if (mask == NULL)
		return err_no_memory(err, "a mask");
	for (size_t k = 0; k < audit->n_heads; k++)
		mask[k] = model->mask[k] || audit->masked[k];
	status = model_set_mask(model, mask, err);
	mem_free(mask);
	return status;
}

static enum status set_audit_facts(struct model *model, const struct head_audit *audit,
				   const struct dataset *safety, struct err *err)
{
	char *masked = mem_array(audit->n_heads + 1, HEAD_TEXT);
	char threshold[32];
	size_t len = 0;
	enum status status;

	if (masked == NULL)
		return err_no_memory(err, "an audit");
	for (size_t k = 0; k < audit->n_heads; k++) {
		if (audit->masked[k])
			len +=
			    (size_t)snprintf(masked + len, HEAD_TEXT, len == 0 ? "%zu" : " %zu", k);
	}
	snprintf(threshold, sizeof(threshold), "%g", audit->threshold);
	status = model_set_fact(model, "train.audit.masked", len == 0 ? "none" : masked, err);
	mem_free(masked);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.audit.threshold", threshold, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.audit.data.sha256", safety->sha256, err);
	return status;
}

enum status head_changes_audit(struct model *model, const struct dataset *safety, double threshold,
			       struct head_audit *audit_out, struct err *err)
{
	enum status status;

	*audit_out = (struct head_audit){.threshold = threshold};
	status = audit_init(audit_out, model, safety, err);
	if (status == STATUS_OK)
		status = mask_audited(model, audit_out, err);
	if (status == STATUS_OK)
		status = set_audit_facts(model, audit_out, safety, err);
	return status;
}

void head_audit_free(struct head_audit *audit)
{
	mem_free(audit->inverted);
	mem_free(audit->masked);
	*audit = (struct head_audit){0};
}

/* ---- merge ---- */

static enum status score_mixture(const struct model *model, const struct dataset *datasets,
				 size_t n_datasets, struct eval_score *score_out, struct err *err)
{
	const struct eval_options options = {.temperature = 1};
	struct eval_result result;

	for (size_t j = 0; j < n_datasets; j++) {
		enum status status = eval_run(model, &datasets[j], &options, &result, err);

		if (status != STATUS_OK)
			return status;
		score_out[j] = result.overall;
		eval_result_free(&result);
	}
	return STATUS_OK;
}

/* Whether head k is the first of a group of several. */
static bool begins_group(const struct head_merge *merge, size_t k)
{
	size_t n_members = 0;

	for (size_t j = 0; j < merge->n_heads; j++) {
		if (merge->group[j] != merge->group[k])
			continue;
		if (j < k)
			return false;
		n_members++;
	}
	return n_members > 1;
}

/* "0+3 1+5": groups of several heads; text_out has HEAD_TEXT bytes for each head. */
static void print_groups(const struct head_merge *merge, char *text_out)
{
	size_t len = 0;

	text_out[0] = '\0';
	for (size_t k = 0; k < merge->n_heads; k++) {
		const char *joint = len == 0 ? "" : " ";

		if (!begins_group(merge, k))
			continue;
		for (size_t j = k; j < merge->n_heads; j++) {
			if (merge->group[j] != merge->group[k])
				continue;
			len += (size_t)snprintf(text_out + len, HEAD_TEXT, "%s%zu", joint, j);
			joint = "+";
		}
	}
}

/* The digests of all datasets, separated by blanks. */
static enum status set_data_fact(struct model *model, const struct dataset *datasets,
				 size_t n_datasets, struct err *err)
{
	char *text = mem_array(n_datasets, DIGEST_HEX_LEN + 1);
	enum status status;

	if (text == NULL)
		return err_no_memory(err, "a fact");
	for (size_t j = 0; j < n_datasets; j++) {
		if (j > 0)
			strcat(text, " ");
		strcat(text, datasets[j].sha256);
	}
	status = model_set_fact(model, "train.merge.data.sha256", text, err);
	mem_free(text);
	return status;
}

static enum status set_merge_facts(struct model *model, const struct head_merging *merging,
				   const struct dataset *datasets, struct err *err)
{
	char *groups = mem_array(merging->merge.n_heads + 1, HEAD_TEXT);
	char threshold[32];
	enum status status;

	if (groups == NULL)
		return err_no_memory(err, "a fact");
	print_groups(&merging->merge, groups);
	snprintf(threshold, sizeof(threshold), "%g", merging->threshold);
	status = model_set_fact(model, FACT_MERGED_HEADS, groups, err);
	mem_free(groups);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.merge.threshold", threshold, err);
	if (status == STATUS_OK)
		status = set_data_fact(model, datasets, merging->n_datasets, err);
	return status;
}

/* In place of model, if the merge changes it. */
static enum status replace_by_merged(struct model *model, const struct head_merging *merging,
				     const struct dataset *datasets, struct err *err)
{
	struct model merged;
	enum status status;

	if (merging->merge.n_groups == merging->merge.n_heads)
		return STATUS_OK;
	status = head_merge_apply(&merging->merge, model, &merged, err);
	if (status != STATUS_OK)
		return status;
	status = set_merge_facts(&merged, merging, datasets, err);
	if (status != STATUS_OK) {
		model_free(&merged);
		return status;
	}
	model_free(model);
	*model = merged;
	return STATUS_OK;
}

static enum status find_merge(struct head_merging *merging, const struct model *model,
			      const struct dataset *datasets, struct err *err)
{
	size_t n = merging->n_datasets;
	struct head_margins margins;
	enum status status = head_margins_init(&margins, model, datasets, n, err);

	if (status != STATUS_OK)
		return status;
	status = redundancy_find(&margins, model->mask, merging->threshold, &merging->merge, err);
	head_margins_free(&margins);
	if (status != STATUS_OK)
		return status;
	merging->before = mem_array(n, sizeof(*merging->before));
	merging->after = mem_array(n, sizeof(*merging->after));
	if (merging->before == NULL || merging->after == NULL)
		return err_no_memory(err, "a merge of heads");
	return STATUS_OK;
}

enum status head_changes_merge(struct model *model, const struct dataset *datasets,
			       size_t n_datasets, double threshold,
			       struct head_merging *merging_out, struct err *err)
{
	enum status status;

	*merging_out = (struct head_merging){.threshold = threshold, .n_datasets = n_datasets};
	status = find_merge(merging_out, model, datasets, err);
	if (status == STATUS_OK)
		status = score_mixture(model, datasets, n_datasets, merging_out->before, err);
	if (status == STATUS_OK)
		status = replace_by_merged(model, merging_out, datasets, err);
	if (status == STATUS_OK)
		status = score_mixture(model, datasets, n_datasets, merging_out->after, err);
	return status;
}

void head_merging_free(struct head_merging *merging)
{
	head_merge_free(&merging->merge);
	mem_free(merging->before);
	mem_free(merging->after);
	*merging = (struct head_merging){0};
}
