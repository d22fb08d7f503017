/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field_set.h - the names of one object's fields, to find a second of the same name at once
 * however many there are. Hashed with a secret key: nobody can send names that collide.
 */
#ifndef MICRO_JSON_FIELD_SET_H
#define MICRO_JSON_FIELD_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/json/node.h"

struct field_set;

/** field_set_new(): an empty set, NULL without memory; field_set_free() releases it. */
struct field_set *field_set_new(void);

/** field_set_free(set): NULL does nothing. */
void field_set_free(struct field_set *set);

enum field_set_outcome { FIELD_SET_ADDED, FIELD_SET_DUPLICATE, FIELD_SET_NO_MEMORY };

/** field_set_add(set, name): name, a NODE_STRING, outlives the set. */
enum field_set_outcome field_set_add(struct field_set *set, const struct node *name);

#endif
