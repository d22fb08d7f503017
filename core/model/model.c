/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/template.h"
#include "core/model/model_impl.h"

enum status model_replace_string(char **field, const char *text, struct err *err)
{
	char *copy = mem_string(text, strlen(text));

	if (copy == NULL)
		return err_no_memory(err, "model");
	mem_free(*field);
	*field = copy;
	return STATUS_OK;
}

static enum status default_texts(struct model *model, struct err *err)
{
	enum status status;
	char label[32];

	status = model_replace_string(&model->template_phi, TEMPLATE_DEFAULT_PHI, err);
	if (status == STATUS_OK)
		status = model_replace_string(&model->template_psi, TEMPLATE_DEFAULT_PSI, err);
	for (size_t k = 0; k < model->heads.n_heads && status == STATUS_OK; k++) {
		snprintf(label, sizeof(label), "head %zu", k);
		status = model_replace_string(&model->labels[k], label, err);
	}
	return status;
}

enum status model_allocate(struct model *model, size_t n_heads, size_t dim, enum router_kind kind,
			   size_t n_hidden, struct err *err)
{
	enum status status;

	*model = (struct model){0};
	status = heads_init(&model->heads, n_heads, dim, err);
	if (status == STATUS_OK)
		status = router_init(&model->router, kind, dim, n_heads, n_hidden, err);
	if (status != STATUS_OK)
		goto err_free;
	model->fingerprint = mem_array(dim, sizeof(*model->fingerprint));
	model->labels = mem_array(n_heads, sizeof(*model->labels));
	model->mask = mem_array(n_heads, sizeof(*model->mask));
	if (model->fingerprint == NULL || model->labels == NULL || model->mask == NULL)
		status = err_no_memory(err, "model");
	else
		status = default_texts(model, err);
	if (status != STATUS_OK)
		goto err_free;
	return STATUS_OK;

err_free:
	model_free(model);
	return status;
}

enum status model_init(struct model *model, size_t n_heads, enum router_kind kind, size_t n_hidden,
		       const struct encoder *encoder, struct err *err)
{
	enum status status =
	    model_allocate(model, n_heads, encoder_dim(encoder), kind, n_hidden, err);

	if (status != STATUS_OK)
		return status;
	status = model_replace_string(&model->encoder_spec, encoder_spec(encoder), err);
	if (status == STATUS_OK)
		status = encoder_fingerprint(encoder, model->fingerprint, err);
	if (status != STATUS_OK) {
		model_free(model);
		return status;
	}
	model_update_id(model);
	return STATUS_OK;
}

void model_free(struct model *model)
{
	if (model->labels != NULL) {
		for (size_t k = 0; k < model->heads.n_heads; k++)
			mem_free(model->labels[k]);
	}
	for (size_t i = 0; i < model->n_facts; i++) {
		mem_free(model->facts[i].key);
		mem_free(model->facts[i].value);
	}
	mem_free(model->labels);
	mem_free(model->facts);
	mem_free(model->mask);
	mem_free(model->template_phi);
	mem_free(model->template_psi);
	mem_free(model->fingerprint);
	mem_free(model->encoder_spec);
	heads_free(&model->heads);
	router_free(&model->router);
	*model = (struct model){0};
}

enum status model_set_label(struct model *model, size_t k, const char *label, struct err *err)
{
	assert(k < model->heads.n_heads);
	return model_replace_string(&model->labels[k], label, err);
}

enum status model_set_mask(struct model *model, const bool *mask, struct err *err)
{
	size_t n_heads = model->heads.n_heads, n_masked = 0;

	for (size_t k = 0; k < n_heads; k++)
		n_masked += mask[k];
	if (n_masked == n_heads)
		return err_set(err, STATUS_INVALID_VALUE,
			       "all %zu heads would be masked, want one that is not", n_heads);
	memcpy(model->mask, mask, n_heads * sizeof(*mask));
	return STATUS_OK;
}

enum status model_set_templates(struct model *model, const char *phi, const char *psi,
				struct err *err)
{
	enum status status = model_replace_string(&model->template_phi, phi, err);

	if (status == STATUS_OK)
		status = model_replace_string(&model->template_psi, psi, err);
	return status;
}

/* Index of the first fact whose key is not below key. */
static size_t fact_position(const struct model *model, const char *key)
{
	size_t i = 0;

	while (i < model->n_facts && strcmp(model->facts[i].key, key) < 0)
		i++;
	return i;
}

static struct model_fact *find_fact(const struct model *model, const char *key)
{
	size_t i = fact_position(model, key);

	if (i == model->n_facts || strcmp(model->facts[i].key, key) != 0)
		return NULL;
	return &model->facts[i];
}

static enum status insert_fact(struct model *model, const char *key, const char *value,
			       struct err *err)
{
	struct model_fact fact = {0};
	struct model_fact *facts;
	size_t at = fact_position(model, key);
	enum status status = model_replace_string(&fact.key, key, err);

	if (status == STATUS_OK)
		status = model_replace_string(&fact.value, value, err);
	if (status != STATUS_OK)
		goto err_free;
	facts = mem_grow(model->facts, model->n_facts, model->n_facts + 1, sizeof(*facts));
	if (facts == NULL) {
		status = err_no_memory(err, "model");
		goto err_free;
	}
	memmove(facts + at + 1, facts + at, (model->n_facts - at) * sizeof(*facts));
	facts[at] = fact;
	model->facts = facts;
	model->n_facts++;
	return STATUS_OK;

err_free:
	mem_free(fact.key);
	mem_free(fact.value);
	return status;
}

enum status model_set_fact(struct model *model, const char *key, const char *value, struct err *err)
{
	struct model_fact *fact = find_fact(model, key);

	assert(strncmp(key, MODEL_FACT_PREFIX, strlen(MODEL_FACT_PREFIX)) == 0);
	if (fact != NULL)
		return model_replace_string(&fact->value, value, err);
	return insert_fact(model, key, value, err);
}

const char *model_fact(const struct model *model, const char *key)
{
	const struct model_fact *fact = find_fact(model, key);

	return fact == NULL ? NULL : fact->value;
}

static void digest_add_number(struct digest *digest, size_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", n);
	digest_add_string(digest, text);
}

/* The weights in the file's order, [n_heads, dim], through a buffer. */
static void digest_add_weights(struct digest *digest, const struct heads *heads)
{
	float buffer[1024];
	size_t n = 0;

	for (size_t k = 0; k < heads->n_heads; k++) {
		for (size_t d = 0; d < heads->dim; d++) {
			buffer[n++] = heads->weight[d * heads->n_heads + k];
			if (n == sizeof(buffer) / sizeof(buffer[0])) {
				digest_add(digest, buffer, sizeof(buffer));
				n = 0;
			}
		}
	}
	digest_add(digest, buffer, n * sizeof(buffer[0]));
}

void model_update_id(struct model *model)
{
	const struct heads *heads = &model->heads;
	struct digest digest;

	digest_init(&digest);
	digest_add_string(&digest, model->encoder_spec);
	digest_add_number(&digest, heads->n_heads);
	digest_add_number(&digest, heads->dim);
	digest_add_weights(&digest, heads);
	digest_add(&digest, heads->center, heads->n_heads * sizeof(*heads->center));
	digest_hex(&digest, model->id);
}

enum status model_check_encoder(const struct model *model, const struct encoder *encoder,
				struct err *err)
{
	size_t dim = encoder_dim(encoder);

	if (dim != model->heads.dim || strcmp(encoder_spec(encoder), model->encoder_spec) != 0)
		return err_set(err, STATUS_ENCODER_MISMATCH,
			       "encoder %s of dimension %zu, but the model was trained with %s of "
			       "dimension %zu",
			       encoder_spec(encoder), dim, model->encoder_spec, model->heads.dim);
	return encoder_check_fingerprint(encoder, model->fingerprint, "when the model was trained",
					 err);
}

enum status model_open_encoder(const struct model *model, const struct encoder_options *options,
			       struct encoder **encoder_out, struct err *err)
{
	enum status status = encoder_open_at(model->encoder_spec, options, encoder_out, err);

	if (status != STATUS_OK)
		return status;
	if (encoder_is_remote(*encoder_out))
		status = encoder_pin(*encoder_out, model->fingerprint, err);
	if (status == STATUS_OK)
		status = model_check_encoder(model, *encoder_out, err);
	if (status == STATUS_ENCODER_DOWN && options->max_failures > 0) {
		if (err != NULL)
			*err = (struct err){0};
		return STATUS_OK;
	}
	if (status != STATUS_OK)
		encoder_close(*encoder_out);
	return status;
}
