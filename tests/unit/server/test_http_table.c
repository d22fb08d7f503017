/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_table.c - at which table a connection sits down, and what a table has to tell */
#include "server/http_table.h"

#include <math.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http_loop.h"
#include "tests/unit/unit.h"

START_TEST(number_grows_with_the_connections_up_to_a_limit)
{
	ck_assert_uint_eq(http_table_number(0), 1);
	ck_assert_uint_eq(http_table_number(1), 1);
	ck_assert_uint_eq(http_table_number(TABLE_SEATS), 1);
	ck_assert_uint_eq(http_table_number(TABLE_SEATS + 1), 2);
	ck_assert_uint_eq(http_table_number((size_t)TABLES_MAX * TABLE_SEATS), TABLES_MAX);
	ck_assert_uint_eq(http_table_number(SIZE_MAX), TABLES_MAX);
}
END_TEST

START_TEST(choose_fills_one_table_after_the_other)
{
	struct http_table tables[3] = {0};

	for (size_t i = 0; i < LENGTH(tables) * TABLE_SEATS; i++) {
		struct http_table *table = http_table_choose(tables, LENGTH(tables));

		ck_assert_ptr_eq(table, &tables[i / TABLE_SEATS]);
		table->n_given++;
	}
}
END_TEST

START_TEST(choose_takes_the_emptiest_when_all_are_full)
{
	struct http_table tables[] = {
	    {.n_open = TABLE_SEATS, .n_given = 2},
	    {.n_open = TABLE_SEATS + 1},
	    {.n_given = TABLE_SEATS + 3},
	};

	ck_assert_ptr_eq(http_table_choose(tables, LENGTH(tables)), &tables[1]);
}
END_TEST

START_TEST(choose_takes_a_seat_that_became_free)
{
	struct http_table tables[] = {
	    {.n_open = TABLE_SEATS},
	    {.n_open = TABLE_SEATS - 1},
	    {.n_open = 0},
	};

	ck_assert_ptr_eq(http_table_choose(tables, LENGTH(tables)), &tables[1]);
}
END_TEST

START_TEST(call_is_news)
{
	struct http_table table = {0};

	ck_assert(!http_table_has_news(&table));
	http_table_call(&table);
	ck_assert(http_table_has_news(&table));
	ck_assert(table.has_news);
	table.has_news = false;
	ck_assert(!http_table_has_news(&table));
}
END_TEST

static enum MHD_Result refuse(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload_data,
			      size_t *upload_data_size, void **request)
{
	(void)context, (void)connection, (void)url, (void)method, (void)version;
	(void)upload_data, (void)upload_data_size, (void)request;
	return MHD_NO;
}

START_TEST(run_counts_connections_and_says_when_it_is_due_again)
{
	struct http_table table = {
	    .daemon = MHD_start_daemon(HTTP_LOOP_FLAGS, 0, NULL, NULL, refuse, NULL,
				       MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END),
	};
	struct sockaddr address = {.sa_family = AF_UNIX};
	int ends[2];

	ck_assert_ptr_nonnull(table.daemon);
	http_table_run(&table, 5);
	ck_assert_uint_eq(table.n_open, 0);
	ck_assert(isinf(table.due));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert_int_eq(MHD_add_connection(table.daemon, ends[0], &address, sizeof(address)),
			 MHD_YES);
	table.n_given = 1;
	for (int i = 0; i < 10 && (table.n_given > 0 || table.has_news); i++)
		http_table_run(&table, 5);
	ck_assert_uint_eq(table.n_open, 1);
	ck_assert_uint_eq(table.n_given, 0);
	ck_assert(!table.has_news);
	ck_assert_double_gt(table.due, 5);
	ck_assert_double_le(table.due, 5 + 61);
	close(ends[1]);
	for (int i = 0; i < 10 && table.n_open > 0; i++)
		http_table_run(&table, 5);
	ck_assert_uint_eq(table.n_open, 0);
	MHD_stop_daemon(table.daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_table");
	TCase *tcase = tcase_create("http_table");

	tcase_add_test(tcase, number_grows_with_the_connections_up_to_a_limit);
	tcase_add_test(tcase, choose_fills_one_table_after_the_other);
	tcase_add_test(tcase, choose_takes_the_emptiest_when_all_are_full);
	tcase_add_test(tcase, choose_takes_a_seat_that_became_free);
	tcase_add_test(tcase, call_is_news);
	tcase_add_test(tcase, run_counts_connections_and_says_when_it_is_due_again);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
