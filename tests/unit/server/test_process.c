/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"

#include <pthread.h>
#include <sys/resource.h>

#include "tests/unit/unit.h"

static void *give_way(void *niceness_out)
{
	process_give_way(19);
	*(int *)niceness_out = getpriority(PRIO_PROCESS, 0);
	return NULL;
}

START_TEST(thread_alone_gives_way)
{
	int before = getpriority(PRIO_PROCESS, 0), niceness = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, give_way, &niceness), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(niceness, 19);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *priority = tcase_create("give_way");

	tcase_add_test(priority, thread_alone_gives_way);
	suite_add_tcase(suite, priority);
	return unit_run(suite);
}
