/* SPDX-License-Identifier: Apache-2.0 */
/* model_bindings.c - which tensor is which array of the model, and how long each is */
#include "core/model/model_impl.h"

#include <string.h>

#include "core/base/mem.h"

static struct model_binding vector(const char *name, size_t n, float *values)
{
	return (struct model_binding){name, 1, {n}, values};
}

static struct model_binding matrix(const char *name, size_t n_rows, size_t n_columns, float *values)
{
	return (struct model_binding){name, 2, {n_rows, n_columns}, values};
}

size_t model_bind(const struct heads *heads, const struct router *router,
		  struct model_binding bindings_out[MODEL_MAX_TENSORS])
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

enum status model_binding_check(const struct model_binding *want, const struct tensor *tensor,
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

static enum status read_matrix(const struct model_binding *binding, const struct tensor *tensor,
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

enum status model_binding_read(const struct model_binding *binding, const struct tensor *tensor,
			       struct err *err)
{
	if (binding->rank == 2)
		return read_matrix(binding, tensor, err);
	return tensor_floats(tensor, binding->values, err);
}

float *model_binding_copy(const struct model_binding *binding)
{
	size_t n_rows = binding->shape[0];
	size_t n_columns = binding->rank == 2 ? binding->shape[1] : 1;
	float *copy = mem_array(n_rows * n_columns, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	/* NOLINTNEXTLINE(readability-suspicious-call-argument): back from what it was */
	transpose(binding->values, n_columns, n_rows, copy);
	return copy;
}

/* The lengths of a matrix, which say how large the model is; 1 to max_rows rows. */
static enum status read_lengths(const struct tensor *tensor, const char *row_name, size_t max_rows,
				size_t *n_rows_out, size_t *n_columns_out, struct err *err)
{
	char shape[TENSOR_SHAPE_TEXT];

	tensor_shape_text(tensor->shape, tensor->rank, shape);
	if (tensor->rank != 2)
		return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want [%s, dim]", tensor->name,
			       shape, row_name);
	if (tensor->shape[0] < 1 || tensor->shape[0] > max_rows)
		return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want 1 <= %s <= %zu",
			       tensor->name, shape, row_name, max_rows);
	*n_rows_out = tensor->shape[0];
	*n_columns_out = tensor->shape[1];
	return STATUS_OK;
}

enum status model_lengths_of_heads(const struct tensor *tensor, struct heads *heads,
				   struct err *err)
{
	enum status status =
	    read_lengths(tensor, "n_heads", HEADS_MAX, &heads->n_heads, &heads->dim, err);

	if (status != STATUS_OK)
		return status;
	if (heads->dim < ENCODER_MIN_DIM || heads->dim > ENCODER_MAX_DIM)
		return err_set(err, STATUS_BAD_FILE, "%s: shape [%zu, %zu], want %d <= dim <= %d",
			       tensor->name, heads->n_heads, heads->dim, ENCODER_MIN_DIM,
			       ENCODER_MAX_DIM);
	return STATUS_OK;
}

enum status model_lengths_of_mlp(const struct tensor *tensor, struct router *router,
				 struct err *err)
{
	size_t dim;

	router->kind = ROUTER_MLP;
	return read_lengths(tensor, "n_hidden", ROUTER_MAX_HIDDEN, &router->n_hidden, &dim, err);
}
