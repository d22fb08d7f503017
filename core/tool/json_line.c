/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/json_line.h"

enum status json_line_print(json_t *value, FILE *out, struct err *err)
{
	if (value == NULL)
		return err_no_memory(err, "JSON");
	/* a full disk shows in ferror(), which main() asks before it ends */
	json_dumpf(value, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(value);
	return STATUS_OK;
}
