/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_tasks.h"

#include <math.h>
#include <stddef.h>

#include <utlist.h>

#include "server/clock.h"

#define RUN_SECONDS 5e-5 /* at least, between two looks at connections, and */
#define RUN_SHARE   8	 /* this part of the time */

void http_tasks_add(struct http_tasks *tasks, struct http_task *task)
{
	DL_APPEND(tasks->first, task);
}

void http_tasks_run(struct http_tasks *tasks, double since, double *now)
{
	double end;

	if (tasks->first == NULL)
		return;
	*now = clock_monotonic();
	end = *now + fmax(RUN_SECONDS, (*now - fmax(tasks->ran_until, since)) / RUN_SHARE);
	while (tasks->first != NULL && *now < end) {
		struct http_task *task = tasks->first;

		DL_DELETE(tasks->first, task);
		task->run(task->context);
		*now = clock_monotonic();
	}
	tasks->ran_until = *now;
}
