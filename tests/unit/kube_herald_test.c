/* Whom an event of the core regards as an Event of Kubernetes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/substrate/kube_herald.h"

static struct kube_event about(char *kind, char *name, char *pod, char *reason, char scratch[512])
{
    struct effect e = { .kind = FX_EVENT };
    struct kube_event event;

    e.event.kind = kind;
    e.event.name = name;
    e.event.pod = pod;
    e.event.reason = reason;
    e.event.message = (char[]){ "m" };
    assert_true(kube_herald_event(&e, "u-1", scratch, &event));
    return event;
}

#define ABOUT(kind, name, pod, reason) \
    about((char[]){ kind }, (char[]){ name }, pod, (char[]){ reason }, scratch)

static void assert_regards(const struct kube_event *e, const char *api, const char *kind,
                           const char *namespace, const char *name, const char *uid)
{
    assert_string_equal(e->regarding.api_version, api);
    assert_string_equal(e->regarding.kind, kind);
    assert_string_equal(e->regarding.namespace, namespace);
    assert_string_equal(e->regarding.name, name);
    assert_string_equal(e->regarding.uid, uid);
}

static void each_kind_has_its_object(void **state)
{
    char scratch[512], pod[] = "shop/web-1";
    struct kube_event e;

    (void)state;
    e = ABOUT("node", "n1", NULL, "WouldSleep");
    assert_regards(&e, "v1", "Node", "", "n1", "n1");
    assert_string_equal(e.action, "Sleep");
    e = ABOUT("replica", "uid-7", pod, "WouldMove");
    assert_regards(&e, "v1", "Pod", "shop", "web-1", "uid-7");
    assert_string_equal(e.action, "Move");
    e = ABOUT("servedmodel", "chat.v2.shop", NULL, "TargetNotFound");
    assert_regards(&e, "huddle.energy/v1alpha1", "ServedModel", "shop", "chat.v2", "u-1");
    assert_string_equal(e.action, "Observe");
    e = ABOUT("powerpool", "a.b", NULL, "X");
    assert_regards(&e, "huddle.energy/v1alpha1", "PowerPool", "", "a.b", "u-1");
    e = ABOUT("powerpolicy", "p", NULL, "WindowOpened");
    assert_regards(&e, "huddle.energy/v1alpha1", "PowerPolicy", "", "p", "u-1");
}

static void a_pod_of_anybody(void **state)
{
    char scratch[512], kind[] = "pod", name[] = "shop/web-1", uid[] = "uid-7",
                       text[] = "WakeWithheld";
    struct effect e = { .kind = FX_EVENT };
    struct kube_event event;

    (void)state;
    e.event.kind = kind;
    e.event.name = name;
    e.event.reason = e.event.message = text;
    assert_false(
        kube_herald_event(&e, "", scratch, &event)); /* describe finds it by its uid alone */
    e.event.uid = uid;
    assert_true(kube_herald_event(&e, "", scratch, &event));
    assert_regards(&event, "v1", "Pod", "shop", "web-1", "uid-7");
    assert_string_equal(event.action, "Wake");
}

static void what_kubernetes_has_not_is_no_event(void **state)
{
    char scratch[512], cluster[] = "cluster", replica[] = "replica", model[] = "servedmodel";
    struct effect e = { .kind = FX_EVENT };
    struct kube_event event;

    (void)state;
    e.event.name = e.event.reason = e.event.message = (char[]){ "x" };
    e.event.kind = cluster;
    assert_false(kube_herald_event(&e, "", scratch, &event));
    e.event.kind = replica; /* of no pod */
    assert_false(kube_herald_event(&e, "", scratch, &event));
    e.event.kind = model; /* of no namespace */
    assert_false(kube_herald_event(&e, "", scratch, &event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_object),
        cmocka_unit_test(a_pod_of_anybody),
        cmocka_unit_test(what_kubernetes_has_not_is_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
