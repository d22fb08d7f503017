/* SPDX-License-Identifier: Apache-2.0 */
/* model_impl.h - what making and loading a model share; private to core/model. */
#ifndef MICRO_MODEL_MODEL_IMPL_H
#define MICRO_MODEL_MODEL_IMPL_H

#include "core/model/model.h"
#include "core/model/safetensors.h"

#define MODEL_MAX_TENSORS 6 /* with the mlp router */

/*
 * A tensor of the file and where it lives in the model. Matrices are stored by
 * feature in memory: the transpose of what is in the file.
 */
struct model_binding {
	const char *name;
	size_t rank;
	size_t shape[2]; /* in the file */
	float *values;
};

/* The tensors of a model as they go into the file. */
struct model_tensors {
	struct tensor_spec specs[MODEL_MAX_TENSORS];
	float *values[MODEL_MAX_TENSORS]; /* data of specs, in the file's order */
	size_t n_specs;
};

/* The metadata of a model as it goes into the file. */
struct model_metadata {
	struct metadata_spec *specs; /* [n_specs]; also views of the model's strings */
	size_t n_specs;
	char *fingerprint; /* base64 */
	char *labels;	   /* JSON */
	char *mask;	   /* JSON */
};

/**
 * model_allocate(model, n_heads, dim, kind, n_hidden, err): zero weights and
 * fingerprint, default templates and labels, no mask; encoder_spec is NULL.
 * On error nothing is owned.
 */
enum status model_allocate(struct model *model, size_t n_heads, size_t dim, enum router_kind kind,
			   size_t n_hidden, struct err *err);

/** model_replace_string(field, text, err): free *field, put a copy of text there. */
enum status model_replace_string(char **field, const char *text, struct err *err);

/**
 * model_bind(heads, router, bindings_out): all tensors of a model of these lengths and this
 * kind of router; returns how many. heads and router may be without memory yet: values
 * are then not to be used.
 */
size_t model_bind(const struct heads *heads, const struct router *router,
		  struct model_binding bindings_out[MODEL_MAX_TENSORS]);

/** model_binding_check(want, tensor, err): STATUS_BAD_FILE unless the shape is want's. */
enum status model_binding_check(const struct model_binding *want, const struct tensor *tensor,
				struct err *err);

/** model_binding_read(binding, tensor, err): the numbers of a checked tensor into the model. */
enum status model_binding_read(const struct model_binding *binding, const struct tensor *tensor,
			       struct err *err);

/** model_binding_copy(binding): the values in the file's order, a new array; NULL without memory.
 */
float *model_binding_copy(const struct model_binding *binding);

/**
 * model_lengths_of_heads(tensor, heads, err): n_heads and dim, within their limits, of the
 * heads' weights; no memory. STATUS_BAD_FILE names the tensor and what was expected.
 */
enum status model_lengths_of_heads(const struct tensor *tensor, struct heads *heads,
				   struct err *err);

/** model_lengths_of_mlp(tensor, router, err): kind and n_hidden, of the first layer's weights. */
enum status model_lengths_of_mlp(const struct tensor *tensor, struct router *router,
				 struct err *err);

/**
 * model_tensors_read(file, model, err): make an uninitialized model of the
 * file's shapes and fill its weights. Every shape is checked before anything of
 * that shape is allocated. On error nothing is owned.
 */
enum status model_tensors_read(const struct safetensors *file, struct model *model,
			       struct err *err);

/** model_tensors_make(model, tensors_out, err): copies for the file; model_tensors_free() them. */
enum status model_tensors_make(const struct model *model, struct model_tensors *tensors_out,
			       struct err *err);
void model_tensors_free(struct model_tensors *tensors);

/** model_metadata_check(file, err): right format, all keys there and no unknown one. */
enum status model_metadata_check(const struct safetensors *file, struct err *err);

/** model_metadata_read(file, model, err): all but the tensors, into a model that has those. */
enum status model_metadata_read(const struct safetensors *file, struct model *model,
				struct err *err);

/** model_metadata_make(model, metadata_out, err): for the file; model_metadata_free() it. */
enum status model_metadata_make(const struct model *model, struct model_metadata *metadata_out,
				struct err *err);
void model_metadata_free(struct model_metadata *metadata);

#endif
