/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_vfs.h - SQLite's file layer, with one more promise, that what is deleted
 * is gone from the file, and a write-ahead log that is quickly made durable. Private to
 * store_sqlite*.c.
 *
 * PRAGMA secure_delete overwrites a row that is deleted. But when SQLite divides a
 * full B-tree page, or merges two, the rows that move to another page leave their
 * old copies in what has become unallocated space of the page, and nothing ever
 * overwrites those. This layer writes zeros for the unallocated space of every
 * B-tree page of a database file (sqlite.org/fileformat2.html, section 1.6).
 *
 * It tells a B-tree page by its first byte, 2, 5, 10 or 13. Any other page of our
 * databases begins with a page number of four bytes, whose first byte is 0 or 1 for
 * databases of up to VFS_MAX_PAGES pages, or with zeros; that holds without
 * auto_vacuum only. The writer's pragmas see to both.
 *
 * When a file has become longer, fdatasync() makes the file system commit its journal, too; where
 * bytes were replaced, only these are written, in a third to a half of the time (ext4). So the
 * log grows by a MiB of zeros at once, which SQLite takes for its end.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_VFS_H
#define MICRO_SERVER_STORE_SQLITE_VFS_H

#include <stdbool.h>

#define VFS_NAME      "micro"  /* for sqlite3_open_v2() */
#define VFS_MAX_PAGES 33554431 /* 128 GiB of 4 KiB */

/** vfs_register(): make the layer known to SQLite, once; false without memory. Any thread. */
bool vfs_register(void);

#endif
