/* SPDX-License-Identifier: Apache-2.0 */
/* model_tensors.c - the tensors of a model's file, all of them and no others, both ways */
#include "core/model/model_impl.h"

#include <string.h>

#include "core/base/mem.h"

static bool is_bound(const char *name, const struct model_binding *bindings, size_t n_bindings)
{
	for (size_t i = 0; i < n_bindings; i++) {
		if (strcmp(bindings[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Exactly the tensors of bindings, each with its shape. */
static enum status check_tensors(const struct safetensors *file,
				 const struct model_binding *bindings, size_t n_bindings,
				 struct err *err)
{
	for (size_t i = 0; i < n_bindings; i++) {
		const struct tensor *tensor = safetensors_find(file, bindings[i].name);
		enum status status;

		if (tensor == NULL)
			return err_set(err, STATUS_BAD_FILE, "tensor %s is missing",
				       bindings[i].name);
		status = model_binding_check(&bindings[i], tensor, err);
		if (status != STATUS_OK)
			return status;
	}
	for (size_t i = 0; i < safetensors_count(file); i++) {
		const char *name = safetensors_at(file, i)->name;

		if (!is_bound(name, bindings, n_bindings))
			return err_set(err, STATUS_BAD_FILE, "unexpected tensor %s", name);
	}
	return STATUS_OK;
}

/* Shapes only: heads and router get their lengths and kind, no memory. */
static enum status read_shapes(const struct safetensors *file, struct heads *heads,
			       struct router *router, struct err *err)
{
	const struct tensor *weight = safetensors_find(file, "heads.weight");
	const struct tensor *hidden = safetensors_find(file, "router.0.weight");
	enum status status;

	if (weight == NULL)
		return err_set(err, STATUS_BAD_FILE, "tensor heads.weight is missing");
	status = model_lengths_of_heads(weight, heads, err);
	if (status != STATUS_OK)
		return status;
	router->dim = heads->dim;
	router->n_heads = heads->n_heads;
	if (hidden != NULL)
		return model_lengths_of_mlp(hidden, router, err);
	router->kind =
	    safetensors_find(file, "router.weight") != NULL ? ROUTER_LINEAR : ROUTER_STATIC;
	return STATUS_OK;
}

/* Checks every shape before it allocates anything of that shape. */
static enum status allocate_as_file(const struct safetensors *file, struct model *model,
				    struct err *err)
{
	struct heads heads = {0};
	struct router router = {0};
	struct model_binding bindings[MODEL_MAX_TENSORS];
	enum status status = read_shapes(file, &heads, &router, err);

	if (status == STATUS_OK)
		status = check_tensors(file, bindings, model_bind(&heads, &router, bindings), err);
	if (status != STATUS_OK)
		return status;
	return model_allocate(model, heads.n_heads, heads.dim, router.kind, router.n_hidden, err);
}

static enum status read_bindings(const struct safetensors *file, struct model *model,
				 struct err *err)
{
	struct model_binding bindings[MODEL_MAX_TENSORS];
	size_t n_bindings = model_bind(&model->heads, &model->router, bindings);
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_bindings && status == STATUS_OK; i++) {
		const struct tensor *tensor = safetensors_find(file, bindings[i].name);

		status = model_binding_read(&bindings[i], tensor, err);
	}
	return status;
}

enum status model_tensors_read(const struct safetensors *file, struct model *model, struct err *err)
{
	enum status status = allocate_as_file(file, model, err);

	if (status != STATUS_OK)
		return status;
	status = read_bindings(file, model, err);
	if (status != STATUS_OK)
		model_free(model);
	return status;
}

enum status model_tensors_make(const struct model *model, struct model_tensors *tensors_out,
			       struct err *err)
{
	struct model_binding bindings[MODEL_MAX_TENSORS];
	size_t n_bindings = model_bind(&model->heads, &model->router, bindings);

	tensors_out->n_specs = 0;
	for (size_t i = 0; i < n_bindings; i++) {
		const struct model_binding *binding = &bindings[i];
		float *values = model_binding_copy(binding);

		if (values == NULL) {
			model_tensors_free(tensors_out);
			return err_no_memory(err, binding->name);
		}
		tensors_out->values[i] = values;
		tensors_out->specs[i] = (struct tensor_spec){
		    .name = binding->name,
		    .rank = binding->rank,
		    .shape = {binding->shape[0], binding->shape[1]},
		    .data = values,
		};
		tensors_out->n_specs++;
	}
	return STATUS_OK;
}

void model_tensors_free(struct model_tensors *tensors)
{
	for (size_t i = 0; i < tensors->n_specs; i++)
		mem_free(tensors->values[i]);
	tensors->n_specs = 0;
}
