/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - which HTTP answers may be others the next time, and how long to wait for that. */
#ifndef MICRO_ENCODE_RETRY_H
#define MICRO_ENCODE_RETRY_H

#include <stdint.h>

#define RETRY_FIRST_WAIT 0.1  /* seconds */
#define RETRY_MAX_WAIT	 2.0  /* seconds, of ours */
#define RETRY_MAX_ASKED	 10.0 /* seconds, of a server's Retry-After */
#define RETRY_MAX_TOLD	 60.0 /* seconds, of it that others are told; it may be back earlier */

enum retry_verdict {
	RETRY_ANSWERED, /* 2xx */
	RETRY_AGAIN,	/* the same may pass later */
	RETRY_SPLIT,	/* fewer texts may pass */
	RETRY_NEVER,
};

/** retry_judge(http_status): what to do after an answer. */
enum retry_verdict retry_judge(long http_status);

/**
 * retry_wait(attempt, asked, random): seconds to wait after attempt 0, 1, ...: twice as long each
 * time, the half of it by chance, so that callers who failed together do not come back together;
 * at least what the server asked for. Negative: it asked for more than RETRY_MAX_ASKED.
 */
double retry_wait(unsigned attempt, double asked, uint32_t random);

#endif
