/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/comparison_page.h"

enum status comparison_page_write(const struct comparison *comparison, FILE *out, struct err *err)
{
	fprintf(out, "<!DOCTYPE html>\n<title>Comparison</title>\n<p>%zu methods\n",
		comparison->n_results);
	if (fflush(out) != 0 || ferror(out))
		return err_errno(err, STATUS_IO, "the report");
	return STATUS_OK;
}
