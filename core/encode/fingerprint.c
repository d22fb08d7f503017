/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/fingerprint.h"

#include <math.h>
#include <string.h>

#include "core/math/linalg.h"

/*
 * Something of all that may come out differently with another Unicode library:
 * case, composition, an apostrophe, marks, scripts without spaces.
 */
static const char probe[] = "The quick brown fox doesn't jump over 13 lazy dogs. "
			    "ÀÉÎÕÜ o\xcc\x88 Straße ΣΊΣΥΦΟΣ Ёлка שָׁלוֹם हिन्दी 한국어 "
			    "日本語です ภาษาไทย";

struct text fingerprint_probe(void)
{
	return (struct text){probe, sizeof(probe) - 1};
}

static double length(const float *x, size_t dim)
{
	double square = 0;

	for (size_t i = 0; i < dim; i++)
		square += (double)x[i] * (double)x[i];
	return sqrt(square);
}

enum status fingerprint_compare(const char *name, const float *vector, const float *reference,
				size_t dim, const char *when, struct err *err)
{
	double cosine, ratio;

	/* none:D has the zero vector */
	if (memcmp(vector, reference, dim * sizeof(*vector)) == 0)
		return STATUS_OK;
	cosine = linalg_cosine(vector, reference, dim);
	if (!(cosine >= ENCODER_MIN_COSINE))
		return err_set(
		    err, STATUS_ENCODER_MISMATCH,
		    "encoder %s gives the probe text another vector than %s: cosine %.6f, "
		    "want at least %g",
		    name, when, cosine, ENCODER_MIN_COSINE);
	ratio = length(vector, dim) / length(reference, dim);
	if (!(ratio <= FINGERPRINT_MAX_RATIO && ratio >= 1 / FINGERPRINT_MAX_RATIO))
		return err_set(
		    err, STATUS_ENCODER_MISMATCH,
		    "encoder %s: the probe text's vector is %.4g times as long as %s: want "
		    "a server that normalizes as it did then, or does not",
		    name, ratio, when);
	return STATUS_OK;
}
