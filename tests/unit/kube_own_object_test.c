/* huddle's own objects as Kubernetes has them: their names in the core, and what is read of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "controller/substrate/kube_object.h"
#include "tests/unit/kube_object.h"

#define SERVER                                                                                     \
    "'uid':'u','resourceVersion':'x12','generation':3,'creationTimestamp':'2026-01-01T00:00:00Z'," \
    "'managedFields':[{'manager':'kubectl'}],'annotations':{'a':'b'}"

static void a_model_is_called_with_its_namespace(void **state)
{
    AUTO(manifest) struct manifest *m = NULL;
    char name[KUBE_OBJECT_NAME];
    struct err e = ERR_INIT;
    json_t *o = object("{'apiVersion':'huddle.energy/v1alpha1','kind':'ServedModel','metadata':"
                       "{'name':'chat','namespace':'a','labels':{'team':'t'}," SERVER "},'spec':"
                       "{'targetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'w'}},"
                       "'status':{'ready':1}}");

    (void)state;
    if (kube_object_read(o, KIND_SERVED_MODEL, &m, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(m->meta.name, "chat.a");
    assert_string_equal(m->meta.namespace, "a");
    assert_string_equal(string_map_get(&m->meta.labels, "team"), "t");
    assert_int_equal(m->meta.annotations.n, 0);
    assert_int_equal(m->meta.resource_version, 0); /* not a number of ours */
    assert_string_equal(m->model.target.name, "w");
    kube_object_name(o, KIND_SERVED_MODEL, name);
    assert_string_equal(name, "chat.a");
    kube_object_key(&(struct kube_key){ "a", "chat", "u" }, KIND_SERVED_MODEL, name);
    assert_string_equal(name, "chat.a");
    kube_object_key(&(struct kube_key){ "", "rack", "u" }, KIND_POWER_POOL, name);
    assert_string_equal(name, "rack");
    json_decref(o);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *o = object("{'kind':'PowerPool','metadata':{'name':'rack'},'spec':{'spares':1}}");

    (void)state;
    assert_int_equal(kube_object_read(o, KIND_POWER_POOL, &m, &e), -EINVAL);
    assert_null(m);
    assert_non_null(strstr(e.text, "rack"));
    assert_non_null(strstr(e.text, "spec.spares: unknown field; did you mean \"spare\""));
    json_decref(o);
}

static void a_pool_that_goes_is_released(void **state)
{
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *o = object("{'kind':'PowerPool','metadata':{'name':'rack','deletionTimestamp':"
                       "'2026-11-27T08:00:00Z'},'spec':{'mode':'act'}}");

    (void)state;
    assert_int_equal(kube_object_read(o, KIND_POWER_POOL, &m, &e), 0);
    assert_int_equal(m->pool.mode, POOL_MODE_RELEASE);
    manifest_free(m);
    json_decref(o);
}

/* Only this one may be run. */
static int admit(void *data, const struct manifest *m, struct err *e)
{
    (void)data;
    if (strcmp(m->pool.driver.type, "none") == 0 ||
        strcmp(m->pool.driver.program, "/opt/allowed") == 0)
        return 0;
    return err_set(e, -EPERM, "spec.driver.program: not allowed");
}

#define EXEC(program) "'driver':{'type':'exec','program':'" program "'}"

static const struct {
    const char *spec, *program; /* "": no driver is left */
    bool selects;               /* a node with label a=b */
} RELEASED[] = {
    { "'selector':{'a':'b'}," EXEC("/opt/other"), "", true },
    { "'selector':{'a':'b'}," EXEC("/opt/allowed"), "/opt/allowed", true },
    { "'selector':{'a':'b'},'spares':1," EXEC("/opt/allowed"), "/opt/allowed", true },
    { "'selector':7," EXEC("/opt/allowed"), "/opt/allowed", false },
    { "'selector':{'a':'c'},'driver':[]", "", false },
    { "'spares':1", "", true }, /* no selector: all nodes */
};

static void a_pool_that_is_refused_is_given_back_with_what_is_left_of_it(void **state)
{
    char text[600], name[] = "a", value[] = "b";
    struct string_pair pair = { name, value };
    const struct string_map labels = { &pair, 1 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RELEASED); i++) {
        struct manifest *m;
        json_t *o;

        (void)snprintf(
            text, sizeof(text),
            "{'kind':'PowerPool','metadata':{'name':'rack'},'spec':{'mode':'release',%s}}",
            RELEASED[i].spec);
        o = object(text);
        assert_true(kube_object_is_released(o));
        m = kube_object_release(o, admit, NULL);
        assert_non_null(m);
        assert_string_equal(m->meta.name, "rack");
        assert_int_equal(m->pool.mode, POOL_MODE_RELEASE);
        assert_string_equal(m->pool.driver.type, RELEASED[i].program[0] ? "exec" : "none");
        assert_string_equal(m->pool.driver.program, RELEASED[i].program);
        assert_int_equal(string_map_selects(&m->pool.selector, &labels), RELEASED[i].selects);
        manifest_free(m);
        json_decref(o);
    }
}

static void only_some_pools_are_given_back(void **state)
{
    json_t *acts = object("{'metadata':{'name':'p'},'spec':{'mode':'act'}}"),
           *none = object("{'metadata':{'name':'p'}}"),
           *goes = object("{'metadata':{'name':'p','deletionTimestamp':'2026-11-27T08:00:00Z'}}");

    (void)state;
    assert_false(kube_object_is_released(acts));
    assert_false(kube_object_is_released(none));
    assert_true(kube_object_is_released(goes));
    json_decref(acts);
    json_decref(none);
    json_decref(goes);
}

static void names_are_kept_once(void **state)
{
    struct kube_objects o = { 0 };

    (void)state;
    kube_objects_add(&o, "a");
    kube_objects_add(&o, "b");
    kube_objects_add(&o, "a");
    assert_int_equal(o.n, 2);
    kube_objects_remove(&o, "a");
    kube_objects_remove(&o, "c");
    assert_int_equal(o.n, 1);
    assert_true(kube_objects_has(&o, "b"));
    assert_false(kube_objects_has(&o, "a"));
    kube_objects_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_called_with_its_namespace),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(a_pool_that_goes_is_released),
        cmocka_unit_test(a_pool_that_is_refused_is_given_back_with_what_is_left_of_it),
        cmocka_unit_test(only_some_pools_are_given_back),
        cmocka_unit_test(names_are_kept_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
