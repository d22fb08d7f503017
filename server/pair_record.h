/* SPDX-License-Identifier: Apache-2.0 */
/* pair_record.h - what a feedback said, to be recognized (digest) or kept (lines). */
#ifndef MICRO_SERVER_PAIR_RECORD_H
#define MICRO_SERVER_PAIR_RECORD_H

#include "core/base/err.h"
#include "core/base/arena.h"
#include "server/service.h"
#include "server/store.h"

/**
 * pair_record_digest(feedback, digest_out): BLAKE2b over context, prompt, chosen,
 * each rejected and strength, each with its kind and length, long vectors by the SipHashes of
 * their parts: a repeat of an event has the same, whatever model is loaded by then. States and
 * exports keep it, so another way to make it is a change of the contract (schema/CHANGELOG.md).
 */
void pair_record_digest(const struct feedback *feedback,
			unsigned char digest_out[STORE_DIGEST_LEN]);

/** pair_record_digest_choice(feedback, digest_out): the same of a feedback by receipt: the
 * choice and strength; the receipt itself is the event's id. */
void pair_record_digest_choice(const struct feedback *feedback,
			       unsigned char digest_out[STORE_DIGEST_LEN]);

/** pair_record_lines(feedback, arena, lines_out, err): its pairs as lines of
 * schema/preference.md, one for each rejected response, without the last newline. */
enum status pair_record_lines(const struct feedback *feedback, struct arena *arena,
			      const char **lines_out, struct err *err);

#endif
