/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the time of day and its text, and a clock that never jumps. */
#ifndef MICRO_SERVER_CLOCK_H
#define MICRO_SERVER_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_LEN 27 /* 2026-01-01T00:00:00.000000Z */

/** clock_now_us(): microseconds since 1970. */
int64_t clock_now_us(void);

/** clock_monotonic(): seconds since some moment; for durations. */
double clock_monotonic(void);

/** clock_text(time_us, text_out): RFC 3339 in UTC; years outside 0..9999 are
 * shown as the nearest within. */
void clock_text(int64_t time_us, char text_out[CLOCK_TEXT_LEN + 1]);

/** clock_parse(text, len, time_us_out): what clock_text() writes, and nothing else; false if it is
 * not that. */
bool clock_parse(const char *text, size_t len, int64_t *time_us_out);

#endif
