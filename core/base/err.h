/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - what went wrong, in words, for the person who can mend it.
 *
 * The caller owns a struct err and passes it down; the place that detects the
 * fault fills it, and callers on the way up wrap it with what they were doing:
 *   "load model m.safetensors: router.0.weight: shape [64, 12], want [64, 16]"
 */
#ifndef MICRO_BASE_ERR_H
#define MICRO_BASE_ERR_H

#include "core/base/status.h"

struct err {
	enum status code;
	char param[128];      /* JSON pointer of the fault in a request; "" if none */
	char msg[512];	      /* one line, '?' for control characters; cut between characters */
	unsigned retry_after; /* seconds after which it may pass; 0: nobody knows */
};

/**
 * err_set(err, code, format, ...): fill err (the rest is cleared) and return code,
 * so that a fault is one statement: return err_set(err, STATUS_..., "...").
 * A NULL err is allowed everywhere here: only the returned code is left then.
 */
enum status err_set(struct err *err, enum status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** err_at(err, code, param, format, ...): err_set with a JSON pointer. */
enum status err_at(struct err *err, enum status code, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/**
 * err_wrap(err, format, ...): put "format: " before the message; returns err's code, of
 * a NULL err STATUS_INTERNAL.
 */
enum status err_wrap(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** err_append(err, format, ...): put the text behind the message, as much of it as there is room.
 */
void err_append(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** err_retry_after(err, seconds): after err_set(), when the same may pass; rounded up, at least 1.
 */
void err_retry_after(struct err *err, double seconds);

/** err_no_memory(err, what): STATUS_NO_MEMORY, "out of memory for <what>". */
enum status err_no_memory(struct err *err, const char *what);

/** err_errno(err, code, what): "what: strerror(errno)". */
enum status err_errno(struct err *err, enum status code, const char *what);

#endif
