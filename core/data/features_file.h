/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features_file.h - a dataset whose vectors are computed already and stay on disk: a
 * safetensors file with chosen, rejected, prompt [N, D] and optionally user, context [N],
 * in the format of schema/preference.md. features_writer.h makes one.
 */
#ifndef MICRO_DATA_FEATURES_FILE_H
#define MICRO_DATA_FEATURES_FILE_H

#include <stdbool.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/encode/encoder.h"

#define FEATURES_FORMAT "micro-features/1"

/* Keys of the metadata, all there or none. Those of users and contexts: if the tensor is. */
#define FEATURES_KEY_FORMAT	 "format"
#define FEATURES_KEY_ENCODER	 "encoder"
#define FEATURES_KEY_FINGERPRINT "encoder.fingerprint"
#define FEATURES_KEY_PHI	 "template.phi"
#define FEATURES_KEY_PSI	 "template.psi"
#define FEATURES_KEY_SHA256	 "source.sha256"
#define FEATURES_KEY_USERS	 "users"
#define FEATURES_KEY_CONTEXTS	 "contexts"

/* What a features file was made with. */
struct features_origin {
	char *encoder;			   /* spec; of a file without metadata none:D */
	char *template_phi, *template_psi; /* NULL: of a file without metadata */
	char *fingerprint;		   /* base64; NULL: of a file without metadata */
};

/** features_file_is(path): whether it is a safetensors file, by its first bytes. */
bool features_file_is(const char *path);

/**
 * features_file_origin(path, origin_out, err): features_origin_free() releases. Errors:
 * STATUS_IO, STATUS_BAD_FILE, STATUS_NO_MEMORY.
 */
enum status features_file_origin(const char *path, struct features_origin *origin_out,
				 struct err *err);

/** features_origin_free(origin): a zeroed one is allowed. */
void features_origin_free(struct features_origin *origin);

/**
 * features_file_read(path, encoder, template_phi, template_psi, dataset_out, err): a dataset
 * with mapped features; every pair has rows of its own. dataset_free() releases; on error
 * nothing is owned. Vectors are read when they are needed, and one that is not finite is
 * refused then. The file must have been made with this encoder and these templates; one
 * without metadata, as NumPy or PyTorch write it, is for none:D, and its users' and contexts'
 * names are their numbers. Errors: STATUS_BAD_FILE naming the tensor or key and what was
 * expected, STATUS_ENCODER_MISMATCH, STATUS_TOO_LARGE (more than DATASET_MAX_PAIRS),
 * STATUS_IO, STATUS_NO_MEMORY.
 */
enum status features_file_read(const char *path, const struct encoder *encoder,
			       const char *template_phi, const char *template_psi,
			       struct dataset *dataset_out, struct err *err);

#endif
