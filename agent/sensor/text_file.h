/* Small text files of /proc and /sys, read without trust: never blocks on a FIFO, never follows a
 * directory, never reads more than the buffer. Numbers are read strictly: what is not a number is
 * an error and not 0. */
#ifndef HUDDLE_TEXT_FILE_H
#define HUDDLE_TEXT_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Opens a regular file for reading (and writing) with O_CLOEXEC on a descriptor above 2. Returns
 * it, or -errno (-EINVAL for what is no regular file). */
int text_file_open(const char *path);
int text_file_open_rw(const char *path);

/* Reads the file from its start into `buf`, NUL-terminated. Returns the length, or -errno; -EFBIG
 * when it does not fit (the first size - 1 bytes are in `buf` nevertheless). */
int text_file_pread(int fd, char *buf, size_t size);
/* The same in one system call, for files of /proc, cgroups and sysfs that are read over and over:
 * the kernel gives such a text whole, or as much of it as fits. */
int text_file_glance(int fd, char *buf, size_t size);
int text_file_read(const char *path, char *buf, size_t size);

/* As text_file_read, into a heap string that grows to at most `limit` bytes; the caller frees
 * *ret_text. */
int text_file_read_all(const char *path, size_t limit, char **ret_text);
/* text_file_glance() into a buffer that the caller keeps for the next time, and that grows to at
 * most `limit` bytes; *text is NULL at first. */
int text_file_glance_all(int fd, size_t limit, char **text, size_t *size);

/* One decimal number with nothing but white space behind it. 0, or -EINVAL; -ERANGE. */
int text_u64(const char *text, uint64_t *ret_value);
int text_file_u64(const char *path, uint64_t *ret_value);

/* Reads a one-line file and makes it safe to show: printable ASCII, cut at size, no line end. */
int text_file_line(const char *path, char *buf, size_t size);

#endif
