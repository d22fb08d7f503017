/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signals.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_bool stop_asked, reload_asked;
static sem_t asked; /* posted after a flag is set; async-signal-safe */

static void take(int number)
{
	int saved = errno;

	atomic_store(number == SIGHUP ? &reload_asked : &stop_asked, true);
	sem_post(&asked);
	errno = saved;
}

static void each_signal(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void signals_open(void)
{
	struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};

	sem_init(&asked, 0, 0);
	each_signal(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* inherited by every thread that is started from here on */
	pthread_sigmask(SIG_BLOCK, &action.sa_mask, NULL);
}

enum signals_request signals_wait(void)
{
	sigset_t set;

	each_signal(&set);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (;;) {
		if (atomic_load(&stop_asked))
			return SIGNALS_STOP;
		if (atomic_exchange(&reload_asked, false))
			return SIGNALS_RELOAD;
		/* EINTR or a post: look again */
		sem_wait(&asked);
	}
}
