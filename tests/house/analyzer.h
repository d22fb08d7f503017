/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyzer.h - what clang's analyzer cannot see across files: err_set() and its like return the
 * code that they are given. Included before every file by tidy.sh; no build uses it.
 */
#ifndef TESTS_HOUSE_ANALYZER_H
#define TESTS_HOUSE_ANALYZER_H

#include "core/base/err.h"

#define err_set(err, code, ...)	   ((void)err_set(err, code, __VA_ARGS__), (code))
#define err_at(err, code, ...)	   ((void)err_at(err, code, __VA_ARGS__), (code))
#define err_errno(err, code, what) ((void)err_errno(err, code, what), (code))
#define err_no_memory(err, what)   ((void)err_no_memory(err, what), STATUS_NO_MEMORY)

#endif
