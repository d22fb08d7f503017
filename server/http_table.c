/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_table.h"

#include <math.h>

size_t http_table_number(size_t n_connections)
{
	size_t n = n_connections / TABLE_SEATS + (n_connections % TABLE_SEATS > 0);

	if (n == 0)
		return 1;
	return n < TABLES_MAX ? n : TABLES_MAX;
}

struct http_table *http_table_choose(struct http_table *tables, size_t n_tables)
{
	struct http_table *emptiest = tables;

	for (struct http_table *table = tables; table < tables + n_tables; table++) {
		size_t n = table->n_open + table->n_given;

		if (n < TABLE_SEATS)
			return table;
		if (n < emptiest->n_open + emptiest->n_given)
			emptiest = table;
	}
	return emptiest;
}

void http_table_run(struct http_table *table, double now)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(table->daemon);
	table->n_open = MHD_get_daemon_info(table->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
			    ->num_connections;
	table->n_given = 0;
	table->due = HUGE_VAL;
	if (MHD_get_timeout(table->daemon, &ms) == MHD_YES)
		table->due = now + (double)ms * 1e-3;
	/* it has not read all that has come */
	table->has_news = table->due <= now;
}

void http_table_call(struct http_table *table)
{
	atomic_store(&table->is_called, true);
}

bool http_table_has_news(struct http_table *table)
{
	if (atomic_load(&table->is_called) && atomic_exchange(&table->is_called, false))
		table->has_news = true;
	return table->has_news;
}
