/* SPDX-License-Identifier: Apache-2.0 */
/* command_files.h - the files that several commands read or write in the same way. */
#ifndef MICRO_TOOL_COMMAND_FILES_H
#define MICRO_TOOL_COMMAND_FILES_H

#include "core/base/err.h"
#include "core/encode/encoder.h"
#include "core/model/model.h"

/**
 * command_check_out(out, data, err): whether out can be written and is not the file of
 * data, before hours are spent on it.
 */
enum status command_check_out(const char *out, const char *data, struct err *err);

/**
 * command_open_model(path, model_out, encoder_out, err): the model and the encoder that it
 * was trained with; model_free() and encoder_close() release. On error nothing is owned.
 */
enum status command_open_model(const char *path, struct model *model_out,
			       struct encoder **encoder_out, struct err *err);

#endif
