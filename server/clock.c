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

/* What text has at a place: a digit for each 0, and the character itself elsewhere. */
static bool is_like(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; text++, pattern++) {
		if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	}
	return true;
}

static int number_at(const char *text, size_t at, size_t n_digits)
{
	int number = 0;

	for (size_t i = at; i < at + n_digits; i++)
		number = 10 * number + (text[i] - '0');
	return number;
}

bool clock_parse(const char *text, size_t len, int64_t *time_us_out)
{
	char again[CLOCK_TEXT_LEN + 1];
	struct tm tm = {0};

	if (len != CLOCK_TEXT_LEN || !is_like(text, "0000-00-00T00:00:00.000000Z"))
		return false;
	tm.tm_year = number_at(text, 0, 4) - 1900;
	tm.tm_mon = number_at(text, 5, 2) - 1;
	tm.tm_mday = number_at(text, 8, 2);
	tm.tm_hour = number_at(text, 11, 2);
	tm.tm_min = number_at(text, 14, 2);
	tm.tm_sec = number_at(text, 17, 2);
	*time_us_out = (int64_t)timegm(&tm) * US_PER_S + number_at(text, 20, 6);
	/* there is no February 30 */
	clock_text(*time_us_out, again);
	return memcmp(again, text, len) == 0;
}
