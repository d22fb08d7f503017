/* SPDX-License-Identifier: Apache-2.0 */
/* number_list.h - ascending whole numbers as they are typed: 0,1,2,4,8. */
#ifndef MICRO_TOOL_NUMBER_LIST_H
#define MICRO_TOOL_NUMBER_LIST_H

#include <stddef.h>

#include "core/base/err.h"

#define NUMBER_LIST_MAX 32

struct number_list {
	size_t number[NUMBER_LIST_MAX];
	size_t n;
};

/** number_list_read(option, text, min, max, list_out, err): STATUS_USAGE naming option and text. */
enum status number_list_read(const char *option, const char *text, size_t min, size_t max,
			     struct number_list *list_out, struct err *err);

#endif
