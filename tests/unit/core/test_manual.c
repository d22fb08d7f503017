/* SPDX-License-Identifier: Apache-2.0 */
/* --help and the manual page say the same, because they are made of the same tables. */
#include <stdio.h>
#include <string.h>

#include "core/base/manual.h"
#include "tests/unit/unit.h"

static const struct option_spec specs[] = {
    {.name = "port",
     .env = "TEST_PORT",
     .type = OPTION_INT,
     .min = 0,
     .max = 9,
     .default_text = "8",
     .value_name = "PORT",
     .help = "Where to listen."},
    {.name = "quiet", .type = OPTION_FLAG, .help = "Say nothing."},
};
static const struct option_spec more[] = {
    {.name = "more", .type = OPTION_FLAG, .help = "Do more."},
};
static const struct help_group own = {.specs = specs, .n_specs = LENGTH(specs)};
static const struct help_group others = {
    .title = "to do more", .specs = more, .n_specs = LENGTH(more)};

static void write_list(FILE *out)
{
	fputs("  copy    copies\n", out);
}

static void write_notes(FILE *out)
{
	fputs("\nnotes:\n  a   b\n", out);
}

static const struct help program = {
    .usage = "thing [options]\nthing COMMAND",
    .about = "Does things.\n\n  as it is",
    .list_title = "commands",
    .write_list = write_list,
    .groups = {&own},
    .has_version = true,
};
static const struct help copy = {
    .usage = "thing copy",
    .about = "Copies.",
    .groups = {&(const struct help_group){.specs = more, .n_specs = LENGTH(more)}, &others},
    .write_notes = write_notes,
};
static const struct help look = {.usage = "thing look", .about = "Looks.", .groups = {&own}};

static char *text;

static void free_text(void)
{
	free(text);
	text = NULL;
}

static const char *print(const struct help *help)
{
	size_t len;
	FILE *out = open_memstream(&text, &len);

	help_print(help, out);
	fclose(out);
	return text;
}

START_TEST(help_has_usage_list_options_and_version)
{
	ck_assert_str_eq(
	    print(&program),
	    "usage: thing [options]\n"
	    "       thing COMMAND\n"
	    "\n"
	    "Does things.\n"
	    "\n"
	    "  as it is\n"
	    "\n"
	    "commands:\n"
	    "  copy    copies\n"
	    "\n"
	    "  --port PORT\n"
	    "      Where to listen. Range: 0 to 9. Default: 8. Environment: TEST_PORT.\n"
	    "\n"
	    "  --quiet\n"
	    "      Say nothing.\n"
	    "\n"
	    "  --help\n"
	    "      Show this text.\n"
	    "\n"
	    "  --version\n"
	    "      Show the version.\n");
}
END_TEST

START_TEST(help_has_groups_and_notes)
{
	ck_assert_str_eq(print(&copy), "usage: thing copy\n"
				       "\n"
				       "Copies.\n"
				       "\n"
				       "  --more\n"
				       "      Do more.\n"
				       "\n"
				       "  --help\n"
				       "      Show this text.\n"
				       "\n"
				       "to do more:\n"
				       "  --more\n"
				       "      Do more.\n"
				       "\n"
				       "\n"
				       "notes:\n"
				       "  a   b\n");
}
END_TEST

START_TEST(manual_has_what_help_has)
{
	static const char *const wanted[] = {
	    ".TH \"THING\" \"1\" ",
	    ".SH \"NAME\"\nthing \\- do things\n",
	    ".SH \"SYNOPSIS\"\n.nf\nthing [options]\nthing COMMAND\n.fi\n",
	    ".SH \"DESCRIPTION\"\nDoes things.\n.PP\n.nf\n  as it is\n.fi\n",
	    (".TP\n\\fB\\-\\-port\\fR \\fIPORT\\fR\n"
	     "Where to listen. Range: 0 to 9. Default: 8. Environment: TEST_PORT.\n"),
	    "\\fB\\-\\-version\\fR\n",
	    ".SS \"thing copy\"\n",
	    ".PP\nTo do more:\n.TP\n\\fB\\-\\-more\\fR\n",
	    ".nf\nnotes:\n  a   b\n.fi\n",
	    ".SH \"EXIT STATUS\"\n0 or 1.\n",
	};
	static const struct manual_command commands[] = {{"copy", &copy}, {"look", &look}};
	static const struct manual_section sections[] = {{"EXIT STATUS", "0 or 1."}};
	const struct manual manual = {
	    .name = "thing",
	    .section = 1,
	    .summary = "do things",
	    .help = &program,
	    .commands = commands,
	    .n_commands = LENGTH(commands),
	    .sections = sections,
	    .n_sections = LENGTH(sections),
	};
	struct err err;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(manual_write(&manual, out, &err), STATUS_OK);
	fclose(out);
	for (size_t i = 0; i < LENGTH(wanted); i++)
		ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in\n%s", wanted[i], text);
	/* the program's own options once, though look takes them too */
	ck_assert_ptr_null(strstr(strstr(text, "Where to listen.") + 1, "Where to listen."));
	ck_assert_ptr_nonnull(strstr(text, ".SS \"thing look\"\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manual");
	TCase *tcase = tcase_create("manual");

	tcase_add_checked_fixture(tcase, NULL, free_text);
	tcase_add_test(tcase, help_has_usage_list_options_and_version);
	tcase_add_test(tcase, help_has_groups_and_notes);
	tcase_add_test(tcase, manual_has_what_help_has);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
