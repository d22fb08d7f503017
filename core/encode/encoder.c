/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/encoder.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>

#include "core/base/mem.h"
#include "core/encode/encoder_impl.h"
#include "core/math/linalg.h"

/*
 * Something of all that may come out differently with another Unicode library:
 * case, composition, an apostrophe, marks, scripts without spaces.
 */
static const char probe[] = "The quick brown fox doesn't jump over 13 lazy dogs. "
			    "ÀÉÎÕÜ o\xcc\x88 Straße ΣΊΣΥΦΟΣ Ёлка שָׁלוֹם हिन्दी 한국어 "
			    "日本語です ภาษาไทย";

static const struct encoder_ops *const all_ops[] = {&encoder_hash_ops, &encoder_none_ops};

/* The number of a spec's ":D" in dim_out; false if it is not that. */
static bool parse_dim(const char *text, size_t *dim_out)
{
	unsigned long dim = 0;

	if (*text++ != ':')
		return false;
	if (*text == '\0' || strlen(text) != strspn(text, "0123456789"))
		return false;
	dim = strtoul(text, NULL, 10); /* ULONG_MAX if it is larger than that */
	*dim_out = dim;
	return dim >= ENCODER_MIN_DIM && dim <= ENCODER_MAX_DIM;
}

static const struct encoder_ops *parse_spec(const char *spec, size_t *dim_out)
{
	for (size_t i = 0; i < sizeof(all_ops) / sizeof(*all_ops); i++) {
		size_t len = strlen(all_ops[i]->scheme);

		if (strncmp(spec, all_ops[i]->scheme, len) == 0 && parse_dim(spec + len, dim_out))
			return all_ops[i];
	}
	return NULL;
}

enum status encoder_open(const char *spec, struct encoder **encoder_out, struct err *err)
{
	struct encoder *encoder;
	size_t dim = 0;
	const struct encoder_ops *ops = parse_spec(spec, &dim);

	if (ops == NULL)
		return err_set(err, STATUS_INVALID_VALUE,
			       "encoder \"%.64s\": want %s or %s with D from %d to %d, such as %s",
			       spec, encoder_hash_ops.syntax, encoder_none_ops.syntax,
			       ENCODER_MIN_DIM, ENCODER_MAX_DIM, ENCODER_DEFAULT_SPEC);
	encoder = mem_array(1, sizeof(*encoder));
	if (encoder == NULL)
		return err_no_memory(err, "an encoder");
	encoder->ops = ops;
	encoder->dim = dim;
	snprintf(encoder->spec, sizeof(encoder->spec), "%s:%zu", ops->scheme, dim);
	*encoder_out = encoder;
	return STATUS_OK;
}

void encoder_close(struct encoder *encoder)
{
	mem_free(encoder);
}

const char *encoder_spec(const struct encoder *encoder)
{
	return encoder->spec;
}

size_t encoder_dim(const struct encoder *encoder)
{
	return encoder->dim;
}

bool encoder_is_sparse(const struct encoder *encoder)
{
	return encoder->ops->sparse;
}

bool encoder_reads_text(const struct encoder *encoder)
{
	return encoder->ops->reads_text;
}

static enum status encode_one(const struct encoder *encoder, struct text text, struct features *out,
			      struct err *err)
{
	const uint8_t *bad = u8_check((const uint8_t *)text.bytes, text.len);

	if (bad != NULL)
		return err_set(err, STATUS_MALFORMED, "the text is not valid UTF-8 at byte %td",
			       bad - (const uint8_t *)text.bytes);
	return encoder->ops->encode(encoder, text, out, err);
}

enum status encoder_encode(const struct encoder *encoder, const struct text *texts, size_t n_texts,
			   struct features *out, struct err *err)
{
	size_t n_rows_before = out->n_rows;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_texts && status == STATUS_OK; i++)
		status = encode_one(encoder, texts[i], out, err);
	if (status != STATUS_OK)
		out->n_rows = n_rows_before;
	return status;
}

enum status encoder_fingerprint(const struct encoder *encoder, float *vector_out, struct err *err)
{
	const struct text text = {probe, sizeof(probe) - 1};
	struct features features;
	enum status status;

	if (!encoder_reads_text(encoder)) {
		memset(vector_out, 0, encoder->dim * sizeof(*vector_out));
		return STATUS_OK;
	}
	features_init(&features, encoder->dim, encoder_is_sparse(encoder));
	status = encoder_encode(encoder, &text, 1, &features, err);
	if (status == STATUS_OK)
		feature_row_copy(features_row(&features, 0), vector_out);
	features_free(&features);
	return status;
}

static enum status compare_fingerprints(const struct encoder *encoder, const float *vector,
					const float *fingerprint, const char *when, struct err *err)
{
	double cosine = linalg_cosine(vector, fingerprint, encoder->dim);

	/* equal vectors agree whatever their length: none:D has the zero vector */
	if (memcmp(vector, fingerprint, encoder->dim * sizeof(*vector)) == 0 ||
	    cosine >= ENCODER_MIN_COSINE)
		return STATUS_OK;
	return err_set(err, STATUS_ENCODER_MISMATCH,
		       "encoder %s gives the probe text another vector than when %s: cosine %.6f, "
		       "want at least %g",
		       encoder_spec(encoder), when, cosine, ENCODER_MIN_COSINE);
}

enum status encoder_check_fingerprint(const struct encoder *encoder, const float *fingerprint,
				      const char *when, struct err *err)
{
	float *vector = mem_array(encoder->dim, sizeof(*vector));
	enum status status;

	if (vector == NULL)
		return err_no_memory(err, "fingerprint");
	status = encoder_fingerprint(encoder, vector, err);
	if (status == STATUS_OK)
		status = compare_fingerprints(encoder, vector, fingerprint, when, err);
	mem_free(vector);
	return status;
}
