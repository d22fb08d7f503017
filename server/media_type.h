/* SPDX-License-Identifier: Apache-2.0 */
/* media_type.h - what a Content-Type header says of a body. */
#ifndef MICRO_SERVER_MEDIA_TYPE_H
#define MICRO_SERVER_MEDIA_TYPE_H

#define LINES_CONTENT_TYPE "application/x-ndjson"

enum media_type {
	MEDIA_JSON,	   /* application/json, application/<anything>+json, or nothing said */
	MEDIA_SAFETENSORS, /* application/vnd.safetensors */
	MEDIA_LINES,	   /* LINES_CONTENT_TYPE */
	MEDIA_OTHER,
};

/** media_type_of(content_type): NULL is a header that is not there; parameters are ignored. */
enum media_type media_type_of(const char *content_type);

#endif
