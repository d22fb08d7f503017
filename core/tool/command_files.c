/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/command_files.h"

#include <sys/stat.h>

#include "core/base/atomic_file.h"

enum status command_check_out(const char *out, const char *data, struct err *err)
{
	struct stat data_stat, out_stat;
	struct atomic_file file;

	if (stat(data, &data_stat) == 0 && stat(out, &out_stat) == 0 &&
	    data_stat.st_dev == out_stat.st_dev && data_stat.st_ino == out_stat.st_ino)
		return err_set(err, STATUS_USAGE, "--out %s is the file of --data", out);
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
	status = encoder_open(model_out->encoder_spec, encoder_out, err);
	if (status != STATUS_OK)
		goto err_after_model;
	status = model_check_encoder(model_out, *encoder_out, err);
	if (status != STATUS_OK)
		goto err_after_encoder;
	return STATUS_OK;

err_after_encoder:
	encoder_close(*encoder_out);
err_after_model:
	model_free(model_out);
	err_wrap(err, "%s", path);
	return status;
}
