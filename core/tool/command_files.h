/* SPDX-License-Identifier: Apache-2.0 */
/* command_files.h - the files that several commands read or write in the same way. */
#ifndef MICRO_TOOL_COMMAND_FILES_H
#define MICRO_TOOL_COMMAND_FILES_H

#include "core/base/err.h"
#include "core/data/features_file.h"
#include "core/encode/encoder.h"
#include "core/model/model.h"

/* What makes vectors of a data file, and the memory it is in. */
struct command_source {
	struct encoder *encoder;
	const char *template_phi, *template_psi; /* in argv, static or in origin */
	struct features_origin origin;
};

/* What is typed of it; NULL: not given. */
struct command_source_options {
	const char *encoder, *encoder_url;
	const char *template_phi, *template_psi;
};

/**
 * command_open_source(data, options, source_out, err): what is not given is what the features
 * file was made with, or for any other file the defaults. Without an address the encoder of a
 * features file is taken to be what it was then. command_source_free() releases, also on error.
 * STATUS_USAGE for an option that is wrong.
 */
enum status command_open_source(const char *data, const struct command_source_options *options,
				struct command_source *source_out, struct err *err);

/** command_source_free(source): a zeroed one is allowed. */
void command_source_free(struct command_source *source);

/**
 * command_check_out(out, data, err): whether out can be written and is not the file of
 * data, before hours are spent on it.
 */
enum status command_check_out(const char *out, const char *data, struct err *err);

/**
 * command_open_model(path, encoder_url, model_out, encoder_out, err): the model and the encoder
 * that it was trained with; encoder_url: where its server is, NULL: not given. model_free() and
 * encoder_close() release. On error nothing is owned.
 */
enum status command_open_model(const char *path, const char *encoder_url, struct model *model_out,
			       struct encoder **encoder_out, struct err *err);

#endif
