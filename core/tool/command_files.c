/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/command_files.h"

#include <string.h>

#include "core/base/atomic_file.h"
#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/encode/template.h"
#include "core/tool/encoder_address.h"
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

enum status command_open_model(const char *path, const char *encoder_url, struct model *model_out,
			       struct encoder **encoder_out, struct err *err)
{
	struct encoder_options address;
	enum status status = encoder_address_options(encoder_url, &address, err);

	if (status == STATUS_OK)
		status = model_load(path, model_out, err);
	if (status != STATUS_OK)
		return status;
	status = model_open_encoder(model_out, &address, encoder_out, err);
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

/* Vectors of a features file can be used where its encoder cannot be reached. */
static enum status pin_origin(const struct features_origin *origin, struct encoder *encoder,
			      struct err *err)
{
	size_t dim = encoder_dim(encoder);
	float *fingerprint = mem_array(dim, sizeof(*fingerprint));
	enum status status;

	if (fingerprint == NULL)
		return err_no_memory(err, "fingerprint");
	status = base64_decode_floats(origin->fingerprint, strlen(origin->fingerprint), dim,
				      fingerprint, err);
	if (status == STATUS_OK)
		status = encoder_pin(encoder, fingerprint, err);
	mem_free(fingerprint);
	return status;
}

static enum status open_encoder(const char *spec, const char *url,
				struct command_source *source_out, struct err *err)
{
	const struct features_origin *origin = &source_out->origin;
	struct encoder_options address;
	enum status status = encoder_address_options(url, &address, err);

	if (status == STATUS_OK)
		status = usage_of_option(encoder_open_at(spec, &address, &source_out->encoder, err),
					 "encoder", err);
	if (status != STATUS_OK || !encoder_is_remote(source_out->encoder) || url != NULL ||
	    origin->fingerprint == NULL || strcmp(origin->encoder, spec) != 0)
		return status;
	return pin_origin(origin, source_out->encoder, err);
}

enum status command_open_source(const char *data, const struct command_source_options *options,
				struct command_source *source_out, struct err *err)
{
	struct features_origin *origin = &source_out->origin;
	enum status status = STATUS_OK;

	*source_out = (struct command_source){0};
	if (features_file_is(data))
		status = features_file_origin(data, origin, err);
	if (status != STATUS_OK)
		return status;
	source_out->template_phi =
	    first_of(options->template_phi, origin->template_phi, TEMPLATE_DEFAULT_PHI);
	source_out->template_psi =
	    first_of(options->template_psi, origin->template_psi, TEMPLATE_DEFAULT_PSI);
	status = usage_of_option(template_check(source_out->template_phi, true, err),
				 "template-phi", err);
	if (status == STATUS_OK)
		status = usage_of_option(template_check(source_out->template_psi, false, err),
					 "template-psi", err);
	if (status == STATUS_OK)
		status =
		    open_encoder(first_of(options->encoder, origin->encoder, ENCODER_DEFAULT_SPEC),
				 options->encoder_url, source_out, err);
	return status;
}

void command_source_free(struct command_source *source)
{
	encoder_close(source->encoder);
	features_origin_free(&source->origin);
	*source = (struct command_source){0};
}
