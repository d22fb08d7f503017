/* SPDX-License-Identifier: Apache-2.0 */
#include "core/compare/method.h"

#include <stdio.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * In the order of "all". Each with its own paper's way to adapt; DRM's (Luo et al.,
 * arXiv 2502.13131) is HyRe's.
 */
static const struct compare_method presets[] = {
    {"bt", OBJECTIVE_BT, ADAPT_NONE},
    {"static", OBJECTIVE_STATIC, ADAPT_HEDGE},
    {"ensemble", OBJECTIVE_ENSEMBLE, ADAPT_HYRE},
    {"drm", OBJECTIVE_DRM, ADAPT_HYRE},
    {"attributes", OBJECTIVE_ATTRIBUTES, ADAPT_HEDGE},
    {"micro", OBJECTIVE_MICRO, ADAPT_HEDGE},
    {"lore", OBJECTIVE_LORE, ADAPT_LORE},
    {"panel", OBJECTIVE_PANEL, ADAPT_HEDGE},
};

static bool is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

static bool find_objective(const char *word, size_t len, enum objective *objective_out)
{
	for (int i = OBJECTIVE_AUTO + 1; i < N_OBJECTIVES; i++) {
		*objective_out = (enum objective)i;
		if (is_word(word, len, objective_name(*objective_out)))
			return true;
	}
	return false;
}

static bool find_adapt(const char *word, size_t len, enum adapt_method *adapt_out)
{
	for (int i = 0; i < N_ADAPT_METHODS; i++) {
		*adapt_out = (enum adapt_method)i;
		if (is_word(word, len, adapt_name(*adapt_out)))
			return true;
	}
	return false;
}

static bool find_method(const char *word, size_t len, struct compare_method *method_out)
{
	const char *plus = memchr(word, '+', len);
	size_t head = plus == NULL ? 0 : (size_t)(plus - word);

	for (size_t i = 0; i < LENGTH(presets); i++) {
		*method_out = presets[i];
		if (is_word(word, len, presets[i].name))
			return true;
	}
	if (plus == NULL || !find_objective(word, head, &method_out->objective) ||
	    !find_adapt(plus + 1, len - head - 1, &method_out->adapt))
		return false;
	snprintf(method_out->name, sizeof(method_out->name), "%.*s", (int)len, word);
	return true;
}

static enum status add_method(const char *word, size_t len, struct compare_methods *methods,
			      struct err *err)
{
	struct compare_method method;

	if (!find_method(word, len, &method))
		return err_set(err, STATUS_INVALID_VALUE,
			       "%.*s: want all, bt, static, ensemble, drm, attributes, micro, lore "
			       "or panel, or an objective and a way to adapt, such as micro+lore",
			       len > 64 ? 64 : (int)len, word);
	for (size_t i = 0; i < methods->n; i++) {
		if (strcmp(methods->method[i].name, method.name) == 0)
			return err_set(err, STATUS_INVALID_VALUE, "%s is there twice", method.name);
	}
	if (methods->n == COMPARE_MAX_METHODS)
		return err_set(err, STATUS_INVALID_VALUE, "want at most %d methods",
			       COMPARE_MAX_METHODS);
	methods->method[methods->n++] = method;
	return STATUS_OK;
}

enum status compare_methods_parse(const char *list, struct compare_methods *methods_out,
				  struct err *err)
{
	enum status status = STATUS_OK;

	*methods_out = (struct compare_methods){.all = strcmp(list, "all") == 0};
	if (methods_out->all) {
		for (size_t i = 0; i < LENGTH(presets); i++)
			methods_out->method[methods_out->n++] = presets[i];
		return STATUS_OK;
	}
	for (const char *word = list; status == STATUS_OK; word++) {
		size_t len = strcspn(word, ",");

		status = add_method(word, len, methods_out, err);
		word += len;
		if (*word == '\0')
			break;
	}
	return status;
}

void compare_method_describe(const struct compare_method *method, char *out, size_t size)
{
	static const char *const adapts[] = {
	    [ADAPT_HEDGE] = "each feedback is a Hedge step on the user's weights",
	    [ADAPT_NONE] = "feedback changes nothing",
	    [ADAPT_HYRE] = "heads are reweighted by the user's pairs that they get wrong (HyRe)",
	    [ADAPT_LORE] = "a user's weights are fitted to their pairs by gradient (LoRe)",
	};

	snprintf(out, size, "%s; %s.", objective_summary(method->objective), adapts[method->adapt]);
}

enum status compare_method_options(const struct compare_method *method, const struct dataset *train,
				   size_t n_heads, size_t epochs, struct train_options *options_out,
				   struct err *err)
{
	enum status status;

	train_defaults(method->objective, options_out);
	if (options_out->n_heads > 1)
		options_out->n_heads = n_heads;
	if (epochs > 0 && options_out->epochs > 0)
		options_out->epochs = epochs;
	status = train_settle(train, options_out, err);
	if (status != STATUS_OK)
		err_wrap(err, "%s", method->name);
	return status;
}
