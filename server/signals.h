/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals.h - SIGTERM and SIGINT ask to stop, SIGHUP to reload, SIGPIPE is ignored.
 *
 * By handlers, not by a mask and sigwait(): OpenBLAS starts threads of its own
 * before main(), and a signal that only they do not block would end the process.
 */
#ifndef MICRO_SERVER_SIGNALS_H
#define MICRO_SERVER_SIGNALS_H

enum signals_request { SIGNALS_STOP, SIGNALS_RELOAD };

/** signals_open(): from now on no request is lost; threads started before
 * signals_wait() are never interrupted. Once, first in main(). */
void signals_open(void);

/** signals_wait(): block until something is asked; SIGNALS_STOP comes first, and
 * several wishes to reload are one. The thread of signals_open() only. */
enum signals_request signals_wait(void);

#endif
