/* SPDX-License-Identifier: Apache-2.0 */
/* pair_record.h - what a feedback said, to be recognized (digest) or kept (line). */
#ifndef MICRO_SERVER_PAIR_RECORD_H
#define MICRO_SERVER_PAIR_RECORD_H

#include "core/base/err.h"
#include "core/base/arena.h"
#include "server/service.h"
#include "server/store.h"

/**
 * pair_record_digest(feedback, digest_out): BLAKE2b over context, prompt, chosen,
 * rejected and strength, each with its kind and length: a repeat of an event has
 * the same, whatever model is loaded by then.
 */
void pair_record_digest(const struct feedback *feedback,
			unsigned char digest_out[STORE_DIGEST_LEN]);

/** pair_record_line(feedback, arena, line_out, err): the pair as a line of
 * schema/preference.md, without its newline. */
enum status pair_record_line(const struct feedback *feedback, struct arena *arena,
			     const char **line_out, struct err *err);

#endif
