/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_guest.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utlist.h>

#include "core/base/mem.h"

struct http_guest *http_guest_welcome(struct http_guests *guests, int fd, struct http_table *table,
				      double now)
{
	struct http_guest *guest = mem_array(1, sizeof(*guest));
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data = {.ptr = guest}};

	if (guest == NULL) {
		shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	*guest = (struct http_guest){.table = table, .n_unread = -1};
	clients_add(&guests->clients, &guest->client, fd, now);
	if (epoll_ctl(guests->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		shutdown(fd, SHUT_RDWR);
	return guest;
}

void http_guest_part(struct http_guests *guests, struct http_guest *guest)
{
	if (guest == NULL)
		return;
	if (guest->has_ended && guest->n_unread != 0)
		DL_DELETE(guests->ended, guest);
	clients_remove(&guests->clients, &guest->client);
	/* the socket is still open, and not for the kernel to forget */
	epoll_ctl(guests->epoll, EPOLL_CTL_DEL, guest->client.fd, NULL);
	mem_free(guest);
}

void http_guest_end(struct http_guests *guests, struct http_guest *guest)
{
	guest->has_ended = true;
	DL_APPEND(guests->ended, guest);
}

/*
 * libmicrohttpd looks at a socket again only when the kernel tells of a change there, which
 * closing the reading end is, although it is closed already.
 */
static void tell_again(int fd)
{
	shutdown(fd, SHUT_RD);
}

void http_guest_tell_ends(struct http_guests *guests)
{
	struct http_guest *guest, *next;

	DL_FOREACH_SAFE(guests->ended, guest, next)
	{
		int n_unread = 0;

		if (ioctl(guest->client.fd, FIONREAD, &n_unread) != 0)
			n_unread = 0;
		if (n_unread == guest->n_unread)
			continue;
		guest->n_unread = n_unread;
		tell_again(guest->client.fd);
		if (n_unread == 0)
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is on the list */
			DL_DELETE(guests->ended, guest);
	}
}
