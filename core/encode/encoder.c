/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/encoder.h"

#include <stdint.h>
#include <string.h>

#include <unistr.h>

#include "core/base/mem.h"
#include "core/encode/encoder_http.h"
#include "core/encode/encoder_impl.h"
#include "core/encode/encoder_spec.h"
#include "core/encode/fingerprint.h"

#define ASCII_BLOCK	64 /* bytes looked at together */
#define CONNECT_TIMEOUT 5.0
#define TIMEOUT		120.0
#define N_RETRIES	8
#define N_CONNECTIONS	4
#define MAX_BATCH	256
#define CACHE_BYTES	((size_t)64 << 20)

void encoder_options_init(struct encoder_options *options)
{
	*options = (struct encoder_options){
	    .connect_timeout = CONNECT_TIMEOUT,
	    .timeout = TIMEOUT,
	    .n_retries = N_RETRIES,
	    .n_connections = N_CONNECTIONS,
	    .max_batch = MAX_BATCH,
	    .cache_bytes = CACHE_BYTES,
	};
}

static enum status open_parsed(const struct encoder_spec *spec,
			       const struct encoder_options *options, struct encoder **encoder_out,
			       struct err *err)
{
	struct encoder *encoder = mem_array(1, sizeof(*encoder));
	enum status status = STATUS_OK;

	if (encoder == NULL)
		return err_no_memory(err, "an encoder");
	encoder->ops = spec->ops;
	encoder->dim = spec->dim;
	encoder->spec = mem_string(spec->text, strlen(spec->text));
	if (encoder->spec == NULL)
		status = err_no_memory(err, "an encoder");
	else if (encoder_is_remote(encoder) && options->url != NULL)
		status = encoder_http_open(encoder, spec, fingerprint_probe(), options, err);
	if (status != STATUS_OK) {
		encoder_close(encoder);
		return status;
	}
	*encoder_out = encoder;
	return STATUS_OK;
}

enum status encoder_open_at(const char *spec, const struct encoder_options *options,
			    struct encoder **encoder_out, struct err *err)
{
	struct encoder_spec parsed;
	enum status status = encoder_spec_parse(spec, &parsed, err);

	return status == STATUS_OK ? open_parsed(&parsed, options, encoder_out, err) : status;
}

enum status encoder_open(const char *spec, struct encoder **encoder_out, struct err *err)
{
	const struct encoder_options options = {.url = NULL};

	return encoder_open_at(spec, &options, encoder_out, err);
}

void encoder_close(struct encoder *encoder)
{
	if (encoder == NULL)
		return;
	encoder_http_close(encoder);
	mem_free(encoder->pinned);
	mem_free(encoder->spec);
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

enum status encoder_check_url(const char *url, struct err *err)
{
	return http_pool_check_url(url, err);
}

bool encoder_is_remote(const struct encoder *encoder)
{
	return encoder->ops->api != EMBEDDING_API_NONE;
}

enum status encoder_pin(struct encoder *encoder, const float *fingerprint, struct err *err)
{
	float *copy = mem_array(encoder->dim, sizeof(*copy));

	if (copy == NULL)
		return err_no_memory(err, "fingerprint");
	memcpy(copy, fingerprint, encoder->dim * sizeof(*copy));
	mem_free(encoder->pinned);
	encoder->pinned = copy;
	if (encoder->http != NULL)
		remote_pin(encoder_http_remote(encoder), fingerprint);
	return STATUS_OK;
}

enum status encoder_health(const struct encoder *encoder, struct err *err)
{
	if (encoder->http == NULL)
		return STATUS_OK;
	return remote_health(encoder_http_remote(encoder), err);
}

void encoder_stats(const struct encoder *encoder, struct encoder_stats *stats_out)
{
	*stats_out = (struct encoder_stats){.is_remote = encoder_is_remote(encoder)};
	if (encoder->http != NULL)
		encoder_http_stats(encoder, stats_out);
}

void encoder_cancel(struct encoder *encoder)
{
	if (encoder->http != NULL)
		remote_cancel(encoder_http_remote(encoder));
}

/* A loop without exits, so that compilers make vectors of it. */
static bool is_ascii_block(const char *bytes)
{
	unsigned char all = 0;

	for (size_t i = 0; i < ASCII_BLOCK; i++)
		all |= (unsigned char)bytes[i];
	return all < 0x80;
}

/* As most texts are ASCII, at least to begin with, libunistring is asked from there on. */
static enum status check_text(struct text text, struct err *err)
{
	const uint8_t *bad;
	size_t n_ascii = 0;

	while (text.len - n_ascii >= ASCII_BLOCK && is_ascii_block(text.bytes + n_ascii))
		n_ascii += ASCII_BLOCK;
	if (n_ascii == text.len)
		return STATUS_OK;
	bad = u8_check((const uint8_t *)text.bytes + n_ascii, text.len - n_ascii);
	if (bad == NULL)
		return STATUS_OK;
	return err_set(err, STATUS_MALFORMED, "the text is not valid UTF-8 at byte %td",
		       bad - (const uint8_t *)text.bytes);
}

static enum status check_address(const struct encoder *encoder, struct err *err)
{
	if (encoder->http != NULL)
		return STATUS_OK;
	return err_set(err, STATUS_USAGE,
		       "encoder %.128s: texts are encoded by a server: want its address, "
		       "--encoder-url URL",
		       encoder->spec);
}

static enum status encode_here(const struct encoder *encoder, const struct text *texts,
			       size_t n_texts, struct features *out, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_texts && status == STATUS_OK; i++)
		status = encoder->ops->encode(encoder, texts[i], out, err);
	return status;
}

enum status encoder_encode(const struct encoder *encoder, const struct text *texts, size_t n_texts,
			   struct features *out, struct err *err)
{
	size_t refused;

	return encoder_encode_many(encoder, texts, n_texts, out, &refused, err);
}

static enum status check_texts(const struct text *texts, size_t n_texts, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_texts && status == STATUS_OK; i++)
		status = check_text(texts[i], err);
	return status;
}

enum status encoder_call_open(const struct encoder *encoder, const struct text *texts,
			      size_t n_texts, struct encoder_call **call_out, struct err *err)
{
	enum status status = check_texts(texts, n_texts, err);

	if (status == STATUS_OK)
		status = check_address(encoder, err);
	if (status != STATUS_OK)
		return status;
	return encoder_http_call_open(encoder, texts, n_texts, call_out, err);
}

static enum status encode_there(const struct encoder *encoder, const struct text *texts,
				size_t n_texts, struct features *out, size_t *refused_out,
				struct err *err)
{
	struct encoder_call *call = NULL;
	enum status status = encoder_call_open(encoder, texts, n_texts, &call, err);

	if (status == STATUS_OK)
		status = encoder_call_finish(call, out, refused_out, err);
	encoder_call_close(call);
	return status;
}

enum status encoder_encode_many(const struct encoder *encoder, const struct text *texts,
				size_t n_texts, struct features *out, size_t *refused_out,
				struct err *err)
{
	size_t n_rows_before = out->n_rows;
	enum status status;

	*refused_out = ENCODER_NO_TEXT;
	if (n_texts == 0)
		return STATUS_OK;
	if (encoder_is_remote(encoder))
		return encode_there(encoder, texts, n_texts, out, refused_out, err);
	status = check_texts(texts, n_texts, err);
	if (status == STATUS_OK)
		status = encode_here(encoder, texts, n_texts, out, err);
	if (status != STATUS_OK)
		out->n_rows = n_rows_before;
	return status;
}

/* Its server's, or what is known of it. */
static enum status remote_vector(const struct encoder *encoder, float *vector_out, struct err *err)
{
	if (encoder->http != NULL)
		return remote_fingerprint(encoder_http_remote(encoder), vector_out, err);
	if (encoder->pinned == NULL)
		return check_address(encoder, err);
	memcpy(vector_out, encoder->pinned, encoder->dim * sizeof(*vector_out));
	return STATUS_OK;
}

enum status encoder_fingerprint(const struct encoder *encoder, float *vector_out, struct err *err)
{
	const struct text text = fingerprint_probe();
	struct features features;
	enum status status;

	if (!encoder_reads_text(encoder)) {
		memset(vector_out, 0, encoder->dim * sizeof(*vector_out));
		return STATUS_OK;
	}
	if (encoder_is_remote(encoder))
		return remote_vector(encoder, vector_out, err);
	features_init(&features, encoder->dim, encoder_is_sparse(encoder));
	status = encoder_encode(encoder, &text, 1, &features, err);
	if (status == STATUS_OK)
		feature_row_copy(features_row(&features, 0), vector_out);
	features_free(&features);
	return status;
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
		status = fingerprint_compare(encoder_spec(encoder), vector, fingerprint,
					     encoder->dim, when, err);
	mem_free(vector);
	return status;
}
