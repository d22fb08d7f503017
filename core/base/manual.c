/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/manual.h"

#include <ctype.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/roff.h"

#define TITLE_MAX 64

/* .TH NAME 8 date version title */
static void write_title(const struct manual *manual, FILE *out)
{
	fputs(".\\\" made by the program itself, of the tables of --help\n.TH \"", out);
	for (const char *c = manual->name; *c != '\0'; c++)
		fputc(toupper((unsigned char)*c), out);
	fprintf(out, "\" \"%d\" \"%s\" \"micro %s\" \"MiCRo\"\n", manual->section, MICRO_DATE,
		MICRO_VERSION);
	fputs(".nh\n.ad l\n", out);
	roff_heading("SH", "NAME", out);
	roff_text(manual->name, strlen(manual->name), out);
	fputs(" \\- ", out);
	roff_text(manual->summary, strlen(manual->summary), out);
	fputc('\n', out);
}

static void write_option(const struct option_spec *spec, FILE *out)
{
	char name[TITLE_MAX], text[OPTION_TEXT_MAX];

	snprintf(name, sizeof(name), "--%s", spec->name);
	roff_term(name, spec->value_name, out);
	option_describe(spec, text);
	roff_paragraph(text, strlen(text), out);
}

static void write_common(const struct help *help, FILE *out)
{
	roff_term("--help", NULL, out);
	fputs("Show a text of the same content.\n", out);
	if (!help->has_version)
		return;
	roff_term("--version", NULL, out);
	fputs("Show the version.\n", out);
}

static void write_options(const struct help *help, FILE *out)
{
	for (size_t i = 0; i < HELP_MAX_GROUPS && help->groups[i] != NULL; i++) {
		const struct help_group *group = help->groups[i];

		if (group->title != NULL)
			fprintf(out, ".PP\n%c%s:\n", toupper((unsigned char)group->title[0]),
				group->title + 1);
		for (size_t s = 0; s < group->n_specs; s++)
			write_option(&group->specs[s], out);
	}
	write_common(help, out);
}

static void write_verbatim(const char *text, FILE *out)
{
	fputs(".PP\n", out);
	roff_lines(text, strlen(text), out);
}

/* What help->write_notes() writes, as it is. */
static enum status write_notes(const struct help *help, FILE *out, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory;

	if (help->write_notes == NULL)
		return STATUS_OK;
	memory = open_memstream(&text, &len);
	if (memory == NULL)
		return err_no_memory(err, "the manual page");
	help->write_notes(memory);
	if (fclose(memory) == 0)
		write_verbatim(text + strspn(text, "\n"), out);
	else
		err_no_memory(err, "the manual page");
	mem_free(text);
	return err->code;
}

static enum status write_command(const struct manual *manual, const struct manual_command *command,
				 FILE *out, struct err *err)
{
	const struct help *help = command->help;
	char title[TITLE_MAX];

	snprintf(title, sizeof(title), "%s %s", manual->name, command->name);
	roff_heading("SS", title, out);
	roff_lines(help->usage, strlen(help->usage), out);
	fputs(".PP\n", out);
	roff_paragraphs(help->about, out);
	if (help->groups[0] == manual->help->groups[0])
		return STATUS_OK;
	write_options(help, out);
	return write_notes(help, out, err);
}

enum status manual_write(const struct manual *manual, FILE *out, struct err *err)
{
	err->code = STATUS_OK;
	write_title(manual, out);
	roff_heading("SH", "SYNOPSIS", out);
	roff_lines(manual->help->usage, strlen(manual->help->usage), out);
	roff_heading("SH", "DESCRIPTION", out);
	roff_paragraphs(manual->help->about, out);
	roff_heading("SH", "OPTIONS", out);
	write_options(manual->help, out);
	roff_heading("SH", "COMMANDS", out);
	for (size_t i = 0; i < manual->n_commands; i++) {
		if (write_command(manual, &manual->commands[i], out, err) != STATUS_OK)
			return err->code;
	}
	for (size_t i = 0; i < manual->n_sections; i++) {
		roff_heading("SH", manual->sections[i].title, out);
		roff_paragraphs(manual->sections[i].text, out);
	}
	return STATUS_OK;
}
