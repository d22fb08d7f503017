/* SPDX-License-Identifier: Apache-2.0 */
/* key_fixture.h - key files made by hand. */
#ifndef TESTS_UNIT_SERVER_KEY_FIXTURE_H
#define TESTS_UNIT_SERVER_KEY_FIXTURE_H

#include <stddef.h>

/** key_fixture_line(name, scopes, key, out): the line of a key file that lets key in, with
 * its newline; out [256]. */
void key_fixture_line(const char *name, unsigned scopes, const char *key, char *out);

/** key_fixture_write(path, text): the file holds this and nothing else. */
void key_fixture_write(const char *path, const char *text);

#endif
