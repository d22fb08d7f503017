/* SPDX-License-Identifier: Apache-2.0 */
#include "server/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S 1000000

/* 0000-01-01T00:00:00.000000Z and 9999-12-31T23:59:59.999999Z */
#define CLOCK_MIN_US (-62167219200 * US_PER_S)
#define CLOCK_MAX_US (253402300800 * US_PER_S - 1)

int64_t clock_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

double clock_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void clock_text(int64_t time_us, char text_out[CLOCK_TEXT_LEN + 1])
{
	struct tm tm;

	if (time_us < CLOCK_MIN_US)
		time_us = CLOCK_MIN_US;
	if (time_us > CLOCK_MAX_US)
		time_us = CLOCK_MAX_US;
	/* floor, so that moments before 1970 do not round towards it */
	int64_t us = ((time_us % US_PER_S) + US_PER_S) % US_PER_S;
	time_t seconds = (time_t)((time_us - us) / US_PER_S);

	gmtime_r(&seconds, &tm);
	/* the buffer is of the compiler's opinion about the fields' ranges, the copy of ours */
	char text[96];
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)us);
	memcpy(text_out, text, CLOCK_TEXT_LEN);
	text_out[CLOCK_TEXT_LEN] = '\0';
}
