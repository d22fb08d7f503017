/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/command_files.h"

#include "core/base/atomic_file.h"
#include "core/tool/usage.h"

enum status command_check_out(const char *out, const char *data, struct err *err)
{
	struct atomic_file file;
	enum status status = usage_keep(out, data, "data", err);

	if (status != STATUS_OK)
		return status;
	if (atomic_file_open(&file, out, err) != STATUS_OK)
		return err_wrap(err, "%s", out);
	atomic_file_abort(&file);
	return STATUS_OK;
}

enum status command_open_model(const char *path, struct model *model_out,
			       struct encoder **encoder_out, struct err *err)
{
	enum status status = model_load(path, model_out, err);

	if (status != STATUS_OK)
		return status;
	status = model_open_encoder(model_out, encoder_out, err);
	if (status != STATUS_OK) {
		model_free(model_out);
		err_wrap(err, "%s", path);
	}
	return status;
}
