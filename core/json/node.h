/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - the values of a parsed JSON text, and the ways through them.
 *
 *   for (const struct node *field = node_first(object); field != node_end(object);
 *        field = node_next(node_value(field)))
 *
 * visits the fields of an object, whose names are nodes too; without node_value() the same
 * visits the elements of an array.
 */
#ifndef MICRO_JSON_NODE_H
#define MICRO_JSON_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind {
	NODE_NULL,
	NODE_BOOL,
	NODE_NUMBER,
	NODE_INTEGER, /* of tree_parse_integers() only */
	NODE_STRING,
	NODE_FLOATS, /* an array of one number or more that all fit a float32 */
	NODE_ARRAY,  /* any other */
	NODE_OBJECT,
	NODE_LINK, /* never a value: the nodes go on elsewhere */
};

/*
 * Nodes stand in the order of the text, as many together as the parser got memory for at
 * once; an object's names each before their value.
 * Invariant: first child, next and end of a container are found with the functions below.
 */
struct node {
	enum node_kind kind;
	uint32_t n; /* bytes of a string; numbers, elements or fields */
	union {
		bool truth;
		int64_t integer;
		double number;		/* correctly rounded, finite */
		const char *bytes;	/* [n] valid UTF-8 without U+0000, no NUL at its end */
		const float *floats;	/* [n], each correctly rounded; aligned as arena_floats() */
		const struct node *end; /* array, object: what follows all that is in it */
		const struct node *link; /* NODE_LINK: where the nodes go on */
	};
};

/** node_first(container), node_end(container): its first child and what follows the last, of
 * a NODE_ARRAY or NODE_OBJECT; the same if there is none. */
const struct node *node_first(const struct node *container);
const struct node *node_end(const struct node *container);

/** node_next(node): the next sibling, or node_end() of the container. */
const struct node *node_next(const struct node *node);

/** node_value(name): the value of the field with that name. */
const struct node *node_value(const struct node *name);

/** node_find(object, name): the value of a field, NULL if there is no such field. */
const struct node *node_find(const struct node *object, const char *name);

/** node_is(string, text): is the NODE_STRING that text? */
bool node_is(const struct node *string, const char *text);

/** node_length(array): elements of a NODE_FLOATS or NODE_ARRAY, 0 of others. */
size_t node_length(const struct node *node);

/** node_kind_text(node): "an object", "an array", "a string", "a number", "a boolean", "null". */
const char *node_kind_text(const struct node *node);

/**
 * node_pointer(root, node, out, size): JSON pointer (RFC 6901) of the node within root, such
 * as "/items/3/user"; cut to size, which is at least 1. Looks at all before it: for faults.
 */
void node_pointer(const struct node *root, const struct node *node, char *out, size_t size);

/** node_pointer_add(out, size, name, len), node_pointer_add_index(out, size, i): append. */
void node_pointer_add(char *out, size_t size, const char *name, size_t len);
void node_pointer_add_index(char *out, size_t size, size_t i);

#endif
