/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/help.h"

#include <string.h>

static void print_usage(const char *usage, FILE *out)
{
	const char *before = "usage: ";

	while (*usage != '\0') {
		int len = (int)strcspn(usage, "\n");

		fprintf(out, "%s%.*s\n", before, len, usage);
		usage += len + (usage[len] == '\n');
		before = "       ";
	}
}

/* What every command takes, after its own options. */
static void print_common(const struct help *help, FILE *out)
{
	fputs("  --help\n      Show this text.\n", out);
	if (help->has_version)
		fputs("\n  --version\n      Show the version.\n", out);
}

void help_print(const struct help *help, FILE *out)
{
	print_usage(help->usage, out);
	fprintf(out, "\n%s\n", help->about);
	if (help->list_title != NULL) {
		fprintf(out, "\n%s:\n", help->list_title);
		help->write_list(out);
	}
	fputc('\n', out);
	if (help->groups[0] != NULL)
		options_help(help->groups[0]->specs, help->groups[0]->n_specs, out);
	print_common(help, out);
	for (size_t i = 1; i < HELP_MAX_GROUPS && help->groups[i] != NULL; i++) {
		fprintf(out, "\n%s:\n", help->groups[i]->title);
		options_help(help->groups[i]->specs, help->groups[i]->n_specs, out);
	}
	if (help->write_notes != NULL)
		help->write_notes(out);
}
