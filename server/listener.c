/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static enum status parse_address(const char *address, uint16_t port,
				 union socket_address *address_out, struct err *err)
{
	memset(address_out, 0, sizeof(*address_out));
	if (inet_pton(AF_INET, address, &address_out->v4.sin_addr) == 1) {
		address_out->v4.sin_family = AF_INET;
		address_out->v4.sin_port = htons(port);
		return STATUS_OK;
	}
	if (inet_pton(AF_INET6, address, &address_out->v6.sin6_addr) == 1) {
		address_out->v6.sin6_family = AF_INET6;
		address_out->v6.sin6_port = htons(port);
		return STATUS_OK;
	}
	return err_set(err, STATUS_USAGE,
		       "--listen %s: want an IPv4 or IPv6 address, such as 127.0.0.1 or ::1",
		       address);
}

static int bind_and_listen(int fd, const union socket_address *address)
{
	const int on = 1;
	socklen_t len =
	    address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);

	/* a restart must not wait for the old connections' TIME_WAIT */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, &address->any, len) != 0)
		return -1;
	return listen(fd, SOMAXCONN);
}

static uint16_t bound_port(int fd)
{
	union socket_address bound = {0};
	socklen_t len = sizeof(bound);

	if (getsockname(fd, &bound.any, &len) != 0)
		return 0;
	return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

enum status listener_open(const char *address, uint16_t port, int *fd_out, uint16_t *port_out,
			  struct err *err)
{
	union socket_address parsed;
	char what[128];
	enum status status = parse_address(address, port, &parsed, err);

	if (status != STATUS_OK)
		return status;
	snprintf(what, sizeof(what),
		 parsed.any.sa_family == AF_INET6 ? "listen on [%.60s]:%u" : "listen on %.60s:%u",
		 address, (unsigned)port);
	int fd = socket(parsed.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, STATUS_IO, what);
	if (bind_and_listen(fd, &parsed) != 0) {
		status = err_errno(err, STATUS_IO, what);
		close(fd);
		return status;
	}
	*fd_out = fd;
	*port_out = bound_port(fd);
	return STATUS_OK;
}

enum status listener_check(const char *address, struct err *err)
{
	union socket_address parsed;

	return parse_address(address, 0, &parsed, err);
}

bool listener_is_exposed(const char *address)
{
	union socket_address parsed;

	if (parse_address(address, 0, &parsed, NULL) != STATUS_OK)
		return false;
	if (parsed.any.sa_family == AF_INET6)
		return !IN6_IS_ADDR_LOOPBACK(&parsed.v6.sin6_addr);
	return ntohl(parsed.v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET;
}
