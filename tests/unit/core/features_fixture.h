/* SPDX-License-Identifier: Apache-2.0 */
/* features_fixture.h - features files made by hand, in the folder of folder_fixture.h. */
#ifndef TESTS_UNIT_FEATURES_FIXTURE_H
#define TESTS_UNIT_FEATURES_FIXTURE_H

#include <stddef.h>

/**
 * features_file(name, header, data, len): a safetensors file of that JSON header and data;
 * its path as folder_path().
 */
const char *features_file(const char *name, const char *header, const void *data, size_t len);

#endif
