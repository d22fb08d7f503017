/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/retry.h"

#define MAX_DOUBLINGS 16 /* more than RETRY_MAX_WAIT needs */

enum retry_verdict retry_judge(long http_status)
{
	switch (http_status) {
	case 408: /* Request Timeout */
	case 424: /* Failed Dependency: TEI, when its backend failed */
	case 425: /* Too Early */
	case 429: /* Too Many Requests */
		return RETRY_AGAIN;
	case 400: /* Bad Request */
	case 413: /* Content Too Large */
	case 422: /* Unprocessable Content */
		return RETRY_SPLIT;
	default:
		break;
	}
	if (http_status >= 200 && http_status < 300)
		return RETRY_ANSWERED;
	return http_status >= 500 ? RETRY_AGAIN : RETRY_NEVER;
}

double retry_wait(unsigned attempt, double asked, uint32_t random)
{
	double wait =
	    RETRY_FIRST_WAIT * (double)(1u << (attempt < MAX_DOUBLINGS ? attempt : MAX_DOUBLINGS));

	if (asked > RETRY_MAX_ASKED)
		return -1;
	if (wait > RETRY_MAX_WAIT)
		wait = RETRY_MAX_WAIT;
	wait *= 0.5 + 0.5 * (double)random / UINT32_MAX;
	return wait > asked ? wait : asked;
}
