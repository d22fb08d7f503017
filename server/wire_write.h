/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_write.h - answers (schema/openapi.yaml) into bytes. All append to a
 * buffer whose buffer_status() the caller asks at the end; every number is finite.
 */
#ifndef MICRO_SERVER_WIRE_WRITE_H
#define MICRO_SERVER_WIRE_WRITE_H

#include <stdint.h>

#include "core/base/err.h"
#include "core/model/model.h"
#include "server/buffer.h"
#include "server/service.h"
#include "server/store.h"

/** wire_write_scores(out, model_id, request): the answers of a scored request. */
void wire_write_scores(struct buffer *out, const char *model_id,
		       const struct score_request *request);

/** wire_write_feedback(out, step): what a committed step answers. */
void wire_write_feedback(struct buffer *out, const struct store_feedback *step);

/** wire_write_user(out, view): a user's states. */
void wire_write_user(struct buffer *out, const struct user_view *view);

/** wire_write_users(out, list): a part of the list of users. */
void wire_write_users(struct buffer *out, const struct user_list *list);

/** wire_write_deleted(out, deleted): how much a deletion took away. */
void wire_write_deleted(struct buffer *out, const struct store_delete *deleted);

/** wire_write_reset(out, deleted): the same of a reset, which may have a context. */
void wire_write_reset(struct buffer *out, const struct store_delete *deleted);

/** wire_write_imported(out, import): how much an import brought. */
void wire_write_imported(struct buffer *out, const struct store_import *import);

/** wire_write_model(out, model): what is being served. */
void wire_write_model(struct buffer *out, const struct model *model);

/** wire_write_not_ready(out, reason): the body of a 503 of /readyz. */
void wire_write_not_ready(struct buffer *out, const char *reason);

/** wire_write_error(out, err): the error object. */
void wire_write_error(struct buffer *out, const struct err *err);

#endif
