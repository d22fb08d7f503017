/* SPDX-License-Identifier: Apache-2.0 */
/* stopwatch.h - time that passes, whatever the wall clock is set to. */
#ifndef MICRO_TOOL_STOPWATCH_H
#define MICRO_TOOL_STOPWATCH_H

/** stopwatch_seconds(): since some beginning. */
double stopwatch_seconds(void);

#endif
