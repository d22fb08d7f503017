/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json/tree.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/json/decimal.h"
#include "core/json/field_set.h"
#include "core/json/quoted.h"
#include "core/json/syntax_fault.h"

#define CHUNK_FIRST   64   /* nodes */
#define CHUNK_MAX     1024 /* nodes */
#define SCRATCH_FIRST 4096 /* numbers */
#define FEW_FIELDS    16   /* names that are compared one by one */

/* An object with more than FEW_FIELDS fields that is still open. */
struct large_object {
	struct large_object *outer;
	const struct node *object;
	struct field_set *names;
};

/*
 * Invariants: 1. p is in [text, end], and *end is NUL, so that nothing reads past it.
 *             2. next <= limit, and there is room for a NODE_LINK at limit.
 *             3. the end of an open container is the container around it, NULL for the root.
 */
struct parser {
	const char *text, *end;
	const char *p;
	struct arena *arena;
	struct err *err;
	bool integers;		   /* tree_parse_integers() */
	struct node *next, *limit; /* nodes that are free */
	size_t chunk;		   /* nodes to ask for next */
	struct node *open;	   /* the innermost container; NULL: none */
	unsigned depth;		   /* containers that are open */
	struct large_object *large;
	float *scratch; /* [n_scratch]: numbers of an array whose length is not known yet */
	size_t n_scratch;
};

/* ---- faults ---- */

/* parser->err says what; at is where. */
static enum status locate(const struct parser *parser, const char *at)
{
	return syntax_locate(parser->text, parser->end, at, parser->err);
}

static enum status fault(const struct parser *parser, const char *at, const char *text)
{
	err_set(parser->err, STATUS_MALFORMED, "%s", text);
	return locate(parser, at);
}

/* What stands at p is not what must be there. */
static enum status unexpected(const struct parser *parser, const char *want)
{
	return syntax_unexpected(parser->text, parser->end, parser->p, want, parser->err);
}

static enum status no_memory(const struct parser *parser)
{
	return err_no_memory(parser->err, "a JSON text");
}

/* ---- nodes ---- */

static bool add_chunk(struct parser *parser)
{
	struct node *chunk = arena_array(parser->arena, parser->chunk + 1, sizeof(*chunk));

	if (chunk == NULL)
		return false;
	if (parser->next != NULL)
		*parser->next = (struct node){.kind = NODE_LINK, .link = chunk};
	parser->next = chunk;
	parser->limit = chunk + parser->chunk;
	if (parser->chunk < CHUNK_MAX)
		parser->chunk *= 2;
	return true;
}

/* A zeroed node after all others; NULL without memory. */
static struct node *add_node(struct parser *parser, enum node_kind kind)
{
	if (parser->next == parser->limit && !add_chunk(parser))
		return NULL;
	parser->next->kind = kind;
	return parser->next++;
}

static bool is_number_start(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

static void skip_space(struct parser *parser)
{
	while (decimal_is_space(*parser->p))
		parser->p++;
}

/* ---- scalars ---- */

/* The string that begins with the quote at p. */
static enum status read_string(struct parser *parser, bool is_name, struct node **node_out)
{
	struct quoted quoted;
	enum quoted_fault wrong = quoted_scan(parser->p + 1, parser->end, &quoted);
	struct node *node;

	if (wrong != QUOTED_OK)
		return fault(parser, quoted.end, quoted_fault_text(wrong));
	if (quoted.nul != NULL && (is_name || parser->integers))
		return fault(parser, quoted.nul, quoted_fault_text(QUOTED_NUL));
	node = add_node(parser, NODE_STRING);
	if (node == NULL)
		return no_memory(parser);
	node->bytes = quoted.begin;
	node->n = (uint32_t)(quoted.end - quoted.begin);
	if (quoted.escaped) {
		char *bytes = arena_bytes(parser->arena, node->n);

		if (bytes == NULL)
			return no_memory(parser);
		node->n = (uint32_t)quoted_decode(&quoted, bytes);
		node->bytes = bytes;
	}
	parser->p = quoted.end + 1;
	*node_out = node;
	return STATUS_OK;
}

/* The exact value of an integer of 64 bits; false if it is none. */
static bool take_integer(const struct decimal *decimal, int64_t *out)
{
	if (!decimal->integer || decimal->exponent != 0 || decimal->digits > INT64_MAX)
		return false;
	*out = decimal->negative ? -(int64_t)decimal->digits : (int64_t)decimal->digits;
	return true;
}

static enum status read_number(struct parser *parser)
{
	struct decimal decimal;
	enum decimal_fault wrong = decimal_scan(parser->p, parser->end, &decimal);
	struct node *node;

	if (wrong == DECIMAL_LEADING_ZERO)
		return fault(parser, decimal.end, "a number begins with 0, want no digit after it");
	if (wrong == DECIMAL_NO_DIGIT) {
		parser->p = decimal.end;
		return unexpected(parser, "a digit");
	}
	node = add_node(parser, NODE_NUMBER);
	if (node == NULL)
		return no_memory(parser);
	if (parser->integers && take_integer(&decimal, &node->integer))
		node->kind = NODE_INTEGER;
	else if (!decimal_double(&decimal, &node->number))
		return fault(parser, parser->p,
			     "number overflow, want a magnitude of at most 1.7976931348623157e308");
	parser->p = decimal.end;
	return STATUS_OK;
}

/* true, false or null, and no letter after it. */
static enum status read_word(struct parser *parser)
{
	static const struct {
		const char *word;
		enum node_kind kind;
		bool truth;
	} words[] = {
	    {"true", NODE_BOOL, true}, {"false", NODE_BOOL, false}, {"null", NODE_NULL, false}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);
		struct node *node;

		if (strncmp(parser->p, words[i].word, len) != 0)
			continue;
		node = add_node(parser, words[i].kind);
		if (node == NULL)
			return no_memory(parser);
		node->truth = words[i].truth;
		parser->p += len;
		return STATUS_OK;
	}
	return unexpected(parser, "a JSON value");
}

/* ---- arrays of numbers ---- */

static bool grow_scratch(struct parser *parser)
{
	size_t n = parser->n_scratch == 0 ? SCRATCH_FIRST : 2 * parser->n_scratch;
	float *scratch = mem_grow(parser->scratch, parser->n_scratch, n, sizeof(*scratch));

	if (scratch == NULL)
		return false;
	parser->scratch = scratch;
	parser->n_scratch = n;
	return true;
}

static enum status add_floats(struct parser *parser, size_t n)
{
	struct node *node = add_node(parser, NODE_FLOATS);
	float *floats = node == NULL ? NULL : arena_floats(parser->arena, n);

	if (floats == NULL)
		return no_memory(parser);
	memcpy(floats, parser->scratch, n * sizeof(*floats));
	node->floats = floats;
	node->n = (uint32_t)n;
	return STATUS_OK;
}

/* The numbers from p to a closing bracket into scratch; 0: there is something else. */
static enum status scan_floats(struct parser *parser, const char **p, size_t *n_out)
{
	size_t n = 0;

	for (;;) {
		size_t room, got;

		if (n == parser->n_scratch && !grow_scratch(parser))
			return no_memory(parser);
		room = parser->n_scratch - n;
		got = decimal_read_floats(p, parser->end, parser->scratch + n, room);
		n += got;
		if (**p != ',' || got < room)
			break;
		for (++*p; decimal_is_space(**p);)
			++*p;
	}
	*n_out = **p == ']' ? n : 0;
	return STATUS_OK;
}

/* The array that begins with the bracket at p, if it is one of numbers that fit; else p is
 * where it was, and what is wrong is found by the way of all other arrays. */
static enum status try_floats(struct parser *parser, bool *done_out)
{
	const char *p = parser->p + 1;
	enum status status;
	size_t n = 0;

	*done_out = false;
	while (decimal_is_space(*p))
		p++;
	if (!is_number_start(*p) || parser->depth + 2 > TREE_DEPTH_MAX)
		return STATUS_OK;
	status = scan_floats(parser, &p, &n);
	if (status != STATUS_OK || n == 0)
		return status;
	*done_out = true;
	parser->p = p + 1;
	return add_floats(parser, n);
}

/* ---- objects ---- */

/* From now on the names of the innermost object, all there are, are in a set. */
static enum status open_large(struct parser *parser)
{
	struct large_object *large = mem_array(1, sizeof(*large));
	const struct node *name = node_first(parser->open);

	if (large == NULL)
		return no_memory(parser);
	large->object = parser->open;
	large->outer = parser->large;
	parser->large = large;
	large->names = field_set_new();
	if (large->names == NULL)
		return no_memory(parser);
	for (uint32_t i = 0; i < parser->open->n; i++) {
		if (field_set_add(large->names, name) != FIELD_SET_ADDED)
			return no_memory(parser);
		name = node_next(node_value(name));
	}
	return STATUS_OK;
}

static void close_large(struct parser *parser)
{
	struct large_object *large = parser->large;

	parser->large = large->outer;
	field_set_free(large->names);
	mem_free(large);
}

static bool is_among_few(const struct node *object, const struct node *name)
{
	const struct node *other = node_first(object);

	for (uint32_t i = 0; i < object->n; i++) {
		if (other->n == name->n && memcmp(other->bytes, name->bytes, name->n) == 0)
			return true;
		other = node_next(node_value(other));
	}
	return false;
}

static enum status duplicate(const struct parser *parser, const char *at, const struct node *name)
{
	err_set(parser->err, STATUS_MALFORMED,
		"duplicate field \"%.*s\", want each name once in an object",
		(int)(name->n < 64 ? name->n : 64), name->bytes);
	return locate(parser, at);
}

/* Is the name the first of its kind in the innermost object? */
static enum status check_name(struct parser *parser, const char *at, const struct node *name)
{
	enum field_set_outcome outcome = FIELD_SET_ADDED;

	if (parser->open->n < FEW_FIELDS)
		return is_among_few(parser->open, name) ? duplicate(parser, at, name) : STATUS_OK;
	if (parser->large == NULL || parser->large->object != parser->open) {
		enum status status = open_large(parser);

		if (status != STATUS_OK)
			return status;
	}
	assert(parser->large != NULL && parser->large->names != NULL);
	outcome = field_set_add(parser->large->names, name);
	if (outcome == FIELD_SET_NO_MEMORY)
		return no_memory(parser);
	return outcome == FIELD_SET_DUPLICATE ? duplicate(parser, at, name) : STATUS_OK;
}

/* "name": of the innermost object. */
static enum status read_name(struct parser *parser)
{
	const char *at = parser->p;
	struct node *name;
	enum status status;

	if (*at != '"')
		return unexpected(parser, parser->open->n == 0 ? "a field's name in quotes or '}'"
							       : "a field's name in quotes");
	status = read_string(parser, true, &name);
	if (status == STATUS_OK)
		status = check_name(parser, at, name);
	if (status != STATUS_OK)
		return status;
	skip_space(parser);
	if (*parser->p != ':')
		return unexpected(parser, "':' after a field's name");
	parser->p++;
	return STATUS_OK;
}

/* ---- containers ---- */

static char closing(const struct node *container)
{
	return container->kind == NODE_OBJECT ? '}' : ']';
}

static void close_container(struct parser *parser)
{
	struct node *container = parser->open;

	if (parser->large != NULL && parser->large->object == container)
		close_large(parser);
	parser->open = (struct node *)container->end;
	parser->depth--;
	container->end = parser->next;
	parser->p++;
}

/* The container that begins at p; *whole_out: it is empty, and closed again. */
static enum status open_container(struct parser *parser, enum node_kind kind, bool *whole_out)
{
	struct node *container = add_node(parser, kind);

	if (container == NULL)
		return no_memory(parser);
	container->end = parser->open;
	parser->open = container;
	parser->depth++;
	parser->p++;
	skip_space(parser);
	*whole_out = *parser->p == closing(container);
	if (*whole_out) {
		close_container(parser);
		return STATUS_OK;
	}
	return kind == NODE_OBJECT ? read_name(parser) : STATUS_OK;
}

/* The value at p; *whole_out: all of it has been read, otherwise its first child comes next. */
static enum status read_value(struct parser *parser, bool *whole_out)
{
	struct node *string;
	enum status status;

	*whole_out = true;
	skip_space(parser);
	if (parser->depth == TREE_DEPTH_MAX) {
		err_set(parser->err, STATUS_MALFORMED, "nested too deep, want at most %d levels",
			TREE_DEPTH_MAX);
		return locate(parser, parser->p);
	}
	switch (*parser->p) {
	case '{':
		return open_container(parser, NODE_OBJECT, whole_out);
	case '[':
		*whole_out = false;
		status = parser->integers ? STATUS_OK : try_floats(parser, whole_out);
		if (status != STATUS_OK || *whole_out)
			return status;
		return open_container(parser, NODE_ARRAY, whole_out);
	case '"':
		return read_string(parser, false, &string);
	default:
		return is_number_start(*parser->p) ? read_number(parser) : read_word(parser);
	}
}

/* What follows a whole value: the ends of containers, then a comma, or nothing. */
static enum status read_after(struct parser *parser)
{
	while (parser->open != NULL) {
		struct node *open = parser->open;

		open->n++;
		skip_space(parser);
		if (*parser->p == ',') {
			parser->p++;
			skip_space(parser);
			return open->kind == NODE_OBJECT ? read_name(parser) : STATUS_OK;
		}
		if (*parser->p != closing(open))
			return unexpected(parser,
					  open->kind == NODE_OBJECT ? "',' or '}'" : "',' or ']'");
		close_container(parser);
	}
	return STATUS_OK;
}

static enum status read_all(struct parser *parser)
{
	enum status status;
	bool whole;

	do {
		status = read_value(parser, &whole);
		if (status == STATUS_OK && whole)
			status = read_after(parser);
	} while (status == STATUS_OK && parser->open != NULL);
	if (status != STATUS_OK)
		return status;
	skip_space(parser);
	return parser->p == parser->end ? STATUS_OK : unexpected(parser, "the end of the text");
}

static enum status parse(const char *text, size_t len, bool integers, struct arena *arena,
			 const struct node **root_out, struct err *err)
{
	struct parser parser = {
	    .text = text,
	    .end = text + len,
	    .p = text,
	    .arena = arena,
	    .err = err,
	    .integers = integers,
	    .chunk = CHUNK_FIRST,
	};
	enum status status;

	assert(len == 0 || text[len] == '\0');
	if (len == 0)
		return err_set(err, STATUS_MALFORMED,
			       "line 1, column 1: the text is empty, want a JSON value");
	if (len > UINT32_MAX)
		return err_set(err, STATUS_TOO_LARGE, "%zu bytes of JSON, want at most %" PRIu32,
			       len, UINT32_MAX);
	status = add_chunk(&parser) ? STATUS_OK : no_memory(&parser);
	*root_out = parser.next;
	if (status == STATUS_OK)
		status = read_all(&parser);
	while (parser.large != NULL)
		close_large(&parser);
	mem_free(parser.scratch);
	return status;
}

enum status tree_parse(const char *text, size_t len, struct arena *arena,
		       const struct node **root_out, struct err *err)
{
	return parse(text, len, false, arena, root_out, err);
}

enum status tree_parse_integers(const char *text, size_t len, struct arena *arena,
				const struct node **root_out, struct err *err)
{
	return parse(text, len, true, arena, root_out, err);
}
