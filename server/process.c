/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"

#include <dirent.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/clock.h"

#define KEPT_BYTES   (16 << 20) /* free at the end of a heap */
#define MAPPED_BYTES (4 << 20)	/* and more at once come from the system, and go back to it */

static double process_start_time;

void process_started(void)
{
	process_start_time = (double)clock_now_us() / 1e6;
}

enum status process_restrict(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(err, STATUS_INTERNAL, "give up new privileges");
	return STATUS_OK;
}

void process_keep_memory(void)
{
	/* NOLINTBEGIN(concurrency-mt-unsafe): no other thread allocates yet */
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	/* setting one ends the adjustment of the other */
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	/* NOLINTEND(concurrency-mt-unsafe) */
}

uint64_t process_allow_files(uint64_t n)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	if (limit.rlim_cur >= n)
		return limit.rlim_cur;
	limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

/* On Linux, 0 is the thread. More than 19 in all is 19. */
void process_give_way(int niceness)
{
	(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static uint64_t count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		n++;
	closedir(folder);
	return n < 3 ? 0 : n - 3; /* ".", ".." and the folder's own */
}

static uint64_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	char text[128]; /* numbers of pages: all, resident, ... */
	const char *space = NULL;

	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) != NULL)
		space = strchr(text, ' ');
	fclose(file);
	if (space == NULL)
		return 0;
	return strtoull(space, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process_usage(struct process_usage *usage_out)
{
	struct rusage usage;
	struct rlimit limit;

	*usage_out = (struct process_usage){
	    .resident_bytes = resident(),
	    .open_fds = count_fds(),
	    .start_time = process_start_time,
	};
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		usage_out->cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		usage_out->max_fds = limit.rlim_cur;
}
