/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idempotency_key.h - the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07):
 * the id of a feedback, for clients that put one beside every POST.
 *
 * A key with the same feedback gets the first answer, with another one 422 event_id_reused; while
 * the first is not answered yet, 409 in_progress (in_progress.h). Keys count per user and never
 * expire.
 */
#ifndef MICRO_SERVER_IDEMPOTENCY_KEY_H
#define MICRO_SERVER_IDEMPOTENCY_KEY_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/service.h"

/**
 * idempotency_key_take(header, arena, feedback, err): the key, a quoted string of structured
 * fields (RFC 9651), or the bare text that many clients send, becomes the feedback's event
 * id, unless the body has the same one. A receipt is an id of its own and takes no other.
 * Errors, at "Idempotency-Key": STATUS_MALFORMED, STATUS_INVALID_VALUE (no id, another than the
 * body's, or one beside a receipt).
 */
enum status idempotency_key_take(const char *header, struct arena *arena, struct feedback *feedback,
				 struct err *err);

#endif
