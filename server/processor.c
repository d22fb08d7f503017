/* SPDX-License-Identifier: Apache-2.0 */
#include "server/processor.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_SECONDS 1.0
#define FREE_SECONDS  60.0 /* until it is tried again */
/* What fair shares cost is less: with one other thread, as much as it runs. */
#define WAITED_MIN  0.05 /* seconds between two looks */
#define WAITED_MANY 4	 /* times what it ran */

/* The first two numbers of /proc/PID/task/TID/schedstat, in ns. */
static bool read_times(const struct processor *processor, double *ran_out, double *waited_out)
{
	char text[96];
	ssize_t n = pread(processor->schedstat, text, sizeof(text) - 1, 0);
	char *next;

	if (n <= 0)
		return false;
	text[n] = '\0';
	*ran_out = 1e-9 * (double)strtoull(text, &next, 10);
	*waited_out = 1e-9 * (double)strtoull(next, NULL, 10);
	return true;
}

static bool run_on(const cpu_set_t *set)
{
	return pthread_setaffinity_np(pthread_self(), sizeof(*set), set) == 0;
}

static bool choose(struct processor *processor, size_t i, size_t n)
{
	size_t n_seen = 0;

	if (sched_getaffinity(0, sizeof(processor->all), &processor->all) != 0 ||
	    (size_t)CPU_COUNT(&processor->all) != n)
		return false;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &processor->all) && n_seen++ == i)
			CPU_SET(cpu, &processor->own);
	}
	return true;
}

/* With fewer threads than processors, all processes of a machine would gather on the first. */
void processor_take(struct processor *processor, size_t i, size_t n, double now)
{
	*processor = (struct processor){.checked = now};
	if (!choose(processor, i, n))
		return;
	processor->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	if (processor->schedstat < 0)
		return;
	processor->is_wanted = read_times(processor, &processor->ran, &processor->waited);
	if (processor->is_wanted)
		processor->is_bound = run_on(&processor->own);
	else
		close(processor->schedstat);
}

void processor_check(struct processor *processor, double now)
{
	double ran, waited, more_ran, more_waited;

	if (!processor->is_wanted || now < processor->checked + CHECK_SECONDS)
		return;
	processor->checked = now;
	if (!read_times(processor, &ran, &waited))
		return;
	more_ran = ran - processor->ran;
	more_waited = waited - processor->waited;
	processor->ran = ran;
	processor->waited = waited;
	if (processor->is_bound && more_waited > WAITED_MIN &&
	    more_waited > WAITED_MANY * more_ran) {
		processor->is_bound = !run_on(&processor->all);
		processor->let_go = now;
	} else if (!processor->is_bound && now >= processor->let_go + FREE_SECONDS) {
		processor->is_bound = run_on(&processor->own);
		processor->let_go = now;
	}
}

void processor_leave(struct processor *processor)
{
	if (processor->is_wanted)
		close(processor->schedstat);
	processor->is_wanted = false;
}
