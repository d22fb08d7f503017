/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/features_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/file_map.h"
#include "core/base/mem.h"
#include "core/data/pair_names.h"
#include "core/encode/template.h"
#include "core/model/safetensors.h"

#define COPY_BLOCK   65536
#define MEMORY_PARTS 8 /* of which one may be mapped at a time */

static const char *const required_keys[] = {
    FEATURES_KEY_FORMAT, FEATURES_KEY_ENCODER, FEATURES_KEY_FINGERPRINT,
    FEATURES_KEY_PHI,	 FEATURES_KEY_PSI,     FEATURES_KEY_SHA256,
};

/* A features file while its dataset is made. */
struct reading {
	const char *path;
	struct safetensors *file;
	const struct encoder *encoder;
	bool described; /* it has our metadata */
	const struct tensor *chosen, *rejected, *prompt;
	struct dataset *dataset;
};

bool features_file_is(const char *path)
{
	struct file_map map;
	size_t file_len;
	uint64_t header_len;
	bool is;

	if (file_map_open_head(&map, path, sizeof(header_len) + 1, &file_len, NULL) != STATUS_OK)
		return false;
	is = map.len == sizeof(header_len) + 1;
	if (is) {
		/* no JSON text has so small a number there, and gzip no brace */
		memcpy(&header_len, map.bytes, sizeof(header_len));
		is = header_len <= SAFETENSORS_MAX_HEADER &&
		     ((const char *)map.bytes)[sizeof(header_len)] == '{';
	}
	file_map_close(&map);
	return is;
}

/* ---- metadata ---- */

/* Whether the file has our metadata; that of others is left alone. */
static enum status check_format(const struct safetensors *file, bool *described_out,
				struct err *err)
{
	const char *format = safetensors_metadata(file, FEATURES_KEY_FORMAT);

	*described_out = format != NULL && strncmp(format, "micro", 5) == 0;
	if (!*described_out)
		return STATUS_OK;
	if (strcmp(format, FEATURES_FORMAT) != 0)
		return err_set(err, STATUS_BAD_FILE, FEATURES_KEY_FORMAT ": %s, want %s", format,
			       FEATURES_FORMAT);
	for (size_t i = 0; i < sizeof(required_keys) / sizeof(required_keys[0]); i++) {
		if (safetensors_metadata(file, required_keys[i]) == NULL)
			return err_set(err, STATUS_BAD_FILE, "__metadata__: %s is missing",
				       required_keys[i]);
	}
	return STATUS_OK;
}

static enum status check_fingerprint(const struct reading *r, struct err *err)
{
	const char *text = safetensors_metadata(r->file, FEATURES_KEY_FINGERPRINT);
	size_t dim = encoder_dim(r->encoder);
	float *fingerprint = mem_array(dim, sizeof(*fingerprint));
	enum status status;

	if (fingerprint == NULL)
		return err_no_memory(err, "fingerprint");
	status = base64_decode_floats(text, strlen(text), dim, fingerprint, err);
	if (status != STATUS_OK) {
		/* whoever found it: a fault of the file */
		status = STATUS_BAD_FILE;
		if (err != NULL)
			err->code = status;
		err_wrap(err, FEATURES_KEY_FINGERPRINT);
	} else {
		status = encoder_check_fingerprint(r->encoder, fingerprint,
						   "when the features were made", err);
	}
	mem_free(fingerprint);
	return status;
}

/* got, as it stands in the metadata */
static enum status check_same(const struct reading *r, const char *key, const char *want,
			      struct err *err)
{
	const char *got = safetensors_metadata(r->file, key);

	if (strcmp(got, want) == 0)
		return STATUS_OK;
	return err_set(err, STATUS_ENCODER_MISMATCH,
		       "%s: the features were made with %s, want %s: make them anew from the texts",
		       key, got, want);
}

static enum status check_origin(const struct reading *r, const char *phi, const char *psi,
				struct err *err)
{
	enum status status;

	if (!r->described && encoder_reads_text(r->encoder))
		return err_set(
		    err, STATUS_ENCODER_MISMATCH,
		    "no __metadata__ says which encoder made the features; want " FEATURES_FORMAT
		    " of %s, or a model of none:%zu",
		    encoder_spec(r->encoder), r->prompt->shape[1]);
	if (!r->described)
		return STATUS_OK;
	status = check_same(r, FEATURES_KEY_ENCODER, encoder_spec(r->encoder), err);
	/* of vectors that callers send nobody renders a text */
	if (status == STATUS_OK && encoder_reads_text(r->encoder))
		status = check_same(r, FEATURES_KEY_PHI, phi, err);
	if (status == STATUS_OK && encoder_reads_text(r->encoder))
		status = check_same(r, FEATURES_KEY_PSI, psi, err);
	return status == STATUS_OK ? check_fingerprint(r, err) : status;
}

/* ---- tensors ---- */

static enum status find_rows(const struct safetensors *file, const char *name,
			     const struct tensor **tensor_out, struct err *err)
{
	const struct tensor *tensor = safetensors_find(file, name);
	char shape[TENSOR_SHAPE_TEXT];

	if (tensor == NULL)
		return err_set(err, STATUS_BAD_FILE,
			       "%s: missing, want F32, F16 or BF16 [pairs, dimension]", name);
	if (!dtype_is_float(tensor->dtype))
		return err_set(err, STATUS_BAD_FILE, "%s: dtype %s, want F32, F16 or BF16", name,
			       tensor->dtype_name);
	tensor_shape_text(tensor->shape, tensor->rank, shape);
	if (tensor->rank != 2 || tensor->shape[1] == 0)
		return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want [pairs, dimension]", name,
			       shape);
	*tensor_out = tensor;
	return STATUS_OK;
}

static enum status check_alike(const struct tensor *tensor, const struct tensor *chosen,
			       struct err *err)
{
	char got[TENSOR_SHAPE_TEXT], want[TENSOR_SHAPE_TEXT];

	tensor_shape_text(tensor->shape, tensor->rank, got);
	tensor_shape_text(chosen->shape, chosen->rank, want);
	if (strcmp(got, want) == 0 && tensor->dtype == chosen->dtype)
		return STATUS_OK;
	return err_set(err, STATUS_BAD_FILE, "%s: %s %s, want %s %s as chosen has", tensor->name,
		       tensor->dtype_name, got, chosen->dtype_name, want);
}

static enum status find_tensors(struct reading *r, struct err *err)
{
	enum status status = find_rows(r->file, "chosen", &r->chosen, err);

	if (status == STATUS_OK)
		status = find_rows(r->file, "rejected", &r->rejected, err);
	if (status == STATUS_OK)
		status = find_rows(r->file, "prompt", &r->prompt, err);
	if (status == STATUS_OK)
		status = check_alike(r->rejected, r->chosen, err);
	return status == STATUS_OK ? check_alike(r->prompt, r->chosen, err) : status;
}

static enum status check_shape(const struct reading *r, struct err *err)
{
	size_t n_pairs = r->chosen->shape[0], dim = r->chosen->shape[1];

	if (n_pairs == 0)
		return err_set(err, STATUS_BAD_FILE, "chosen: no pairs, want at least one row");
	if (n_pairs > DATASET_MAX_PAIRS)
		return err_set(err, STATUS_TOO_LARGE, "chosen: %zu pairs, want at most %zu",
			       n_pairs, DATASET_MAX_PAIRS);
	if (dim != encoder_dim(r->encoder))
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "chosen: vectors of %zu numbers, want %zu as the encoder %s has",
			       dim, encoder_dim(r->encoder), encoder_spec(r->encoder));
	return STATUS_OK;
}

/* ---- the dataset ---- */

/*
 * What may stay mapped of each of the two that are. The pages are those of the system's cache,
 * which takes them back when it needs them; where addresses are limited there is no room.
 */
static size_t room_to_map(void)
{
	long n_pages = sysconf(_SC_PHYS_PAGES);
	struct rlimit addresses;

	if (n_pages < 0 || getrlimit(RLIMIT_AS, &addresses) != 0 ||
	    addresses.rlim_cur != RLIM_INFINITY)
		return 0;
	return (size_t)n_pages / MEMORY_PARTS * (size_t)sysconf(_SC_PAGESIZE);
}

static enum status map_rows(struct reading *r, const struct tensor *const *tensors,
			    size_t n_tensors, struct features *features, struct err *err)
{
	struct mapped_part parts[MAPPED_ROWS_MAX_PARTS];
	struct mapped_rows *mapped;
	size_t n_rows = 0, dim = tensors[0]->shape[1];
	enum status status;

	for (size_t p = 0; p < n_tensors; p++) {
		/* names of ours: the file's are gone when it is closed */
		parts[p] = (struct mapped_part){
		    .name = tensors[p] == r->chosen	? "chosen"
			    : tensors[p] == r->rejected ? "rejected"
							: "prompt",
		    .offset = tensors[p]->offset,
		    .n_rows = tensors[p]->shape[0],
		};
		n_rows += parts[p].n_rows;
	}
	status = mapped_rows_open(r->path, tensors[0]->dtype, dim, parts, n_tensors, room_to_map(),
				  &mapped, err);
	if (status != STATUS_OK)
		return status;
	features_map(features, dim, n_rows, mapped);
	r->dataset->dtype = dtype_name(tensors[0]->dtype);
	return STATUS_OK;
}

/* Pair i is the rows i of the three tensors. */
static enum status make_pairs(struct dataset *d, size_t n_pairs, struct err *err)
{
	uint32_t **const arrays[] = {&d->chosen, &d->rejected, &d->prompt, &d->user, &d->context};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		*arrays[i] = mem_array(n_pairs, sizeof(**arrays[i]));
		if (*arrays[i] == NULL)
			return err_no_memory(err, "pairs");
	}
	for (size_t i = 0; i < n_pairs; i++) {
		d->chosen[i] = (uint32_t)i;
		d->rejected[i] = (uint32_t)(n_pairs + i);
		d->prompt[i] = (uint32_t)i;
	}
	d->n_pairs = n_pairs;
	return STATUS_OK;
}

/* SHA-256 of a file that says nothing of its origin. */
static enum status digest_file(const char *path, char hex_out[DIGEST_HEX_LEN + 1], struct err *err)
{
	char *block = mem_array(COPY_BLOCK, 1);
	FILE *file = fopen(path, "rbe");
	struct digest digest;
	enum status status = STATUS_OK;
	size_t n;

	digest_init(&digest);
	if (block == NULL) {
		status = err_no_memory(err, "digest");
	} else if (file == NULL) {
		status = err_errno(err, STATUS_IO, "open");
	} else {
		while ((n = fread(block, 1, COPY_BLOCK, file)) > 0)
			digest_add(&digest, block, n);
		if (ferror(file))
			status = err_errno(err, STATUS_IO, "read");
	}
	digest_hex(&digest, hex_out);
	if (file != NULL)
		fclose(file);
	mem_free(block);
	return status;
}

static bool is_digest(const char *text)
{
	return strlen(text) == DIGEST_HEX_LEN && strspn(text, "0123456789abcdef") == DIGEST_HEX_LEN;
}

static enum status set_digest(const struct reading *r, struct err *err)
{
	const char *text = safetensors_metadata(r->file, FEATURES_KEY_SHA256);

	if (!r->described)
		return digest_file(r->path, r->dataset->sha256, err);
	if (!is_digest(text))
		return err_set(err, STATUS_BAD_FILE,
			       FEATURES_KEY_SHA256 ": want %d lower-case hexadecimal digits",
			       DIGEST_HEX_LEN);
	memcpy(r->dataset->sha256, text, DIGEST_HEX_LEN + 1);
	return STATUS_OK;
}

static enum status read_names(const struct reading *r, struct err *err)
{
	struct dataset *d = r->dataset;
	struct pair_names users = {"user", FEATURES_KEY_USERS, d->n_pairs, d->user, NULL, 0};
	struct pair_names contexts = {
	    "context", FEATURES_KEY_CONTEXTS, d->n_pairs, d->context, NULL, 0};
	enum status status = pair_names_read(r->path, r->file, r->described, &users, err);

	d->user_names = users.names;
	d->n_users = users.n_names;
	if (status != STATUS_OK)
		return status;
	status = pair_names_read(r->path, r->file, r->described, &contexts, err);
	d->context_names = contexts.names;
	d->n_contexts = contexts.n_names;
	return status;
}

static enum status fill_dataset(struct reading *r, struct err *err)
{
	const struct tensor *const responses[] = {r->chosen, r->rejected};
	enum status status = make_pairs(r->dataset, r->chosen->shape[0], err);

	if (status == STATUS_OK)
		status = read_names(r, err);
	if (status == STATUS_OK)
		status = set_digest(r, err);
	if (status == STATUS_OK)
		status = map_rows(r, responses, 2, &r->dataset->phi, err);
	return status == STATUS_OK ? map_rows(r, &r->prompt, 1, &r->dataset->psi, err) : status;
}

enum status features_file_read(const char *path, const struct encoder *encoder,
			       const char *template_phi, const char *template_psi,
			       struct dataset *dataset_out, struct err *err)
{
	struct reading r = {.path = path, .encoder = encoder, .dataset = dataset_out};
	enum status status = safetensors_open_header(path, &r.file, err);

	*dataset_out = (struct dataset){0};
	if (status == STATUS_OK)
		status = check_format(r.file, &r.described, err);
	if (status == STATUS_OK)
		status = find_tensors(&r, err);
	if (status == STATUS_OK)
		status = check_origin(&r, template_phi, template_psi, err);
	if (status == STATUS_OK)
		status = check_shape(&r, err);
	if (status == STATUS_OK)
		status = fill_dataset(&r, err);
	if (status != STATUS_OK) {
		err_wrap(err, "%s", path);
		dataset_free(dataset_out);
	}
	safetensors_close(r.file);
	return status;
}

/* ---- origin ---- */

static enum status copy_text(char **out, const char *text, struct err *err)
{
	*out = mem_string(text, strlen(text));
	return *out != NULL ? STATUS_OK : err_no_memory(err, "the features' origin");
}

static enum status read_origin(const struct safetensors *file, struct features_origin *origin,
			       struct err *err)
{
	const struct tensor *chosen;
	char spec[32];
	bool described;
	enum status status = check_format(file, &described, err);

	if (status != STATUS_OK)
		return status;
	if (!described) {
		status = find_rows(file, "chosen", &chosen, err);
		if (status != STATUS_OK)
			return status;
		snprintf(spec, sizeof(spec), "none:%zu", chosen->shape[1]);
		return copy_text(&origin->encoder, spec, err);
	}
	status = copy_text(&origin->encoder, safetensors_metadata(file, FEATURES_KEY_ENCODER), err);
	if (status == STATUS_OK)
		status = copy_text(&origin->template_phi,
				   safetensors_metadata(file, FEATURES_KEY_PHI), err);
	if (status == STATUS_OK)
		status = copy_text(&origin->template_psi,
				   safetensors_metadata(file, FEATURES_KEY_PSI), err);
	if (status == STATUS_OK)
		status = copy_text(&origin->fingerprint,
				   safetensors_metadata(file, FEATURES_KEY_FINGERPRINT), err);
	return status;
}

enum status features_file_origin(const char *path, struct features_origin *origin_out,
				 struct err *err)
{
	struct safetensors *file = NULL;
	enum status status = safetensors_open_header(path, &file, err);

	*origin_out = (struct features_origin){0};
	if (status == STATUS_OK)
		status = read_origin(file, origin_out, err);
	if (status != STATUS_OK) {
		err_wrap(err, "%s", path);
		features_origin_free(origin_out);
	}
	safetensors_close(file);
	return status;
}

void features_origin_free(struct features_origin *origin)
{
	mem_free(origin->encoder);
	mem_free(origin->template_phi);
	mem_free(origin->template_psi);
	mem_free(origin->fingerprint);
	*origin = (struct features_origin){0};
}
