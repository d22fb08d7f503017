/* SPDX-License-Identifier: Apache-2.0 */
/* faulty.c - one deliberate fault per sanitizer, chosen by the argument */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int shared;

static void *increment(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		shared++;
	return NULL;
}

static int fault_address(void)
{
	volatile size_t past = 4;
	volatile char *bytes = calloc(past, 1);
	int value = bytes[past];

	free((void *)bytes);
	return value;
}

static int fault_undefined(void)
{
	volatile int largest = INT_MAX;

	return largest + 1 == 0;
}

static int fault_leak(void)
{
	void *volatile bytes = malloc(16);

	bytes = NULL;
	return bytes != NULL;
}

static int fault_thread(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, increment, NULL) != 0)
		return 0;
	increment(NULL);
	pthread_join(other, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} faults[] = {
	    {"address", fault_address},
	    {"undefined", fault_undefined},
	    {"leak", fault_leak},
	    {"thread", fault_thread},
	};

	for (size_t i = 0; argc > 1 && i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (strcmp(argv[1], faults[i].name) == 0)
			return faults[i].run();
	}
	fprintf(stderr, "usage: faulty address|undefined|leak|thread\n");
	return 0;
}
