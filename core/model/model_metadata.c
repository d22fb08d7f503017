/* SPDX-License-Identifier: Apache-2.0 */
/* model_metadata.c - what the model file says in words: encoder, templates, labels, mask, facts */
#include "core/model/model_impl.h"

#include <string.h>

#include <jansson.h>
#include <unistr.h>

#include "core/base/base64.h"
#include "core/base/jsontext.h"
#include "core/base/mem.h"
#include "core/encode/template.h"

#define KEY_FORMAT	"format"
#define KEY_ENCODER	"encoder"
#define KEY_FINGERPRINT "encoder.fingerprint"
#define KEY_PHI		"template.phi"
#define KEY_PSI		"template.psi"
#define KEY_LABELS	"heads.labels"
#define KEY_MASK	"heads.mask"

static const char *const required_keys[] = {
    KEY_FORMAT, KEY_ENCODER, KEY_FINGERPRINT, KEY_PHI, KEY_PSI, KEY_LABELS, KEY_MASK,
};

#define N_REQUIRED_KEYS (sizeof(required_keys) / sizeof(required_keys[0]))

/* What a text of the file does not satisfy is a fault of the file, whoever found it. */
static enum status file_fault(enum status status, struct err *err)
{
	if (status == STATUS_OK || status == STATUS_NO_MEMORY)
		return status;
	if (err != NULL)
		err->code = STATUS_BAD_FILE;
	return STATUS_BAD_FILE;
}

static enum status key_fault(const char *key, enum status status, struct err *err)
{
	if (status != STATUS_OK && status != STATUS_NO_MEMORY)
		err_wrap(err, "%s", key);
	return file_fault(status, err);
}

static bool is_fact(const char *key)
{
	return strncmp(key, MODEL_FACT_PREFIX, strlen(MODEL_FACT_PREFIX)) == 0;
}

static bool is_known_key(const char *key)
{
	for (size_t i = 0; i < N_REQUIRED_KEYS; i++) {
		if (strcmp(required_keys[i], key) == 0)
			return true;
	}
	return is_fact(key);
}

/* format first: of a file that is no model, nothing else is worth saying */
enum status model_metadata_check(const struct safetensors *file, struct err *err)
{
	const char *format = safetensors_metadata(file, KEY_FORMAT);
	const char *key, *value;

	if (format == NULL)
		return err_set(err, STATUS_BAD_FILE,
			       "no MiCRo model: metadata has no \"format\", want \"%s\"",
			       MODEL_FORMAT);
	if (strcmp(format, MODEL_FORMAT) != 0)
		return err_set(err, STATUS_BAD_FILE, "format: \"%s\", want \"%s\"", format,
			       MODEL_FORMAT);
	for (size_t i = 0; i < N_REQUIRED_KEYS; i++) {
		if (safetensors_metadata(file, required_keys[i]) == NULL)
			return err_set(err, STATUS_BAD_FILE, "metadata has no \"%s\"",
				       required_keys[i]);
	}
	for (size_t i = 0; i < safetensors_metadata_count(file); i++) {
		safetensors_metadata_at(file, i, &key, &value);
		if (!is_known_key(key))
			return err_set(err, STATUS_BAD_FILE, "unexpected metadata \"%s\"", key);
	}
	return STATUS_OK;
}

static enum status read_encoder(const struct safetensors *file, struct model *model,
				struct err *err)
{
	const char *spec = safetensors_metadata(file, KEY_ENCODER);
	struct encoder *encoder;
	enum status status = encoder_open(spec, &encoder, err);

	if (status != STATUS_OK)
		return file_fault(status, err);
	if (encoder_dim(encoder) != model->heads.dim)
		status = err_set(err, STATUS_BAD_FILE,
				 KEY_ENCODER ": %s has dimension %zu, but heads.weight has %zu",
				 spec, encoder_dim(encoder), model->heads.dim);
	else
		status = model_replace_string(&model->encoder_spec, encoder_spec(encoder), err);
	encoder_close(encoder);
	return status;
}

static enum status read_fingerprint(const struct safetensors *file, struct model *model,
				    struct err *err)
{
	const char *text = safetensors_metadata(file, KEY_FINGERPRINT);

	return key_fault(
	    KEY_FINGERPRINT,
	    base64_decode_floats(text, strlen(text), model->heads.dim, model->fingerprint, err),
	    err);
}

static enum status read_template(const struct safetensors *file, const char *key,
				 bool allow_response, char **field, struct err *err)
{
	const char *text = safetensors_metadata(file, key);
	enum status status = template_check(text, allow_response, err);

	if (status != STATUS_OK)
		return key_fault(key, status, err);
	return model_replace_string(field, text, err);
}

/* A JSON array with one item for each head; the caller releases it. */
static enum status read_array(const struct safetensors *file, const char *key, size_t n_heads,
			      json_t **array_out, struct err *err)
{
	const char *text = safetensors_metadata(file, key);
	json_t *array;
	enum status status = jsontext_load(text, strlen(text), key, &array, err);

	if (status != STATUS_OK)
		return status;
	if (!json_is_array(array) || json_array_size(array) != n_heads) {
		json_decref(array);
		return err_set(err, STATUS_BAD_FILE, "%s: want an array of %zu items", key,
			       n_heads);
	}
	*array_out = array;
	return STATUS_OK;
}

static enum status read_labels(const struct safetensors *file, struct model *model, struct err *err)
{
	size_t n_heads = model->heads.n_heads;
	json_t *array;
	enum status status = read_array(file, KEY_LABELS, n_heads, &array, err);

	if (status != STATUS_OK)
		return status;
	for (size_t k = 0; k < n_heads && status == STATUS_OK; k++) {
		const char *label = json_string_value(json_array_get(array, k));

		if (label == NULL)
			status = err_set(err, STATUS_BAD_FILE,
					 KEY_LABELS ": item %zu: want a string", k);
		else
			status = model_replace_string(&model->labels[k], label, err);
	}
	json_decref(array);
	return status;
}

static enum status read_mask(const struct safetensors *file, struct model *model, struct err *err)
{
	size_t n_heads = model->heads.n_heads, n_masked = 0;
	json_t *array;
	enum status status = read_array(file, KEY_MASK, n_heads, &array, err);

	if (status != STATUS_OK)
		return status;
	for (size_t k = 0; k < n_heads && status == STATUS_OK; k++) {
		const json_t *item = json_array_get(array, k);

		if (!json_is_boolean(item))
			status = err_set(err, STATUS_BAD_FILE,
					 KEY_MASK ": item %zu: want true or false", k);
		model->mask[k] = json_is_true(item);
		n_masked += model->mask[k];
	}
	json_decref(array);
	if (status == STATUS_OK && n_masked == n_heads)
		status = err_set(err, STATUS_BAD_FILE,
				 KEY_MASK ": all heads are masked, want one that is not");
	return status;
}

/*
 * The metadata is in the order of the facts. Not by model_set_fact(), which looks for
 * the place of each: a file of a few megabytes with nothing else would take minutes.
 */
static enum status read_facts(const struct safetensors *file, struct model *model, struct err *err)
{
	size_t n_metadata = safetensors_metadata_count(file);
	enum status status = STATUS_OK;
	const char *key, *value;

	model->facts = mem_array(n_metadata, sizeof(*model->facts));
	if (model->facts == NULL)
		return err_no_memory(err, "model");
	for (size_t i = 0; i < n_metadata && status == STATUS_OK; i++) {
		safetensors_metadata_at(file, i, &key, &value);
		if (!is_fact(key))
			continue;
		struct model_fact *fact = &model->facts[model->n_facts++];

		status = model_replace_string(&fact->key, key, err);
		if (status == STATUS_OK)
			status = model_replace_string(&fact->value, value, err);
	}
	return status;
}

enum status model_metadata_read(const struct safetensors *file, struct model *model,
				struct err *err)
{
	enum status status = read_encoder(file, model, err);

	if (status == STATUS_OK)
		status = read_fingerprint(file, model, err);
	if (status == STATUS_OK)
		status = read_template(file, KEY_PHI, true, &model->template_phi, err);
	if (status == STATUS_OK)
		status = read_template(file, KEY_PSI, false, &model->template_psi, err);
	if (status == STATUS_OK)
		status = read_labels(file, model, err);
	if (status == STATUS_OK)
		status = read_mask(file, model, err);
	if (status == STATUS_OK)
		status = read_facts(file, model, err);
	return status;
}

/* JSON text of an array, which is released. */
static enum status dump_array(json_t *array, const char *key, char **text_out, struct err *err)
{
	*text_out = jsontext_dump(array, JSON_COMPACT);
	json_decref(array);
	return *text_out == NULL ? err_no_memory(err, key) : STATUS_OK;
}

static enum status make_labels(const struct model *model, char **text_out, struct err *err)
{
	json_t *array = json_array();

	for (size_t k = 0; k < model->heads.n_heads; k++) {
		const char *label = model->labels[k];

		if (u8_check((const uint8_t *)label, strlen(label)) != NULL) {
			json_decref(array);
			return err_set(err, STATUS_INVALID_VALUE,
				       KEY_LABELS ": item %zu: not valid UTF-8", k);
		}
		if (json_array_append_new(array, json_string(label)) != 0) {
			json_decref(array);
			return err_no_memory(err, KEY_LABELS);
		}
	}
	return dump_array(array, KEY_LABELS, text_out, err);
}

static enum status make_mask(const struct model *model, char **text_out, struct err *err)
{
	json_t *array = json_array();

	for (size_t k = 0; k < model->heads.n_heads; k++) {
		if (json_array_append_new(array, json_boolean(model->mask[k])) != 0) {
			json_decref(array);
			return err_no_memory(err, KEY_MASK);
		}
	}
	return dump_array(array, KEY_MASK, text_out, err);
}

static enum status make_texts(const struct model *model, struct model_metadata *metadata,
			      struct err *err)
{
	enum status status = make_labels(model, &metadata->labels, err);

	if (status == STATUS_OK)
		status = make_mask(model, &metadata->mask, err);
	if (status != STATUS_OK)
		return status;
	metadata->fingerprint = base64_encode_floats(model->fingerprint, model->heads.dim);
	metadata->specs = mem_array(N_REQUIRED_KEYS + model->n_facts, sizeof(*metadata->specs));
	if (metadata->fingerprint == NULL || metadata->specs == NULL)
		return err_no_memory(err, "metadata");
	return STATUS_OK;
}

enum status model_metadata_make(const struct model *model, struct model_metadata *metadata_out,
				struct err *err)
{
	enum status status;

	*metadata_out = (struct model_metadata){0};
	status = make_texts(model, metadata_out, err);
	if (status != STATUS_OK) {
		model_metadata_free(metadata_out);
		return status;
	}

	const struct metadata_spec required[N_REQUIRED_KEYS] = {
	    {KEY_FORMAT, MODEL_FORMAT},
	    {KEY_ENCODER, model->encoder_spec},
	    {KEY_FINGERPRINT, metadata_out->fingerprint},
	    {KEY_PHI, model->template_phi},
	    {KEY_PSI, model->template_psi},
	    {KEY_LABELS, metadata_out->labels},
	    {KEY_MASK, metadata_out->mask},
	};

	memcpy(metadata_out->specs, required, sizeof(required));
	metadata_out->n_specs = N_REQUIRED_KEYS;
	for (size_t i = 0; i < model->n_facts; i++)
		metadata_out->specs[metadata_out->n_specs++] =
		    (struct metadata_spec){model->facts[i].key, model->facts[i].value};
	return STATUS_OK;
}

void model_metadata_free(struct model_metadata *metadata)
{
	mem_free(metadata->specs);
	mem_free(metadata->fingerprint);
	mem_free(metadata->labels);
	mem_free(metadata->mask);
}
