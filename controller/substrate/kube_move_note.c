#include "controller/substrate/kube_move_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/surge.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define TRIES 5 /* against others who write the same status */

/* --- the body -----------------------------------------------------------------------------------
 */

static json_t *entry_of(const struct kube_move_note *n)
{
    char id[SURGE_ID_SIZE], deadline[CLOCK_TEXT_MAX];

    surge_id(n->uid, n->node, id);
    clock_format(n->deadline_wall_ms, deadline);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o*, s:o*, s:o*}", "id", id, "recipe",
                     recipe_name(n->way), "victim", n->pod, "victimUID", n->uid, "node", n->node,
                     "deadline", deadline, "leaderEpoch", (json_int_t)n->epoch, "base",
                     n->base ? json_integer(n->base) : NULL, "generation",
                     n->base ? json_integer(n->base_generation) : NULL, "target",
                     n->base ? json_integer(n->base + 1) : NULL);
}

json_t *kube_move_note_patch(const json_t *seen, const struct kube_move_note *n, bool stands)
{
    const json_t *before = view_at(seen, "status.moves");
    json_t *moves = json_array(), *entry;
    size_t i;

    json_array_foreach((json_t *)before, i, entry)
        if (strcmp(view_word(entry, "victimUID"), n->uid) != 0)
            json_array_append(moves, entry);
    if (!stands && json_array_size(moves) == json_array_size(before)) {
        json_decref(moves);
        return NULL;
    }
    if (stands)
        json_array_append_new(moves, entry_of(n));
    if (json_array_size(moves) == 0) {
        json_decref(moves);
        moves = json_null();
    }
    return json_pack("{s:{s:s, s:s}, s:{s:o}}", "metadata", "resourceVersion",
                     view_word(seen, "metadata.resourceVersion"), "uid",
                     view_word(seen, "metadata.uid"), "status", "moves", moves);
}

/* --- writing it ---------------------------------------------------------------------------------
 */

static char *path_of(const struct kube_capabilities *can, const struct kube_move_note *n)
{
    size_t suffix = strlen(n->namespace) + 1, length = strlen(n->model);
    AUTO(mem) char *name = xstrdup(n->model);

    if (length > suffix)
        name[length - suffix] = '\0';
    return kube_path(can, KUBE_SERVED_MODELS, n->namespace, name);
}

static int refused(const struct kube_move_note *n, const struct kube_status *status, struct err *e)
{
    return err_set(e,
                   status->reason == KUBE_NOT_FOUND   ? -ENOENT
                   : status->reason == KUBE_FORBIDDEN ? -EACCES
                                                      : -EAGAIN,
                   "servedmodel/%s cannot be told of the move: %s", n->model, status->message.text);
}

/* 1: somebody was quicker. */
static int write_once(struct kube_client *c, const char *path, const struct kube_move_note *n,
                      bool stands, int64_t not_after_ms, struct err *e)
{
    AUTO(strbuf) struct strbuf full = STRBUF_INIT;
    struct kube_request rq = { .method = "PATCH",
                               .content_type = KUBE_MERGE_PATCH,
                               .not_after_ms = not_after_ms };
    struct kube_status status = { 0 };
    json_t *seen = NULL, *body = NULL;
    int r = kube_fetch(c, &(struct kube_request){ .path = path }, &status, &seen, e);

    if (r == 0 && status.reason != KUBE_OK)
        r = refused(n, &status, e);
    if (r == 0)
        body = kube_move_note_patch(seen, n, stands);
    json_decref(seen);
    if (r < 0 || !body)
        return r;
    strbuf_printf(&full, "%s/status", path);
    rq.path = strbuf_text(&full);
    rq.body = body;
    r = kube_fetch(c, &rq, &status, NULL, e);
    json_decref(body);
    if (r < 0 || status.reason == KUBE_OK)
        return r;
    r = refused(n, &status, e);
    return status.reason == KUBE_CONFLICT ? 1 : r;
}

int kube_move_note_write(struct kube_client *c, const struct kube_capabilities *can,
                         const struct kube_move_note *n, bool stands, int64_t not_after_ms,
                         struct err *e)
{
    AUTO(mem) char *path = path_of(can, n);
    int r = 1;

    if (!path)
        return err_set(e, -ENOENT, "this cluster has no ServedModels");
    for (int i = 0; r > 0 && i < TRIES; i++)
        r = write_once(c, path, n, stands, not_after_ms, e);
    return r > 0 ? -EAGAIN : r;
}
