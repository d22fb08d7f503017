/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/edit_distance.h"

#define HELP_WIDTH  80
#define HELP_INDENT 6
#define RANGE_TEXT  160 /* bytes that hold any range or list of choices */

/* Where a value came from, for messages: "--port 70000" or "MICROD_PORT=70000". */
struct origin {
	const char *prefix; /* "--" or "" */
	const char *name;
	const char *separator; /* " " or "=" */
};

/* ---- what a value may be, in words ---- */

static void limit_text(enum option_type type, double limit, char *out, size_t size)
{
	static const char *const units[] = {"", "K", "M", "G"};
	size_t unit = 0;

	if (type == OPTION_SIZE) {
		while (unit < 3 && limit >= 1024 && fmod(limit, 1024) == 0) {
			limit /= 1024;
			unit++;
		}
	}
	snprintf(out, size, type == OPTION_REAL ? "%g%s" : "%.0f%s", limit, units[unit]);
}

/* "static, linear or mlp" */
static void choices_text(const char *const *choices, char out[RANGE_TEXT])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; choices[i] != NULL && len < RANGE_TEXT; i++) {
		const char *link = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
		int n = snprintf(out + len, RANGE_TEXT - len, "%s%s", link, choices[i]);

		len += (size_t)n;
	}
}

/* "0 to 65535", or the choices */
static void range_text(const struct option_spec *spec, char out[RANGE_TEXT])
{
	char min[32], max[32];

	if (spec->type == OPTION_CHOICE) {
		choices_text(spec->choices, out);
		return;
	}
	limit_text(spec->type, spec->min, min, sizeof(min));
	limit_text(spec->type, spec->max, max, sizeof(max));
	snprintf(out, RANGE_TEXT, "%s to %s", min, max);
}

static enum status refuse(const struct option_spec *spec, struct origin origin, const char *text,
			  struct err *err)
{
	static const char *const wanted[] = {
	    [OPTION_STRING] = "a text whose length in bytes is ",
	    [OPTION_INT] = "a whole number, ",
	    [OPTION_SIZE] = "a size such as 512K or 64M, ",
	    [OPTION_REAL] = "a number, ",
	    [OPTION_FLAG] = "0, 1, true or false",
	    [OPTION_CHOICE] = "",
	};
	char range[RANGE_TEXT] = "";

	if (spec->type != OPTION_FLAG)
		range_text(spec, range);
	return err_set(err, STATUS_USAGE, "%s%s%s%s: want %s%s", origin.prefix, origin.name,
		       origin.separator, text, wanted[spec->type], range);
}

/* ---- text to value ---- */

static bool in_range(const struct option_spec *spec, double value)
{
	return value >= spec->min && value <= spec->max;
}

/* text as a whole number, suffix K, M or G allowed if it is a size; false if it is none */
static bool parse_integer(const char *text, bool is_size, int64_t *value_out)
{
	int64_t factor = 1;
	long long value;
	char *end;

	if (isspace((unsigned char)text[0]))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || errno != 0)
		return false;
	if (is_size && *end != '\0') {
		const char *unit = strchr("KMG", *end);

		if (unit == NULL)
			return false;
		factor = (int64_t)1 << (10 * (unit - "KMG" + 1));
		end++;
	}
	return *end == '\0' && !__builtin_mul_overflow(value, factor, value_out);
}

static bool parse_real(const char *text, double *value_out)
{
	char *end;

	if (isspace((unsigned char)text[0]))
		return false;
	*value_out = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*value_out);
}

static bool parse_flag(const char *text, bool *value_out)
{
	bool is_true = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
	bool is_false = strcmp(text, "0") == 0 || strcmp(text, "false") == 0;

	if (is_true || is_false)
		*value_out = is_true;
	return is_true || is_false;
}

static bool parse_choice(const char *text, const char *const *choices, int *value_out)
{
	for (int i = 0; choices[i] != NULL; i++) {
		if (strcmp(text, choices[i]) == 0) {
			*value_out = i;
			return true;
		}
	}
	return false;
}

/* text into the option's field; false, and the field as it was, if it does not fit. */
static bool store(const struct option_spec *spec, const char *text, void *field)
{
	int64_t integer;
	double real;

	switch (spec->type) {
	case OPTION_STRING:
		if (!in_range(spec, (double)strlen(text)))
			return false;
		*(const char **)field = text;
		return true;
	case OPTION_INT:
	case OPTION_SIZE:
		if (!parse_integer(text, spec->type == OPTION_SIZE, &integer) ||
		    !in_range(spec, (double)integer))
			return false;
		*(int64_t *)field = integer;
		return true;
	case OPTION_REAL:
		if (!parse_real(text, &real) || !in_range(spec, real))
			return false;
		*(double *)field = real;
		return true;
	case OPTION_FLAG:
		return parse_flag(text, field);
	case OPTION_CHOICE:
		return parse_choice(text, spec->choices, field);
	}
	return false;
}

static void *field_of(const struct option_spec *spec, void *config)
{
	return (char *)config + spec->offset;
}

/* ---- the three sources ---- */

static void set_default(const struct option_spec *spec, void *config)
{
	void *field = field_of(spec, config);

	if (spec->default_text != NULL) {
		bool fits = store(spec, spec->default_text, field);

		assert(fits);
		(void)fits;
	} else if (spec->type == OPTION_STRING) {
		*(const char **)field = NULL;
	} else if (spec->type == OPTION_FLAG) {
		*(bool *)field = false;
	}
}

static enum status read_environment(const struct option_spec *spec, void *config, struct err *err)
{
	const char *text = spec->env == NULL ? NULL : getenv(spec->env);

	if (text == NULL || text[0] == '\0' || store(spec, text, field_of(spec, config)))
		return STATUS_OK;
	return refuse(spec, (struct origin){"", spec->env, "="}, text, err);
}

static const struct option_spec *find_option(const struct option_spec *specs, size_t n_specs,
					     const char *name)
{
	for (size_t i = 0; i < n_specs; i++) {
		if (strcmp(name, specs[i].name) == 0)
			return &specs[i];
	}
	return NULL;
}

static enum status refuse_unknown(const struct option_spec *specs, size_t n_specs, const char *name,
				  struct err *err)
{
	const char *nearest = specs[0].name;

	for (size_t i = 1; i < n_specs; i++) {
		if (edit_distance(name, specs[i].name) < edit_distance(name, nearest))
			nearest = specs[i].name;
	}
	return err_set(err, STATUS_USAGE, "unknown option --%s, the nearest one is --%s", name,
		       nearest);
}

/* argv[*i], an option, and its value; *i goes to the last argument used. */
static enum status read_option(const struct option_spec *specs, size_t n_specs, char **argv, int *i,
			       void *config, struct err *err)
{
	const char *argument = argv[*i] + 2;
	int len = (int)strcspn(argument, "=");
	const char *value = argument[len] == '=' ? argument + len + 1 : NULL;
	const struct option_spec *spec;
	char name[EDIT_DISTANCE_MAX + 1];

	snprintf(name, sizeof(name), "%.*s", len, argument);
	spec = find_option(specs, n_specs, name);
	if (spec == NULL)
		return refuse_unknown(specs, n_specs, name, err);
	if (spec->type == OPTION_FLAG) {
		if (value != NULL)
			return err_set(err, STATUS_USAGE, "--%s takes no value", name);
		*(bool *)field_of(spec, config) = true;
		return STATUS_OK;
	}
	/* argv ends with NULL */
	if (value == NULL && argv[*i + 1] != NULL && strncmp(argv[*i + 1], "--", 2) != 0)
		value = argv[++*i];
	if (value == NULL)
		return err_set(err, STATUS_USAGE, "--%s needs a value: --%s %s", name, name,
			       spec->value_name);
	if (!store(spec, value, field_of(spec, config)))
		return refuse(spec, (struct origin){"--", name, " "}, value, err);
	return STATUS_OK;
}

static enum status read_arguments(const struct option_spec *specs, size_t n_specs, int argc,
				  char **argv, void *config, const char **positionals_out,
				  size_t *n_positionals_out, struct err *err)
{
	bool options_end = false;
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		enum status status;

		if (!options_end && strcmp(argv[i], "--") == 0) {
			options_end = true;
			continue;
		}
		if (!options_end && strncmp(argv[i], "--", 2) == 0) {
			status = read_option(specs, n_specs, argv, &i, config, err);
			if (status != STATUS_OK)
				return status;
			continue;
		}
		if (positionals_out == NULL)
			return err_set(err, STATUS_USAGE,
				       "unexpected argument %s; options begin with --", argv[i]);
		positionals_out[n++] = argv[i];
	}
	if (positionals_out != NULL)
		*n_positionals_out = n;
	return STATUS_OK;
}

static enum status check_required(const struct option_spec *spec, void *config, struct err *err)
{
	if (!spec->required || *(const char **)field_of(spec, config) != NULL)
		return STATUS_OK;
	if (spec->env == NULL)
		return err_set(err, STATUS_USAGE, "--%s %s is required", spec->name,
			       spec->value_name);
	return err_set(err, STATUS_USAGE, "--%s %s (or %s in the environment) is required",
		       spec->name, spec->value_name, spec->env);
}

enum status options_parse(const struct option_spec *specs, size_t n_specs, int argc, char **argv,
			  void *config, const char **positionals_out, size_t *n_positionals_out,
			  struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_specs; i++)
		set_default(&specs[i], config);
	for (size_t i = 0; i < n_specs && status == STATUS_OK; i++)
		status = read_environment(&specs[i], config, err);
	if (status == STATUS_OK)
		status = read_arguments(specs, n_specs, argc, argv, config, positionals_out,
					n_positionals_out, err);
	for (size_t i = 0; i < n_specs && status == STATUS_OK; i++)
		status = check_required(&specs[i], config, err);
	return status;
}

bool options_ask_for(int argc, char **argv, const char *flag)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], flag) == 0)
			return true;
	}
	return false;
}

bool options_given(int argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *rest = argv[i] + 2 + len;

		if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i] + 2, name, len) == 0 &&
		    (*rest == '\0' || *rest == '='))
			return true;
	}
	return false;
}

/* ---- --help ---- */

/* " label text."; a line break is shown as \n */
static void add_note(char text[OPTION_TEXT_MAX], const char *label, const char *value)
{
	size_t len = strlen(text);

	len += (size_t)snprintf(text + len, OPTION_TEXT_MAX - len, " %s", label);
	for (; *value != '\0' && len + 4 < OPTION_TEXT_MAX; value++) {
		if (*value == '\n')
			text[len++] = '\\';
		text[len++] = (char)(*value == '\n' ? 'n' : *value);
	}
	assert(*value == '\0');
	text[len++] = '.';
	text[len] = '\0';
}

void option_describe(const struct option_spec *spec, char text_out[OPTION_TEXT_MAX])
{
	bool has_range = spec->type != OPTION_STRING && spec->type != OPTION_FLAG;
	char range[RANGE_TEXT];

	snprintf(text_out, OPTION_TEXT_MAX, "%s%s", spec->help, spec->required ? " Required." : "");
	if (has_range) {
		range_text(spec, range);
		add_note(text_out, spec->type == OPTION_CHOICE ? "One of: " : "Range: ", range);
	}
	if (spec->default_text != NULL)
		add_note(text_out, "Default: ", spec->default_text);
	if (spec->env != NULL)
		add_note(text_out, "Environment: ", spec->env);
}

/* Words from the margin on, HELP_WIDTH columns at most. */
static void wrap(FILE *out, const char *text)
{
	int column = 0;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (column > HELP_INDENT && column + 1 + len > HELP_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = fprintf(out, "%*s%.*s", HELP_INDENT, "", len, text);
		else
			column += fprintf(out, " %.*s", len, text);
		text += len + (text[len] == ' ');
	}
}

static void option_help(const struct option_spec *spec, FILE *out)
{
	char text[OPTION_TEXT_MAX];

	fprintf(out, "  --%s%s%s\n", spec->name, spec->value_name != NULL ? " " : "",
		spec->value_name != NULL ? spec->value_name : "");
	option_describe(spec, text);
	wrap(out, text);
	fputs("\n\n", out);
}

void options_help(const struct option_spec *specs, size_t n_specs, FILE *out)
{
	for (size_t i = 0; i < n_specs; i++)
		option_help(&specs[i], out);
}
