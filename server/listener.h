/* SPDX-License-Identifier: Apache-2.0 */
/* listener.h - the socket that clients connect to. */
#ifndef MICRO_SERVER_LISTENER_H
#define MICRO_SERVER_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

/**
 * listener_open(address, port, fd_out, port_out, err): listen on an IPv4 or IPv6
 * literal; port 0 takes any free one, port_out tells which. The caller closes
 * fd_out. STATUS_IO naming address and port, STATUS_USAGE if address is none.
 */
enum status listener_open(const char *address, uint16_t port, int *fd_out, uint16_t *port_out,
			  struct err *err);

/** listener_check(address, err): STATUS_USAGE if it is no IPv4 or IPv6 literal. */
enum status listener_check(const char *address, struct err *err);

/** listener_is_exposed(address): an address that other machines may reach: no loopback; false
 * also for what is no address. */
bool listener_is_exposed(const char *address);

#endif
