/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_man.c - micro-model man: its manual page. */
#include "core/base/manual.h"
#include "core/base/mem.h"
#include "core/tool/command.h"

static const struct manual_section sections[] = {
    {"DATA",
     "Preferences are JSON lines, one pair each, plain or compressed by gzip(1):\n\n"
     "  {\"prompt\": \"...\", \"chosen\": \"...\", \"rejected\": \"...\", \"user\": \"...\"}\n\n"
     "A context may name an instruction, a task or a community. A text may be a vector\n"
     "instead: an array of numbers, or {\"embedding\": \"base64 of little-endian\n"
     "float32\"}. Where a features file is taken, it is a safetensors file with the\n"
     "tensors chosen, rejected and prompt [N, D].\n\n"
     "A model is one safetensors file; it is written under another name first, so that\n"
     "there is a whole one under its name at any moment."},
    {"EXIT STATUS", "0 done; 1 it failed, and one line on standard error says why; 2 wrong\n"
		    "options; 130 stopped by Ctrl-C."},
    {"ENVIRONMENT", "OPENBLAS_NUM_THREADS limits what the linear algebra reserves at start, where\n"
		    "address space is limited. MICROD_ENCODER_URL stands for --encoder-url, and\n"
		    "MICROD_ENCODER_KEY is the key that the encoder's server wants."},
    {"SEE ALSO", "microd(8)"},
};

static enum status run(int argc, char **argv, struct err *err)
{
	struct manual_command *list;
	enum status status;

	if (argc > 1)
		return err_set(err, STATUS_USAGE, "unexpected argument %s: want none", argv[1]);
	list = mem_array(n_commands, sizeof(*list));
	if (list == NULL)
		return err_no_memory(err, "the list of commands");
	for (size_t i = 0; i < n_commands; i++)
		list[i] = (struct manual_command){commands[i]->name, commands[i]->help};
	const struct manual manual = {
	    .name = "micro-model",
	    .section = 1,
	    .summary = "make, adapt, examine and change MiCRo reward models",
	    .help = &program_help,
	    .commands = list,
	    .n_commands = n_commands,
	    .sections = sections,
	    .n_sections = sizeof(sections) / sizeof(sections[0]),
	};
	status = manual_write(&manual, stdout, err);
	mem_free(list);
	return status;
}

static const struct help help = {
    .usage = "micro-model man",
    .about = "Writes the manual page micro-model(1), in the language of man(7).",
};

const struct command man_command = {
    .name = "man",
    .summary = "writes the manual page",
    .help = &help,
    .run = run,
};
