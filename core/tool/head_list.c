/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/head_list.h"

#include <string.h>

#include <unistr.h>

#include "core/base/mem.h"

#define MAX_LABEL 256 /* bytes */

/* What stands before the next comma; *rest is NULL after the last. False: there is no more. */
static bool next_item(const char **rest, struct text *item_out)
{
	const char *begin = *rest;

	if (begin == NULL)
		return false;
	item_out->bytes = begin;
	item_out->len = strcspn(begin, ",");
	*rest = begin[item_out->len] == ',' ? begin + item_out->len + 1 : NULL;
	return true;
}

static size_t count_items(const char *text)
{
	struct text item;
	size_t n = 0;

	while (next_item(&text, &item))
		n++;
	return n;
}

/* The number of a head; no more digits than HEADS_MAX has. */
static enum status read_number(struct text text, size_t n_heads, size_t *k_out, struct err *err)
{
	size_t k = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9' || text.len > 4)
			goto err_no_head;
		k = 10 * k + (size_t)(text.bytes[i] - '0');
	}
	if (text.len == 0 || k >= n_heads)
		goto err_no_head;
	*k_out = k;
	return STATUS_OK;

err_no_head:
	return err_set(err, STATUS_INVALID_VALUE, "\"%.*s\": want a head from 0 to %zu",
		       (int)(text.len < 64 ? text.len : 64), text.bytes, n_heads - 1);
}

static enum status set_label(struct model *model, size_t k, struct text text, struct err *err)
{
	enum status status;
	char *label;

	if (text.len == 0 || text.len > MAX_LABEL)
		return err_set(err, STATUS_INVALID_VALUE,
			       "head %zu: label of %zu bytes, want 1 to %d", k, text.len,
			       MAX_LABEL);
	if (u8_check((const uint8_t *)text.bytes, text.len) != NULL)
		return err_set(err, STATUS_INVALID_VALUE, "head %zu: label is not valid UTF-8", k);
	label = mem_string(text.bytes, text.len);
	if (label == NULL)
		return err_no_memory(err, "a label");
	status = model_set_label(model, k, label, err);
	mem_free(label);
	return status;
}

enum status head_list_numbers(const char *text, size_t n_heads, bool *set_out, struct err *err)
{
	struct text item;
	enum status status = STATUS_OK;
	size_t k = 0;

	memset(set_out, 0, n_heads * sizeof(*set_out));
	while (status == STATUS_OK && next_item(&text, &item)) {
		status = read_number(item, n_heads, &k, err);
		if (status == STATUS_OK)
			set_out[k] = true;
	}
	return status;
}

enum status head_list_all_labels(const char *text, struct model *model, struct err *err)
{
	size_t n_heads = model->heads.n_heads, n_items = count_items(text);
	struct text item;
	enum status status = STATUS_OK;

	if (n_items != n_heads)
		return err_set(err, STATUS_INVALID_VALUE,
			       "%zu labels, want %zu, one for each head, separated by commas",
			       n_items, n_heads);
	for (size_t k = 0; status == STATUS_OK && next_item(&text, &item); k++)
		status = set_label(model, k, item, err);
	return status;
}

enum status head_list_some_labels(const char *text, struct model *model, struct err *err)
{
	struct text item;
	enum status status = STATUS_OK;
	size_t k = 0;

	while (status == STATUS_OK && next_item(&text, &item)) {
		const char *equals = memchr(item.bytes, '=', item.len);
		size_t n_digits = equals == NULL ? 0 : (size_t)(equals - item.bytes);

		if (equals == NULL)
			return err_set(err, STATUS_INVALID_VALUE,
				       "\"%.*s\": want a head and its label, such as 0=terse",
				       (int)(item.len < 64 ? item.len : 64), item.bytes);
		status =
		    read_number((struct text){item.bytes, n_digits}, model->heads.n_heads, &k, err);
		if (status == STATUS_OK)
			status = set_label(model, k,
					   (struct text){equals + 1, item.len - n_digits - 1}, err);
	}
	return status;
}
