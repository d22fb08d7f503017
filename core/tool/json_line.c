/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/json_line.h"

void json_line_append(json_t **array, json_t *value)
{
	if (json_array_append_new(*array, value) == 0)
		return;
	json_decref(*array);
	*array = NULL;
}

json_t *json_line_rows(const double *x, size_t n_rows, size_t n_columns)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n_rows; i++) {
		json_t *row = json_array();

		for (size_t j = 0; j < n_columns; j++)
			json_line_append(&row, json_real(x[i * n_columns + j]));
		json_line_append(&rows, row);
	}
	return rows;
}

json_t *json_line_matrix(const double *x, size_t n)
{
	return json_line_rows(x, n, n);
}

enum status json_line_print(json_t *value, FILE *out, struct err *err)
{
	int fault;

	if (value == NULL)
		return err_no_memory(err, "JSON");
	fault = json_dumpf(value, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(value);
	/* a full disk shows in ferror(), which main() asks before it ends */
	return fault == 0 || ferror(out) ? STATUS_OK : err_no_memory(err, "JSON");
}
