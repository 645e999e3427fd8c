/* Certificates and keys that are not in files, as files: sealed memory that only this process
 * opens, for libcurl's GnuTLS build does not take them from memory. Private to kube_client. */
#ifndef HUDDLE_KUBE_MEMFD_H
#define HUDDLE_KUBE_MEMFD_H

#include <stddef.h>

#include "proto/base/err.h"

/* *ret_path, "/proc/self/fd/N", is the caller's to free; it ends with the descriptor. */
int kube_memfd(const void *bytes, size_t n, int *ret_fd, char **ret_path, struct err *e);

/* Of base64 (RFC 4648, padded; line breaks are skipped). -EINVAL for anything else. */
int kube_memfd_base64(const char *text, int *ret_fd, char **ret_path, struct err *e);

#endif
