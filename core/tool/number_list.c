/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/number_list.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>

/* The number at *text, which goes behind it; false if there is none. */
static bool read_number(const char **text, size_t *number_out)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*number_out = strtoul(*text, &end, 10); /* too large a one is ULONG_MAX, above any max */
	*text = end;
	return true;
}

enum status number_list_read(const char *option, const char *text, size_t min, size_t max,
			     struct number_list *list_out, struct err *err)
{
	const char *rest = text;
	size_t n = 0;

	do {
		size_t least = n == 0 ? min : list_out->number[n - 1] + 1, number;

		if (n == NUMBER_LIST_MAX)
			return err_set(err, STATUS_USAGE, "--%s: want at most %d numbers", option,
				       NUMBER_LIST_MAX);
		if (!read_number(&rest, &number) || number < least || number > max ||
		    (*rest != ',' && *rest != '\0'))
			return err_set(err, STATUS_USAGE,
				       "--%s %s: want ascending whole numbers from %zu up to %zu, "
				       "separated by commas, such as %s",
				       option, text, min, max, min == 0 ? "0,1,2,4,8" : "2,4,8");
		list_out->number[n++] = number;
	} while (*rest++ == ',');
	list_out->n = n;
	return STATUS_OK;
}
