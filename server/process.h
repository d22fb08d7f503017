/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - what this process uses of the machine, as Linux tells it. */
#ifndef MICRO_SERVER_PROCESS_H
#define MICRO_SERVER_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct process_usage {
	double cpu_seconds; /* user and system */
	uint64_t resident_bytes;
	uint64_t open_fds;
	uint64_t max_fds;
	double start_time; /* seconds since 1970 */
};

/** process_started(): remember the start time; once, at the beginning of main(). */
void process_started(void);

/** process_restrict(err): from here on no program that this process starts can gain
 * privileges, by a set-user-id bit or a file's capabilities. */
enum status process_restrict(struct err *err);

/** process_allow_files(n): raise the limit of open files to n where it is lower, as far as that
 * goes; how many there may be. */
uint64_t process_allow_files(uint64_t n);

/** process_keep_memory(): let free memory stay with the process up to a bound, where the system
 * would have to give it back page by page for the next request. Before the first thread. */
void process_keep_memory(void);

/** process_give_way(niceness): let others have the processor before this thread, and this thread
 * alone, as nice(1) does; where the system forbids that, nothing changes. */
void process_give_way(int niceness);

/** process_usage(usage_out): what cannot be read is 0. */
void process_usage(struct process_usage *usage_out);

#endif
