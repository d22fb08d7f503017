/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/command_files.h"

#include "core/base/atomic_file.h"
#include "core/encode/template.h"
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

/* The first that is not NULL. */
static const char *first_of(const char *given, const char *made_with, const char *otherwise)
{
	if (given != NULL)
		return given;
	return made_with != NULL ? made_with : otherwise;
}

enum status command_open_source(const char *data, const char *encoder, const char *template_phi,
				const char *template_psi, struct command_source *source_out,
				struct err *err)
{
	struct features_origin *origin = &source_out->origin;
	const char *spec;
	enum status status = STATUS_OK;

	*source_out = (struct command_source){0};
	if (features_file_is(data))
		status = features_file_origin(data, origin, err);
	if (status != STATUS_OK)
		return status;
	source_out->template_phi =
	    first_of(template_phi, origin->template_phi, TEMPLATE_DEFAULT_PHI);
	source_out->template_psi =
	    first_of(template_psi, origin->template_psi, TEMPLATE_DEFAULT_PSI);
	spec = first_of(encoder, origin->encoder, ENCODER_DEFAULT_SPEC);
	status = usage_of_option(template_check(source_out->template_phi, true, err),
				 "template-phi", err);
	if (status == STATUS_OK)
		status = usage_of_option(template_check(source_out->template_psi, false, err),
					 "template-psi", err);
	if (status == STATUS_OK)
		status =
		    usage_of_option(encoder_open(spec, &source_out->encoder, err), "encoder", err);
	return status;
}

void command_source_free(struct command_source *source)
{
	encoder_close(source->encoder);
	features_origin_free(&source->origin);
	*source = (struct command_source){0};
}
