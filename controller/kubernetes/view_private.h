/* Shared by the files of view. */
#ifndef HUDDLE_KUBERNETES_VIEW_PRIVATE_H
#define HUDDLE_KUBERNETES_VIEW_PRIVATE_H

#include "controller/kubernetes/view.h"

/* Member by dotted path ("spec.template"); NULL: absent, or null. */
const json_t *view_at(const json_t *object, const char *path);
char *view_copy(const json_t *object, const char *path);       /* a new string, "" when absent */
const char *view_word(const json_t *object, const char *path); /* borrowed, "" when absent */
int64_t view_integer(const json_t *object, const char *path, int64_t absent);
bool view_true(const json_t *object, const char *path);
bool view_condition(const json_t *object, const char *type);     /* status True */
void view_map(const json_t *object, struct string_map *ret_map); /* texts only */

/* -EINVAL without a name. */
int view_meta_read(const json_t *object, struct view_meta *ret_meta);
void view_meta_done(struct view_meta *m);

#endif
