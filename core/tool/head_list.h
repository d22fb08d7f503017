/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_list.h - heads as they are typed: 0,3 or terse,warm or 0=terse,3=warm.
 * All errors are STATUS_INVALID_VALUE, but for STATUS_NO_MEMORY.
 */
#ifndef MICRO_TOOL_HEAD_LIST_H
#define MICRO_TOOL_HEAD_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/model/model.h"

/** head_list_numbers(text, n_heads, set_out, err): set_out [n_heads]: which heads 0,3 names. */
enum status head_list_numbers(const char *text, size_t n_heads, bool *set_out, struct err *err);

/** head_list_all_labels(text, model, err): terse,warm,...: a label for each head. */
enum status head_list_all_labels(const char *text, struct model *model, struct err *err);

/** head_list_some_labels(text, model, err): 0=terse,3=warm: labels of these heads. */
enum status head_list_some_labels(const char *text, struct model *model, struct err *err);

#endif
