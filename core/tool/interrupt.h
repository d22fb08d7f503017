/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.h - Ctrl-C and SIGTERM end a training in order, with nothing half-written. */
#ifndef MICRO_TOOL_INTERRUPT_H
#define MICRO_TOOL_INTERRUPT_H

#include <stdbool.h>

/** interrupt_catch(): from here on they are only noted; before, nothing needs it. */
void interrupt_catch(void);

/** interrupt_seen(): whether one has come. */
bool interrupt_seen(void);

#endif
