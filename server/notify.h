/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - tells the service manager how far the daemon is: sd_notify(3), without libsystemd,
 * for units of Type=notify. Without NOTIFY_SOCKET in the environment nothing is told.
 */
#ifndef MICRO_SERVER_NOTIFY_H
#define MICRO_SERVER_NOTIFY_H

/** notify_ready(): requests are served, by what was configured or read again. */
void notify_ready(void);

/** notify_reloading(): configuration is read again; notify_ready() follows. */
void notify_reloading(void);

/** notify_stopping(): what is in flight is finished, then the process ends. */
void notify_stopping(void);

#endif
