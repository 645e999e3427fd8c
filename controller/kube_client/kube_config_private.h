/* Kubeconfig files as they are read: what kube_config's parts tell each other. */
#ifndef HUDDLE_KUBE_CONFIG_PRIVATE_H
#define HUDDLE_KUBE_CONFIG_PRIVATE_H

#include <jansson.h>

#include "controller/kube_client/kube_config.h"
#include "proto/base/yaml.h"

struct kube_file {
    char *path;
    struct yaml_docs docs; /* none, or one */
};

struct kube_files { /* in their order */
    struct kube_file *files;
    size_t n_files, cap_files;
};

struct kube_entry { /* what stands in a file under a name */
    const struct kube_file *file;
    const json_t *value; /* a mapping; NULL: an empty one */
    char path[160];      /* "users[1].user", for messages */
};

/* -ENOENT when none of the files, names joined by ':', is there; one that is missing among others
 * is skipped, as kubectl does. */
int kube_files_read(struct kube_files *f, const char *names, struct err *e);
void kube_files_done(struct kube_files *f);

/* The first that is set and not empty, or NULL. */
const char *kube_files_text(const struct kube_files *f, const char *key);

/* Finds `name` in the list `list` ("clusters") under `key` ("cluster"): the first file that has it
 * wins. -ENOENT with the names that are there. */
int kube_files_find(const struct kube_files *f, const char *list, const char *key, const char *name,
                    struct kube_entry *ret_entry, struct err *e);

/* "file:line:column: users[1].user.KEY: " in front of e. */
int kube_entry_prefix(const struct kube_entry *in, const char *key, int code, struct err *e);

/* Texts that are absent are ""; -EINVAL for another type, or for control characters. *ret is a new
 * string (the old one is freed), a `path` is made relative to the folder of its file. */
int kube_entry_text(const struct kube_entry *in, const char *key, char **ret, struct err *e);
int kube_entry_path(const struct kube_entry *in, const char *key, char **ret, struct err *e);
int kube_entry_bool(const struct kube_entry *in, const char *key, bool *ret, struct err *e);
int kube_entry_list(const struct kube_entry *in, const char *key, struct string_list *ret,
                    struct err *e);
/* A mapping inside. *ret_entry has value NULL when it is absent. */
int kube_entry_inside(const struct kube_entry *in, const char *key, struct kube_entry *ret_entry,
                      struct err *e);

/* `KEY-data` (into *ret_fd) or `KEY`, both as a path. */
int kube_entry_pem(const struct kube_entry *in, const char *key, char **ret_path, int *ret_fd,
                   struct err *e);

/* The user's part of a configuration. */
int kube_config_user(struct kube_config *c, const struct kube_entry *user, struct err *e);

#endif
