/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_page.c - print the page of a comparison made by hand, for the checks in
 * scenario/test_report_page.py.
 *
 * sample_page METHODS CONTEXTS HEADS PROMPTS SEEDS [NAME]   NAME instead of every name
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/report/comparison_page.h"
#include "tests/unit/core/comparison_fixture.h"

static size_t number(const char *text, size_t greatest)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end != '\0' || value > greatest) {
		fprintf(stderr, "sample_page: %s: want 0 to %zu\n", text, greatest);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static struct comparison_fixture fixture;
	struct fixture_size size;
	struct err err;

	if (argc != 6 && argc != 7) {
		fprintf(stderr, "sample_page METHODS CONTEXTS HEADS PROMPTS SEEDS [NAME]\n");
		return 2;
	}
	size = (struct fixture_size){.n_methods = number(argv[1], FIXTURE_MAX_METHODS),
				     .n_contexts = number(argv[2], FIXTURE_MAX_CONTEXTS),
				     .n_heads = number(argv[3], FIXTURE_MAX_HEADS),
				     .n_prompts = number(argv[4], FIXTURE_MAX_PROMPTS),
				     .n_seeds = number(argv[5], 1000)};
	fixture_make(&fixture, &size);
	if (argc == 7)
		fixture_name_all(&fixture, argv[6]);
	if (comparison_page_write(&fixture.comparison, stdout, &err) != STATUS_OK) {
		fprintf(stderr, "sample_page: %s\n", err.msg);
		return 1;
	}
	return 0;
}
