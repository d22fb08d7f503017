/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/import.h"

#include <stdio.h>
#include <string.h>

#include "core/model/checkpoint.h"
#include "core/model/model_impl.h"

#define HEADS_NAME "score.weight" /* of AutoModelForSequenceClassification */

/* Invariant: heads and router are lengths and a kind; they have no memory. */
struct import {
	struct checkpoint *checkpoint;
	struct heads heads;
	struct router router;
	bool has_router;
	struct model_binding bindings[MODEL_MAX_TENSORS];  /* of the model's arrays */
	struct checkpoint_tensor found[MODEL_MAX_TENSORS]; /* of bindings; some are not imported */
	size_t n_bindings;
};

/* What a tensor of ours is called in the checkpoint; NULL: it is not imported. */
static const char *name_in_checkpoint(const struct import *import, const char *name)
{
	if (strcmp(name, "heads.weight") == 0)
		return HEADS_NAME;
	if (strcmp(name, "heads.center") == 0 || !import->has_router)
		return NULL;
	return name;
}

static enum status wrap(const struct import *import, const struct checkpoint_tensor *found,
			enum status status, struct err *err)
{
	if (status != STATUS_OK)
		checkpoint_wrap(import->checkpoint, found, err);
	return status;
}

static enum status measure_heads(struct import *import, struct err *err)
{
	struct checkpoint_tensor found;
	enum status status = checkpoint_find(import->checkpoint, HEADS_NAME, &found, err);

	if (status != STATUS_OK)
		return status;
	if (found.tensor == NULL)
		return err_set(err, STATUS_BAD_FILE,
			       "tensor " HEADS_NAME " is missing, want the heads, [n_heads, dim]");
	return wrap(import, &found, model_lengths_of_heads(found.tensor, &import->heads, err), err);
}

/* Which router it is, told by its first tensor. */
static enum status measure_router(struct import *import, struct err *err)
{
	struct router *router = &import->router;
	struct checkpoint_tensor hidden, linear, bias;
	enum status status;

	router->dim = import->heads.dim;
	router->n_heads = import->heads.n_heads;
	status = checkpoint_find(import->checkpoint, "router.0.weight", &hidden, err);
	if (status == STATUS_OK)
		status = checkpoint_find(import->checkpoint, "router.weight", &linear, err);
	if (status == STATUS_OK)
		status = checkpoint_find(import->checkpoint, "router.bias", &bias, err);
	if (status != STATUS_OK)
		return status;
	if (hidden.tensor != NULL && linear.tensor != NULL)
		return err_set(err, STATUS_BAD_FILE,
			       "both router.0.weight and router.weight are there, want one router");
	import->has_router = hidden.tensor != NULL || linear.tensor != NULL || bias.tensor != NULL;
	router->kind = linear.tensor != NULL ? ROUTER_LINEAR : ROUTER_STATIC;
	if (hidden.tensor == NULL)
		return STATUS_OK;
	return wrap(import, &hidden, model_lengths_of_mlp(hidden.tensor, router, err), err);
}

/* Finds the tensor of binding i, if it is imported, and checks its shape. */
static enum status find_tensor(struct import *import, size_t i, struct err *err)
{
	const struct model_binding *binding = &import->bindings[i];
	const char *name = name_in_checkpoint(import, binding->name);
	struct checkpoint_tensor *found = &import->found[i];
	char shape[TENSOR_SHAPE_TEXT];
	enum status status;

	*found = (struct checkpoint_tensor){0};
	if (name == NULL)
		return STATUS_OK;
	status = checkpoint_find(import->checkpoint, name, found, err);
	if (status != STATUS_OK)
		return status;
	if (found->tensor == NULL) {
		tensor_shape_text(binding->shape, binding->rank, shape);
		return err_set(err, STATUS_BAD_FILE, "tensor %s is missing, want shape %s", name,
			       shape);
	}
	return wrap(import, found, model_binding_check(binding, found->tensor, err), err);
}

/* All tensors are there and have their shapes; nothing of these shapes is allocated. */
static enum status find_tensors(struct import *import, struct err *err)
{
	enum status status = measure_heads(import, err);

	if (status == STATUS_OK)
		status = measure_router(import, err);
	if (status != STATUS_OK)
		return status;
	import->n_bindings = model_bind(&import->heads, &import->router, import->bindings);
	for (size_t i = 0; i < import->n_bindings && status == STATUS_OK; i++)
		status = find_tensor(import, i, err);
	return status;
}

static enum status open_encoder(const struct import *import, const struct import_options *options,
				struct encoder **encoder_out, struct err *err)
{
	const struct encoder_options nowhere = {.url = NULL};
	const struct encoder_options *address =
	    options->address == NULL ? &nowhere : options->address;
	size_t dim = import->heads.dim;
	char none[32];
	enum status status;

	snprintf(none, sizeof(none), "none:%zu", dim);
	status = encoder_open_at(options->encoder == NULL ? none : options->encoder, address,
				 encoder_out, err);
	if (status != STATUS_OK || encoder_dim(*encoder_out) == dim)
		return status;
	status = err_set(err, STATUS_INVALID_VALUE,
			 "encoder %s has dimension %zu, but " HEADS_NAME " has %zu",
			 encoder_spec(*encoder_out), encoder_dim(*encoder_out), dim);
	encoder_close(*encoder_out);
	return status;
}

static enum status set_fact(struct model *model, const char *name, const char *what,
			    const char *value, struct err *err)
{
	char key[64];

	snprintf(key, sizeof(key), IMPORT_FACT_PREFIX "%s%s", name, what);
	return model_set_fact(model, key, value, err);
}

static enum status set_tensor_facts(struct model *model, const struct checkpoint_tensor *found,
				    struct err *err)
{
	const struct tensor *tensor = found->tensor;
	size_t size = tensor->dtype == DTYPE_F32 ? sizeof(float) : sizeof(uint16_t);
	char hex[DIGEST_HEX_LEN + 1];
	struct digest digest;
	enum status status;

	digest_init(&digest);
	digest_add(&digest, tensor->data, tensor->n_elements * size);
	digest_hex(&digest, hex);
	status = set_fact(model, tensor->name, ".file", found->file, err);
	if (status == STATUS_OK)
		status = set_fact(model, tensor->name, ".dtype", tensor->dtype_name, err);
	if (status == STATUS_OK)
		status = set_fact(model, tensor->name, ".sha256", hex, err);
	return status;
}

static enum status set_general_facts(const struct import *import, struct model *model,
				     struct err *err)
{
	enum status status = set_fact(model, "center", "",
				      "zero: the training set is not known, rewards are not "
				      "centered",
				      err);

	if (status == STATUS_OK && !import->has_router)
		status = set_fact(model, "router", "", "uniform: the checkpoint has none", err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.version", MICRO_VERSION, err);
	return status;
}

static enum status read_tensors(struct import *import, struct model *model, struct err *err)
{
	enum status status = STATUS_OK;

	/* again, because now the arrays are there */
	model_bind(&model->heads, &model->router, import->bindings);
	for (size_t i = 0; i < import->n_bindings && status == STATUS_OK; i++) {
		const struct checkpoint_tensor *found = &import->found[i];

		if (found->tensor == NULL)
			continue;
		status = wrap(import, found,
			      model_binding_read(&import->bindings[i], found->tensor, err), err);
		if (status == STATUS_OK)
			status = set_tensor_facts(model, found, err);
	}
	return status;
}

static enum status make_model(struct import *import, const struct import_options *options,
			      struct model *model, struct err *err)
{
	struct encoder *encoder;
	enum status status = open_encoder(import, options, &encoder, err);

	if (status != STATUS_OK)
		return status;
	status = model_init(model, import->heads.n_heads, import->router.kind,
			    import->router.n_hidden, encoder, err);
	encoder_close(encoder);
	if (status != STATUS_OK)
		return status;
	status = read_tensors(import, model, err);
	if (status == STATUS_OK)
		status =
		    model_set_templates(model, options->template_phi, options->template_psi, err);
	if (status == STATUS_OK)
		status = set_general_facts(import, model, err);
	if (status != STATUS_OK) {
		model_free(model);
		return status;
	}
	model_update_id(model);
	return STATUS_OK;
}

enum status import_model(const char *path, const struct import_options *options,
			 struct model *model_out, struct err *err)
{
	struct import import = {0};
	enum status status = checkpoint_open(path, &import.checkpoint, err);

	if (status == STATUS_OK)
		status = find_tensors(&import, err);
	if (status == STATUS_OK)
		status = make_model(&import, options, model_out, err);
	checkpoint_close(import.checkpoint);
	if (status != STATUS_OK)
		err_wrap(err, "import %s", path);
	return status;
}
