/* SPDX-License-Identifier: Apache-2.0 */
/* model_file.c - a model as one safetensors file; the contract is schema/model.md */
#include "core/model/model_impl.h"

static enum status read_model(const struct safetensors *file, struct model *model, struct err *err)
{
	enum status status = model_metadata_check(file, err);

	if (status == STATUS_OK)
		status = model_tensors_read(file, model, err);
	if (status != STATUS_OK)
		return status;
	status = model_metadata_read(file, model, err);
	if (status != STATUS_OK) {
		model_free(model);
		return status;
	}
	model_update_id(model);
	return STATUS_OK;
}

enum status model_load(const char *path, struct model *model, struct err *err)
{
	struct safetensors *file;
	enum status status = safetensors_open(path, &file, err);

	if (status == STATUS_OK) {
		status = read_model(file, model, err);
		safetensors_close(file);
	}
	if (status != STATUS_OK)
		err_wrap(err, "load model %s", path);
	return status;
}

static enum status write_model(const struct model *model, const char *path, struct err *err)
{
	struct model_metadata metadata;
	struct model_tensors tensors;
	enum status status = model_metadata_make(model, &metadata, err);

	if (status != STATUS_OK)
		return status;
	status = model_tensors_make(model, &tensors, err);
	if (status == STATUS_OK) {
		status = safetensors_write(path, tensors.specs, tensors.n_specs, metadata.specs,
					   metadata.n_specs, err);
		model_tensors_free(&tensors);
	}
	model_metadata_free(&metadata);
	return status;
}

enum status model_save(struct model *model, const char *path, struct err *err)
{
	enum status status;

	model_update_id(model);
	status = write_model(model, path, err);
	if (status != STATUS_OK)
		err_wrap(err, "save model %s", path);
	return status;
}
