/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a MiCRo model: heads, router, encoder spec, templates, labels, mask
 * and training facts; one safetensors file (schema/model.md).
 *
 * A loaded model is immutable and may be shared by any number of threads.
 */
#ifndef MICRO_MODEL_MODEL_H
#define MICRO_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/digest.h"
#include "core/base/err.h"
#include "core/encode/encoder.h"
#include "core/model/heads.h"
#include "core/model/router.h"

#define MODEL_FORMAT	  "micro/1"
#define MODEL_FACT_PREFIX "train."

/* A training fact: a __metadata__ entry whose key begins with MODEL_FACT_PREFIX. */
struct model_fact {
	char *key;
	char *value;
};

struct model {
	struct heads heads;
	struct router router;
	char *encoder_spec;
	float *fingerprint; /* [dim]: the encoder's vector of the probe text */
	char *template_phi;
	char *template_psi;
	char **labels;		  /* [n_heads]; "head 0", ... by default */
	bool *mask;		  /* [n_heads]; true: taken out for safety */
	struct model_fact *facts; /* [n_facts], ordered by key */
	size_t n_facts;
	char id[DIGEST_HEX_LEN + 1]; /* SHA-256 of heads and encoder spec */
};

/**
 * model_init(model, n_heads, router kind, n_hidden, encoder, err): zero weights,
 * the encoder's spec and fingerprint, default templates, labels, no mask.
 * model_free() releases; on error nothing is owned.
 */
enum status model_init(struct model *model, size_t n_heads, enum router_kind kind, size_t n_hidden,
		       const struct encoder *encoder, struct err *err);

/** model_free(model): a zeroed model is allowed. */
void model_free(struct model *model);

/** model_set_label(model, k, label, err): name head k; copies. */
enum status model_set_label(struct model *model, size_t k, const char *label, struct err *err);

/**
 * model_set_mask(model, mask, err): mask [n_heads]. STATUS_INVALID_VALUE, and the mask is
 * as it was, if it leaves no head.
 */
enum status model_set_mask(struct model *model, const bool *mask, struct err *err);

/** model_set_templates(model, phi, psi, err): both have passed template_check(); copies. */
enum status model_set_templates(struct model *model, const char *phi, const char *psi,
				struct err *err);

/**
 * model_set_fact(model, key, value, err): add or replace a fact; copies both. key begins with
 * MODEL_FACT_PREFIX. Error: STATUS_NO_MEMORY.
 */
enum status model_set_fact(struct model *model, const char *key, const char *value,
			   struct err *err);

/** model_fact(model, key): its value, NULL if there is none. */
const char *model_fact(const struct model *model, const char *key);

/**
 * model_update_id(model): recompute id from heads.weight, heads.center and the
 * encoder spec. A new router, mask or label keeps the id: users' log-weights
 * stay valid. Call after changing the heads; model_load() and model_save() do.
 */
void model_update_id(struct model *model);

/**
 * model_load(path, model, err): read and check a model file into an
 * uninitialized model; nothing is owned on error. Errors: STATUS_IO,
 * STATUS_BAD_FILE naming the tensor or key and what was expected.
 */
enum status model_load(const char *path, struct model *model, struct err *err);

/** model_save(model, path, err): atomic; same model, same bytes. */
enum status model_save(struct model *model, const char *path, struct err *err);

/**
 * model_check_encoder(model, encoder, err): encode the probe text again;
 * STATUS_ENCODER_MISMATCH unless dimension and spec agree and the cosine with
 * the model's fingerprint is at least ENCODER_MIN_COSINE.
 */
enum status model_check_encoder(const struct model *model, const struct encoder *encoder,
				struct err *err);

/**
 * model_open_encoder(model, options, encoder_out, err): the encoder that the model was trained
 * with, checked; the caller closes it. A server that is down is no error where it is watched
 * (options->max_failures), and is checked once it is there. Errors: encoder_open_at()'s and
 * model_check_encoder()'s.
 */
enum status model_open_encoder(const struct model *model, const struct encoder_options *options,
			       struct encoder **encoder_out, struct err *err);

#endif
