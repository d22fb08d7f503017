/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json/node.h"

#include <stdio.h>
#include <string.h>

static const struct node *follow(const struct node *node)
{
	return node->kind == NODE_LINK ? node->link : node;
}

static bool is_container(const struct node *node)
{
	return node->kind == NODE_ARRAY || node->kind == NODE_OBJECT;
}

const struct node *node_first(const struct node *container)
{
	return follow(container + 1);
}

const struct node *node_end(const struct node *container)
{
	return follow(container->end);
}

const struct node *node_next(const struct node *node)
{
	return is_container(node) ? node_end(node) : follow(node + 1);
}

const struct node *node_value(const struct node *name)
{
	return follow(name + 1);
}

bool node_is(const struct node *string, const char *text)
{
	size_t len = strlen(text);

	return string->n == len && memcmp(string->bytes, text, len) == 0;
}

const struct node *node_find(const struct node *object, const char *name)
{
	const struct node *field = node_first(object), *end = node_end(object);

	for (; field != end; field = node_next(node_value(field))) {
		if (node_is(field, name))
			return node_value(field);
	}
	return NULL;
}

size_t node_length(const struct node *node)
{
	return node->kind == NODE_FLOATS || node->kind == NODE_ARRAY ? node->n : 0;
}

const char *node_kind_text(const struct node *node)
{
	switch (node->kind) {
	case NODE_OBJECT:
		return "an object";
	case NODE_ARRAY:
	case NODE_FLOATS:
		return "an array";
	case NODE_STRING:
		return "a string";
	case NODE_NUMBER:
	case NODE_INTEGER:
		return "a number";
	case NODE_BOOL:
		return "a boolean";
	default:
		return "null";
	}
}

void node_pointer_add_index(char *out, size_t size, size_t i)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "/%zu", i);
}

/* RFC 6901: "~" is written "~0", "/" is written "~1". */
void node_pointer_add(char *out, size_t size, const char *name, size_t n)
{
	size_t len = strlen(out);

	if (len + 1 < size)
		out[len++] = '/';
	for (size_t i = 0; i < n && len + 2 < size; i++) {
		if (name[i] == '~' || name[i] == '/') {
			out[len++] = '~';
			out[len++] = name[i] == '~' ? '0' : '1';
		} else {
			out[len++] = name[i];
		}
	}
	out[len] = '\0';
}

/* Is node what value is, or within it? */
static bool holds(const struct node *value, const struct node *node)
{
	const struct node *end = node_next(value);

	for (; value != end; value = follow(value + 1)) {
		if (value == node)
			return true;
	}
	return false;
}

/* The child of container that holds node, with its step of the pointer; NULL: none does. */
static const struct node *step_down(const struct node *container, const struct node *node,
				    char *out, size_t size)
{
	const struct node *child = node_first(container), *end = node_end(container);

	for (size_t i = 0; child != end; i++) {
		const struct node *value =
		    container->kind == NODE_OBJECT ? node_value(child) : child;

		if (holds(value, node)) {
			if (value == child)
				node_pointer_add_index(out, size, i);
			else
				node_pointer_add(out, size, child->bytes, child->n);
			return value;
		}
		child = node_next(value);
	}
	return NULL;
}

void node_pointer(const struct node *root, const struct node *node, char *out, size_t size)
{
	out[0] = '\0';
	while (root != NULL && root != node && is_container(root))
		root = step_down(root, node, out, size);
}
