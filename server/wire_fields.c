/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_fields.h"

#include <string.h>

#include "server/receipt.h"

/* beside: NULL for nothing */
static enum status read_name(const struct reader *reader, const struct node *object,
			     const char *field, size_t min_len, const char *beside,
			     const char **out)
{
	enum status status;

	*out = NULL;
	status = reader_name(reader, object, field, min_len, out);
	if (status != STATUS_OK || beside == NULL)
		return status;
	if (*out == NULL)
		*out = beside;
	else if (object == reader->root && strcmp(*out, beside) != 0)
		return reader_fault(reader, node_find(object, field), STATUS_INVALID_VALUE,
				    "the query or a header has another %s, want one", field);
	return STATUS_OK;
}

enum status wire_fields_bearer(const struct reader *reader, const struct node *object,
			       const struct person *beside, const char **user_out,
			       const char **context_out)
{
	const char *context = beside->context;
	enum status status = read_name(reader, object, "user", 1, beside->user, user_out);

	if (context != NULL && context[0] == '\0')
		context = NULL;
	if (status == STATUS_OK)
		status = read_name(reader, object, "context", 0, context, context_out);
	return status;
}

enum status wire_fields_person(const struct reader *reader, const struct node *object,
			       const struct person *beside, const char **user_out,
			       const char **context_out)
{
	enum status status = wire_fields_bearer(reader, object, beside, user_out, context_out);

	if (status == STATUS_OK && *context_out == NULL)
		*context_out = "";
	return status;
}

enum status wire_fields_item(const struct reader *reader, const struct node *object,
			     struct score_item *item)
{
	bool personalize = true;
	enum status status = reader_flag(reader, object, "receipt", &item->wants_receipt);

	if (status == STATUS_OK)
		status = reader_flag(reader, object, "personalize", &personalize);
	item->impersonal = !personalize;
	if (status == STATUS_OK && item->wants_receipt && item->user == NULL)
		return reader_fault(reader, node_find(object, "receipt"), STATUS_MISSING_FIELD,
				    "a receipt is for a user, want the field \"user\" too");
	return status;
}

enum status wire_fields_step(const struct reader *reader, const struct node *object,
			     double max_strength, struct feedback *feedback)
{
	enum status status = reader_number(reader, object, "strength", max_strength,
					   "--max-strength", &feedback->strength);

	if (status == STATUS_OK)
		status = reader_flag(reader, object, "dry_run", &feedback->dry_run);
	return status == STATUS_OK ? reader_flag(reader, object, "explain", &feedback->explain)
				   : status;
}

enum status wire_fields_event(const struct reader *reader, const struct node *object,
			      double max_strength, struct feedback *feedback)
{
	enum status status = reader_name(reader, object, "id", 1, &feedback->event_id);

	if (status != STATUS_OK)
		return status;
	if (feedback->event_id != NULL && receipt_is_event_id(feedback->event_id))
		return reader_fault(reader, node_find(object, "id"), STATUS_INVALID_VALUE,
				    "ids that begin like this are those of receipts, want another");
	return wire_fields_step(reader, object, max_strength, feedback);
}
