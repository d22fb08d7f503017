/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_table.h - a libmicrohttpd daemon, and the connections that it serves.
 *
 * A thread that goes round hundreds of busy connections finds nothing of the next one in the
 * processor's caches, and libmicrohttpd, which first asks the kernel about all and then serves
 * them, finds nothing twice: a small request takes half as long again. So a thread has tables of
 * as many connections as the caches hold, and stays at one for a moment before it goes to the
 * next. Waking somebody costs less, too: libmicrohttpd looks at all who sleep in a daemon.
 *
 * For one thread, but for calls.
 */
#ifndef MICRO_SERVER_HTTP_TABLE_H
#define MICRO_SERVER_HTTP_TABLE_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define TABLE_SEATS 32 /* each with some 30 KB, here and in the kernel */
#define TABLES_MAX  64 /* of a thread; with more connections each has more */

/* Zeroed but for its daemon it is empty, and due at once. */
struct http_table {
	struct MHD_Daemon *daemon;
	size_t n_open;	/* connections, after the last run */
	size_t n_given; /* and those that came since then */
	bool has_news;	/* to be run */
	atomic_bool is_called;
	double due; /* when it is to be run even without news, by clock_monotonic() */
};

/** http_table_number(n_connections): how many tables a thread with so many connections has. */
size_t http_table_number(size_t n_connections);

/** http_table_choose(tables, n_tables): where one more sits down: as few tables as possible are
 * in use. */
struct http_table *http_table_choose(struct http_table *tables, size_t n_tables);

/** http_table_run(table, now): serve whoever can be served at once. */
void http_table_run(struct http_table *table, double now);

/** http_table_call(table): somebody was resumed. Any thread. */
void http_table_call(struct http_table *table);

/** http_table_has_news(table): it has news or was called since the last run. */
bool http_table_has_news(struct http_table *table);

#endif
