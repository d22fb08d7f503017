/* SPDX-License-Identifier: Apache-2.0 */
/* model_tensors.c - which tensor of the file is which array of the model, both ways */
#include "core/model/model_impl.h"

#include <string.h>

#include "core/base/mem.h"

/*
 * A tensor of the file and where it lives in the model. Matrices are stored by
 * feature in memory: the transpose of what is in the file.
 */
struct binding {
	const char *name;
	size_t rank;
	size_t shape[2]; /* in the file */
	float *values;
};

static struct binding vector(const char *name, size_t n, float *values)
{
	return (struct binding){name, 1, {n}, values};
}

static struct binding matrix(const char *name, size_t n_rows, size_t n_columns, float *values)
{
	return (struct binding){name, 2, {n_rows, n_columns}, values};
}

/* All tensors of a model of these shapes; returns how many. */
static size_t bind_tensors(const struct heads *heads, const struct router *router,
			   struct binding bindings_out[MODEL_MAX_TENSORS])
{
	size_t n_heads = heads->n_heads, dim = heads->dim, n_hidden = router->n_hidden;
	size_t n = 0;

	bindings_out[n++] = matrix("heads.weight", n_heads, dim, heads->weight);
	bindings_out[n++] = vector("heads.center", n_heads, heads->center);
	switch (router->kind) {
	case ROUTER_MLP:
		bindings_out[n++] = matrix("router.0.weight", n_hidden, dim, router->first);
		bindings_out[n++] = vector("router.0.bias", n_hidden, router->bias0);
		bindings_out[n++] = matrix("router.2.weight", n_heads, n_hidden, router->weight2);
		bindings_out[n++] = vector("router.2.bias", n_heads, router->bias);
		break;
	case ROUTER_LINEAR:
		bindings_out[n++] = matrix("router.weight", n_heads, dim, router->first);
		bindings_out[n++] = vector("router.bias", n_heads, router->bias);
		break;
	default:
		bindings_out[n++] = vector("router.bias", n_heads, router->bias);
		break;
	}
	return n;
}

/* out [n_columns, n_rows] = the transpose of in [n_rows, n_columns] */
static void transpose(const float *in, size_t n_rows, size_t n_columns, float *out)
{
	for (size_t i = 0; i < n_rows; i++) {
		for (size_t j = 0; j < n_columns; j++)
			out[j * n_rows + i] = in[i * n_columns + j];
	}
}

static enum status check_shape(const struct tensor *tensor, const struct binding *want,
			       struct err *err)
{
	char got_text[TENSOR_SHAPE_TEXT], want_text[TENSOR_SHAPE_TEXT];

	if (tensor->rank == want->rank &&
	    memcmp(tensor->shape, want->shape, want->rank * sizeof(want->shape[0])) == 0)
		return STATUS_OK;
	tensor_shape_text(tensor->shape, tensor->rank, got_text);
	tensor_shape_text(want->shape, want->rank, want_text);
	return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want %s", tensor->name, got_text,
		       want_text);
}

static bool is_bound(const char *name, const struct binding *bindings, size_t n_bindings)
{
	for (size_t i = 0; i < n_bindings; i++) {
		if (strcmp(bindings[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Exactly the tensors of bindings, each with its shape. */
static enum status check_tensors(const struct safetensors *file, const struct binding *bindings,
				 size_t n_bindings, struct err *err)
{
	for (size_t i = 0; i < n_bindings; i++) {
		const struct tensor *tensor = safetensors_find(file, bindings[i].name);
		enum status status;

		if (tensor == NULL)
			return err_set(err, STATUS_BAD_FILE, "tensor %s is missing",
				       bindings[i].name);
		status = check_shape(tensor, &bindings[i], err);
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

/* A matrix that says how large the model is; each length within 1..max. */
static enum status read_lengths(const struct safetensors *file, const char *name,
				const char *row_name, size_t max_rows, size_t *n_rows_out,
				size_t *n_columns_out, struct err *err)
{
	const struct tensor *tensor = safetensors_find(file, name);
	char shape[TENSOR_SHAPE_TEXT];

	if (tensor == NULL)
		return err_set(err, STATUS_BAD_FILE, "tensor %s is missing", name);
	tensor_shape_text(tensor->shape, tensor->rank, shape);
	if (tensor->rank != 2)
		return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want [%s, dim]", name, shape,
			       row_name);
	if (tensor->shape[0] < 1 || tensor->shape[0] > max_rows)
		return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want 1 <= %s <= %zu", name,
			       shape, row_name, max_rows);
	*n_rows_out = tensor->shape[0];
	*n_columns_out = tensor->shape[1];
	return STATUS_OK;
}

/* Shapes only: heads and router get their lengths and kind, no memory. */
static enum status read_shapes(const struct safetensors *file, struct heads *heads,
			       struct router *router, struct err *err)
{
	size_t psi_dim;
	enum status status;

	status = read_lengths(file, "heads.weight", "n_heads", HEADS_MAX, &heads->n_heads,
			      &heads->dim, err);
	if (status != STATUS_OK)
		return status;
	if (heads->dim < ENCODER_MIN_DIM || heads->dim > ENCODER_MAX_DIM)
		return err_set(err, STATUS_BAD_FILE,
			       "heads.weight: shape [%zu, %zu], want %d <= dim <= %d",
			       heads->n_heads, heads->dim, ENCODER_MIN_DIM, ENCODER_MAX_DIM);
	router->dim = heads->dim;
	router->n_heads = heads->n_heads;
	if (safetensors_find(file, "router.0.weight") != NULL) {
		router->kind = ROUTER_MLP;
		return read_lengths(file, "router.0.weight", "n_hidden", ROUTER_MAX_HIDDEN,
				    &router->n_hidden, &psi_dim, err);
	}
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
	struct binding bindings[MODEL_MAX_TENSORS];
	enum status status = read_shapes(file, &heads, &router, err);

	if (status == STATUS_OK)
		status =
		    check_tensors(file, bindings, bind_tensors(&heads, &router, bindings), err);
	if (status != STATUS_OK)
		return status;
	return model_allocate(model, heads.n_heads, heads.dim, router.kind, router.n_hidden, err);
}

static enum status read_matrix(const struct tensor *tensor, const struct binding *binding,
			       struct err *err)
{
	float *in_file_order = mem_array(tensor->n_elements, sizeof(*in_file_order));
	enum status status;

	if (in_file_order == NULL)
		return err_no_memory(err, tensor->name);
	status = tensor_floats(tensor, in_file_order, err);
	if (status == STATUS_OK)
		transpose(in_file_order, binding->shape[0], binding->shape[1], binding->values);
	mem_free(in_file_order);
	return status;
}

static enum status read_bindings(const struct safetensors *file, struct model *model,
				 struct err *err)
{
	struct binding bindings[MODEL_MAX_TENSORS];
	size_t n_bindings = bind_tensors(&model->heads, &model->router, bindings);
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_bindings && status == STATUS_OK; i++) {
		const struct tensor *tensor = safetensors_find(file, bindings[i].name);

		if (bindings[i].rank == 2)
			status = read_matrix(tensor, &bindings[i], err);
		else
			status = tensor_floats(tensor, bindings[i].values, err);
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

/* The values in the file's order: a new array. NULL without memory. */
static float *copy_values(const struct binding *binding)
{
	size_t n_rows = binding->shape[0];
	size_t n_columns = binding->rank == 2 ? binding->shape[1] : 1;
	float *copy = mem_array(n_rows * n_columns, sizeof(*copy));

	if (copy != NULL)
		transpose(binding->values, n_columns, n_rows, copy);
	return copy;
}

enum status model_tensors_make(const struct model *model, struct model_tensors *tensors_out,
			       struct err *err)
{
	struct binding bindings[MODEL_MAX_TENSORS];
	size_t n_bindings = bind_tensors(&model->heads, &model->router, bindings);

	tensors_out->n_specs = 0;
	for (size_t i = 0; i < n_bindings; i++) {
		const struct binding *binding = &bindings[i];
		float *values = copy_values(binding);

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
