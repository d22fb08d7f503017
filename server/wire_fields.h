/* SPDX-License-Identifier: Apache-2.0 */
/* wire_fields.h - the fields of requests that are no inputs: the same in JSON and beside tensors.
 */
#ifndef MICRO_SERVER_WIRE_FIELDS_H
#define MICRO_SERVER_WIRE_FIELDS_H

#include "server/person.h"
#include "server/reader.h"
#include "server/service.h"

/**
 * wire_fields_person(reader, object, beside, user_out, context_out): "user", NULL if it is missing,
 * and "context", "" then. What the object does not say is beside the body, or nowhere.
 * STATUS_INVALID_VALUE if the body, as a whole for one person, has another one than is beside it;
 * one of its items may.
 */
enum status wire_fields_person(const struct reader *reader, const struct node *object,
			       const struct person *beside, const char **user_out,
			       const char **context_out);

/** wire_fields_bearer(reader, object, beside, user_out, context_out): the same, and the context
 * is NULL where nobody says one. */
enum status wire_fields_bearer(const struct reader *reader, const struct node *object,
			       const struct person *beside, const char **user_out,
			       const char **context_out);

/** wire_fields_item(reader, object, item): what a score is to be like: "receipt", which
 * wants the item's user, and "personalize". */
enum status wire_fields_item(const struct reader *reader, const struct node *object,
			     struct score_item *item);

/* How a step is to be taken: fields of every kind of feedback. */
#define WIRE_FIELDS_STEP "strength", "dry_run", "explain"

/** wire_fields_step(reader, object, max_strength, feedback): those. */
enum status wire_fields_step(const struct reader *reader, const struct node *object,
			     double max_strength, struct feedback *feedback);

/** wire_fields_event(reader, object, max_strength, feedback): the "id", which is none of a
 * receipt's, and wire_fields_step(). */
enum status wire_fields_event(const struct reader *reader, const struct node *object,
			      double max_strength, struct feedback *feedback);

#endif
