/* SPDX-License-Identifier: Apache-2.0 */
/* model_report_json.c - model_report for machines; NULL anywhere means no memory. */
#include <string.h>

#include "core/tool/json_line.h"
#include "core/tool/model_report.h"

static json_t *labels_json(const struct model *model)
{
	json_t *array = json_array();

	for (size_t k = 0; k < model->heads.n_heads; k++)
		json_line_append(&array, json_string(model->labels[k]));
	return array;
}

static json_t *masked_json(const struct model *model)
{
	json_t *array = json_array();

	for (size_t k = 0; k < model->heads.n_heads; k++) {
		if (model->mask[k])
			json_line_append(&array, json_integer((json_int_t)k));
	}
	return array;
}

static json_t *facts_json(const struct model *model)
{
	json_t *object = json_object();

	for (size_t i = 0; i < model->n_facts; i++) {
		const char *key = model->facts[i].key + strlen(MODEL_FACT_PREFIX);

		if (json_object_set_new(object, key, json_string(model->facts[i].value)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *most_alike_json(const struct head_likeness *likeness)
{
	json_t *array = json_array();

	for (size_t i = 0; i < likeness->n_pairs; i++) {
		const struct head_pair *pair = &likeness->pairs[i];

		json_line_append(&array, json_pack("{s:[I,I], s:f}", "heads", (json_int_t)pair->a,
						   (json_int_t)pair->b, "cosine", pair->cosine));
	}
	return array;
}

static json_t *likeness_json(const struct head_likeness *likeness)
{
	json_t *mean = likeness->n_pairs > 0 ? json_real(likeness->mean) : json_null();
	json_t *max = likeness->n_pairs > 0 ? json_real(likeness->max) : json_null();

	return json_pack("{s:o, s:o, s:o, s:o}", "mean", mean, "max", max, "most_alike",
			 most_alike_json(likeness), "matrix",
			 json_line_matrix(likeness->cosine, likeness->n_heads));
}

enum status model_report_json(const struct model *model, const struct head_likeness *likeness,
			      FILE *out, struct err *err)
{
	const struct router *router = &model->router;

	return json_line_print(
	    json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:s, s:{s:s, s:I}, s:{s:s, s:s}, s:o, s:o, s:o, s:o}",
		"id", model->id, "version", MICRO_VERSION, "format", MODEL_FORMAT, "n_heads",
		(json_int_t)model->heads.n_heads, "dim", (json_int_t)model->heads.dim, "encoder",
		model->encoder_spec, "router", "kind", router_kind_name(router->kind), "n_hidden",
		(json_int_t)router->n_hidden, "templates", "phi", model->template_phi, "psi",
		model->template_psi, "labels", labels_json(model), "masked", masked_json(model),
		"training", facts_json(model), "similarity", likeness_json(likeness)),
	    out, err);
}
