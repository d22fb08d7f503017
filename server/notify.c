/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The manager's socket, '@' being the abstract namespace; its length, 0 if there is none. */
static socklen_t manager(struct sockaddr_un *address_out)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);

	if (len < 2 || len >= sizeof(address_out->sun_path) || (path[0] != '/' && path[0] != '@'))
		return 0;
	*address_out = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address_out->sun_path, path, len);
	if (path[0] == '@')
		address_out->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* A manager that does not listen is no reason not to serve. */
static void tell(const char *state)
{
	struct sockaddr_un address;
	socklen_t len = manager(&address);
	int fd;

	if (len == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
	close(fd);
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(state);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}
