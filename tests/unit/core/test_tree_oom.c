/* SPDX-License-Identifier: Apache-2.0 */
/* test_tree_oom.c - every allocation of the JSON parser fails in turn. */
#include <stdio.h>
#include <string.h>

#include "core/json/tree.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 200

/* Large objects within each other, escapes, floats that outgrow their first place. */
static const char *make_text(void)
{
	static char text[200000];
	size_t len = 0;

	for (int i = 0; i < 300; i++)
		len += (size_t)sprintf(text + len, "%s\"f%d\":\"\\u00e9\"", i == 0 ? "{" : ",", i);
	for (int i = 0; i < 30; i++)
		len += (size_t)sprintf(text + len, "%s\"f%d\":[[],true]",
				       i == 0 ? ",\"inner\":{" : ",", i);
	len += (size_t)sprintf(text + len, "},\"floats\":[1");
	for (int i = 0; i < 9000; i++)
		len += (size_t)sprintf(text + len, ",%d", i);
	strcpy(text + len, "]}");
	return text;
}

START_TEST(parser_survives_every_failed_allocation)
{
	const char *text = make_text();
	enum status status = STATUS_NO_MEMORY;
	long n;

	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct arena arena = {0};
		const struct node *root;
		struct err err;

		mem_fail_after(n);
		status = tree_parse(text, strlen(text), &arena, &root, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "%ld: %s", n,
			      err.msg);
		if (status == STATUS_OK)
			ck_assert_uint_eq(node_length(node_find(root, "floats")), 9001);
		arena_free(&arena);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tree_oom");
	TCase *tcase = tcase_create("tree");

	tcase_add_test(tcase, parser_survives_every_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
