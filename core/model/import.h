/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.h - a model of somebody else's checkpoint: the heads and the router of the
 * paper's authors, or the head of a plain reward model.
 *
 *   score.weight                      [K, D]          heads
 *   router.weight, router.bias        [K, D], [K]     linear router
 *   router.0.* and router.2.*         as ours         mlp router
 *   router.bias alone                 [K]             static router
 *   no router at all                                  static and uniform
 *
 * in F32, F16 or BF16. All other tensors, such as the backbone's, are not looked at.
 */
#ifndef MICRO_MODEL_IMPORT_H
#define MICRO_MODEL_IMPORT_H

#include "core/base/err.h"
#include "core/model/model.h"

/* beginning of the keys of the facts that an import leaves */
#define IMPORT_FACT_PREFIX MODEL_FACT_PREFIX "import."

struct import_options {
	const char *encoder;		       /* spec; NULL: none:D */
	const struct encoder_options *address; /* of its server; NULL: none */
	const char *template_phi;	       /* has passed template_check() */
	const char *template_psi;	       /* has passed template_check() */
};

/**
 * import_model(path, options, model_out, err): path as checkpoint_open(). The centers are
 * zero, because the training set is not known. Facts under IMPORT_FACT_PREFIX: of each
 * tensor <name>.file, .dtype and .sha256 (of its bytes in the file), and what was not
 * there. Errors name the tensor and what was expected; nothing is owned then.
 * model_free() releases.
 */
enum status import_model(const char *path, const struct import_options *options,
			 struct model *model_out, struct err *err);

#endif
