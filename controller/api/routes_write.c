/* Writing objects: create, replace, patch, delete.
 *
 * Objects are read strictly whatever `fieldValidation` says: a misspelt key that is dropped in
 * silence is how a node is put to sleep by mistake. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/body.h"
#include "controller/api/merge_patch.h"
#include "controller/api/routes.h"
#include "proto/base/array.h"

#define TRIES 5

/* --- common ------------------------------------------------------------------------------------
 */

/* dryRun and fieldValidation. False: one has a bad value, and the client has been told. */
static bool read_options(struct request *rq)
{
    const char *dry = httpd_query(rq->call, "dryRun"),
               *strict = httpd_query(rq->call, "fieldValidation");

    if (dry && *dry && strcmp(dry, "All") != 0) {
        request_fail(rq, 400, "dryRun: expected All, not \"%.40s\"", dry);
        return false;
    }
    if (strict && *strict && strcmp(strict, "Strict") != 0 && strcmp(strict, "Warn") != 0 &&
        strcmp(strict, "Ignore") != 0) {
        request_fail(rq, 400, "fieldValidation: expected Strict (the others are taken for it)");
        return false;
    }
    rq->dry_run = dry && *dry;
    return true;
}

/* Is rq->manifest what the path says? */
static bool fits_path(struct request *rq)
{
    const struct resource *resource = rq->route.resource;
    const struct manifest *m = rq->manifest;

    if (m->kind != resource->manifest) {
        request_fail(rq, 400, "kind: expected %s, not %s", resource->kind,
                     manifest_kind_name(m->kind));
        return false;
    }
    if (rq->route.name[0] && strcmp(m->meta.name, rq->route.name) != 0) {
        request_fail(rq, 400, "metadata.name: \"%.253s\" is not the name in the path, \"%.253s\"",
                     m->meta.name, rq->route.name);
        return false;
    }
    return true;
}

static void put(struct request *rq, bool create, void (*next)(struct request *rq))
{
    rq->event = (struct controller_event){ .kind = CE_PUT };
    rq->event.put.object = rq->manifest;
    rq->event.put.create_only = create;
    rq->event.put.replace_only = !create;
    rq->event.put.if_version = rq->manifest->meta.resource_version;
    rq->event.put.dry_run = rq->dry_run;
    rq->event.put.who = rq->by.who;
    request_submit(rq, next);
}

/* --- create and replace ------------------------------------------------------------------------
 */

static void put_body(struct request *rq, bool create)
{
    struct err e = ERR_INIT;
    int status;

    if (!read_options(rq))
        return;
    status = body_manifest(rq->call, &rq->manifest, &e);
    if (status)
        request_fail(rq, status, "%s", e.text);
    else if (!fits_path(rq))
        return;
    else if (create && rq->manifest->meta.resource_version)
        request_fail(rq, 400, "metadata.resourceVersion: not expected on a new object");
    else
        put(rq, create, request_forward);
}

void routes_create(struct request *rq)
{
    put_body(rq, true);
}

void routes_replace(struct request *rq)
{
    put_body(rq, false);
}

/* --- patch -------------------------------------------------------------------------------------
 */

static void patch_current(struct request *rq);

/* Somebody else was quicker: unless the client named a version, its patch holds for the new object
 * just as well. */
static void after_patch(struct request *rq)
{
    const json_t *meta = json_object_get(rq->patch, "metadata");

    if (rq->status == 409 && !json_is_string(json_object_get(meta, "resourceVersion")) &&
        ++rq->tries < TRIES)
        request_get(rq, rq->route.resource->plural, rq->route.name, patch_current);
    else
        request_forward(rq);
}

static void patch_current(struct request *rq)
{
    struct err e = ERR_INIT;
    const json_t *version;
    json_t *patched;
    int status;

    if (request_refused(rq))
        return;
    version = json_object_get(json_object_get(rq->object, "metadata"), "resourceVersion");
    patched = merge_patch(rq->object, rq->patch);
    manifest_free(rq->manifest);
    rq->manifest = NULL;
    status = body_check(patched, &rq->manifest, &e);
    json_decref(patched);
    if (status)
        request_fail(rq, status, "%s", e.text);
    if (status || !fits_path(rq))
        return;
    /* A patch may take the version away; never the check. */
    if (!rq->manifest->meta.resource_version && version)
        rq->manifest->meta.resource_version = strtoull(json_string_value(version), NULL, 10);
    put(rq, false, after_patch);
}

void routes_patch(struct request *rq)
{
    static const char type[] = "application/merge-patch+json";
    struct err e = ERR_INIT;
    int status;

    if (!read_options(rq))
        return;
    status = body_object(rq->call, type, false, &rq->patch, &e);
    if (status == 415)
        httpd_add_header(rq->call, "Accept-Patch", type);
    if (status)
        request_fail(rq, status, "%s", e.text);
    else
        request_get(rq, rq->route.resource->plural, rq->route.name, patch_current);
}

/* --- delete ------------------------------------------------------------------------------------
 */

static const json_t *precondition(const struct request *rq, const char *key)
{
    return json_object_get(json_object_get(rq->patch, "preconditions"), key);
}

/* Else it is a node: whether that may go only the core knows. */
static bool is_declared(const struct request *rq)
{
    return rq->route.resource->manifest != KIND_COUNT;
}

static void submit_delete(struct request *rq, uint64_t version)
{
    rq->event = (struct controller_event){ .kind = is_declared(rq) ? CE_DELETE : CE_REMOVE_NODE };
    rq->event.del.kind = rq->route.resource->manifest;
    rq->event.del.dry_run = rq->dry_run;
    rq->event.del.name = rq->route.name;
    rq->event.del.if_version = version;
    rq->event.del.who = rq->by.who;
    request_submit(rq, request_forward);
}

/* The object as it stands, where its uid matters or nothing is to happen. */
static void delete_current(struct request *rq)
{
    const json_t *meta = json_object_get(rq->object, "metadata");
    const char *version = json_string_value(json_object_get(meta, "resourceVersion")),
               *uid = json_string_value(json_object_get(meta, "uid")),
               *wanted_version = json_string_value(precondition(rq, "resourceVersion")),
               *wanted_uid = json_string_value(precondition(rq, "uid"));

    if (request_refused(rq))
        return;
    if ((wanted_uid && strcmp(wanted_uid, uid ? uid : "") != 0) ||
        (wanted_version && strcmp(wanted_version, version ? version : "") != 0))
        request_fail(rq, 409, "%s \"%s\" is not the one of the preconditions any more",
                     rq->route.resource->kind, rq->route.name);
    else if (rq->dry_run && is_declared(rq))
        request_forward(rq);
    else
        submit_delete(rq, version ? strtoull(version, NULL, 10) : 0);
}

/* ["All"] */
static bool is_all(const json_t *dry)
{
    const char *only = json_string_value(json_array_get(dry, 0));

    return json_array_size(dry) == 1 && only && strcmp(only, "All") == 0;
}

/* DeleteOptions: what does not apply here (nothing depends on these objects) is accepted, what is
 * unknown is not. */
static int read_delete_options(struct request *rq, struct err *e)
{
    static const char *const KEYS[] = { "apiVersion",        "kind",
                                        "preconditions",     "dryRun",
                                        "propagationPolicy", "orphanDependents",
                                        "gracePeriodSeconds" };
    static const char *const PRECONDITIONS[] = { "uid", "resourceVersion" };
    struct source from = { "", NULL };
    struct place top = { &from, NULL, NULL, 0, "" };
    struct place at = place_below(&top, rq->patch, "preconditions");
    json_t *value = json_object_get(rq->patch, "preconditions");
    json_t *dry = json_object_get(rq->patch, "dryRun");

    if (place_known_keys(&top, rq->patch, KEYS, ARRAY_LEN(KEYS), e) < 0 ||
        (value && !json_is_object(value) && place_wrong_type(&at, value, "a mapping", e) < 0) ||
        place_known_keys(&at, value, PRECONDITIONS, ARRAY_LEN(PRECONDITIONS), e) < 0)
        return 422;
    for (size_t i = 0; i < ARRAY_LEN(PRECONDITIONS); i++) {
        json_t *p = json_object_get(value, PRECONDITIONS[i]);

        if (p && !json_is_string(p)) {
            (void)err_set(e, -1, "preconditions.%s: expected a string", PRECONDITIONS[i]);
            return 422;
        }
    }
    if (dry && !is_all(dry)) {
        (void)err_set(e, -1, "dryRun: expected [\"All\"]");
        return 422;
    }
    rq->dry_run |= dry != NULL;
    return 0;
}

void routes_delete(struct request *rq)
{
    struct err e = ERR_INIT;
    int status;

    if (!read_options(rq))
        return;
    status = body_object(rq->call, "application/json", true, &rq->patch, &e);
    if (!status && rq->patch)
        status = read_delete_options(rq, &e);
    if (status)
        request_fail(rq, status, "%s", e.text);
    else if ((rq->dry_run && is_declared(rq)) || precondition(rq, "uid") ||
             precondition(rq, "resourceVersion"))
        request_get(rq, rq->route.resource->plural, rq->route.name, delete_current);
    else
        submit_delete(rq, 0);
}
