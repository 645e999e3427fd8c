/* Pods of one owner keep once what they have alike; what differs in anything stays its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/substrate/kube_pod_share.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_object.h"

struct kept {
    struct view_pod view;
    struct kube_pod_shared shared;
};

/* The rest may replace what is given, for the last one of two members counts. */
static struct kept keep(struct kube_pod_share *s, const char *name, const char *meta,
                        const char *spec, const char *status)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;
    struct kept k = { 0 };
    json_t *o;

    strbuf_printf(
        &b,
        "{'metadata':{'name':'%s','namespace':'a','uid':'u-%s','labels':{'app':'x'},"
        "'ownerReferences':[{'kind':'ReplicaSet','name':'r','uid':'u-r','controller':true}]%s},"
        "'spec':{'nodeName':'n','containers':[{'resources':{'requests':{'cpu':'1'}}}],"
        "'tolerations':[{'key':'t','operator':'Exists'}]%s},'status':{'phase':'Running'%s}}",
        name, name, meta, spec, status);
    o = object(strbuf_text(&b));
    assert_int_equal(view_pod_read(o, &k.view), 0);
    json_decref(o);
    kube_pod_share_take(s, &k.view, &k.shared);
    return k;
}

static void pods_of_one_owner_share(void **state)
{
    struct kube_pod_share s = { 0 };
    struct kept a = keep(&s, "a", "", "", ""), b = keep(&s, "b", "", "", "");

    (void)state;
    assert_ptr_equal(a.view.toleration, b.view.toleration);
    assert_ptr_equal(a.view.meta.namespace, b.view.meta.namespace);
    assert_ptr_equal(a.view.meta.labels.pair, b.view.meta.labels.pair);
    assert_string_equal(a.view.meta.name, "a");
    assert_string_equal(b.view.meta.uid, "u-b");
    kube_pod_share_give(&s, &a.view, &a.shared);
    assert_string_equal(b.view.meta.owner.name, "r"); /* as long as one of them is there */
    assert_int_equal(amounts_get(&b.view.requests, "cpu"), 1000);
    kube_pod_share_give(&s, &b.view, &b.shared);
    assert_int_equal(s.likes.n_items, 0);
    assert_int_equal(s.labels.n_items, 0);
    kube_pod_share_give(&s, &b.view, &b.shared); /* nothing any more */
    kube_pod_share_done(&s);
}

static void what_differs_is_not_shared(void **state)
{
    static const struct {
        const char *meta, *spec, *status;
        bool labels; /* differ, and nothing else */
    } CASES[] = {
        { ",'labels':{'app':'y'}", "", "", true },
        { ",'labels':{'app':'x','b':'c'}", "", "", true },
        { ",'namespace':'b'", "", "", false },
        { ",'annotations':{'huddle.energy/a':'b'}", "", "", false },
        { ",'ownerReferences':[]", "", "", false },
        { "", "", ",'phase':'Pending'", false },
        { "", "", ",'nominatedNodeName':'m'", false },
        { "", "", ",'reason':'Evicted'", false },
        { "", ",'schedulerName':'huddle'", "", false },
        { "", ",'nodeSelector':{'a':'b'}", "", false },
        { "", ",'containers':[{'resources':{'requests':{'cpu':'2'}}}]", "", false },
        { "", ",'overhead':{'memory':'1Mi'}", "", false },
        { "", ",'tolerations':[]", "", false },
        { "", ",'tolerations':[{'key':'t','operator':'Equal'}]", "", false },
        { "", ",'tolerations':[{'key':'t','operator':'Exists','effect':'NoExecute'}]", "", false },
        { "", ",'tolerations':[{'key':'t','operator':'Exists','value':'v'}]", "", false },
        { "", ",'affinity':{'nodeAffinity':{}}", "", false },
        { "", ",'topologySpreadConstraints':[{'topologyKey':'z'}]", "", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct kube_pod_share s = { 0 };
        struct kept a = keep(&s, "a", "", "", "");
        struct kept b = keep(&s, "b", CASES[i].meta, CASES[i].spec, CASES[i].status);

        if ((a.shared.labels == b.shared.labels) == CASES[i].labels ||
            (a.shared.like == b.shared.like) != CASES[i].labels)
            fail_msg("%s%s%s", CASES[i].meta, CASES[i].spec, CASES[i].status);
        kube_pod_share_give(&s, &a.view, &a.shared);
        kube_pod_share_give(&s, &b.view, &b.shared);
        kube_pod_share_done(&s);
    }
}

/* Of two that ask alike but for one word: whose words are compared one by one. */
static void a_constraint_is_compared_whole(void **state)
{
    static const char *const CASES[] = {
        "'topologyKey':'y'",
        "'topologyKey':'z','maxSkew':2",
        "'topologyKey':'z','minDomains':2",
        "'topologyKey':'z','whenUnsatisfiable':'ScheduleAnyway'",
        "'topologyKey':'z','nodeTaintsPolicy':'Honor'",
        "'topologyKey':'z','nodeAffinityPolicy':'Ignore'",
        "'topologyKey':'z','matchLabelKeys':['pod-template-hash']",
        "'topologyKey':'z','labelSelector':{}",
        "'topologyKey':'z','labelSelector':{'matchLabels':{'a':'c'}}",
        "'topologyKey':'z','labelSelector':{'matchExpressions':[{'key':'a','operator':'Exists'}]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct kube_pod_share s = { 0 };
        struct kept a = keep(&s, "a", "",
                             ",'topologySpreadConstraints':[{'topologyKey':'z','labelSelector':"
                             "{'matchLabels':{'a':'b'}}}]",
                             "");
        AUTO(strbuf) struct strbuf spec = STRBUF_INIT;
        struct kept b;

        strbuf_printf(
            &spec, ",'topologySpreadConstraints':[{%s%s}]",
            strstr(CASES[i], "labelSelector") ? "" : "'labelSelector':{'matchLabels':{'a':'b'}},",
            CASES[i]);
        b = keep(&s, "b", "", strbuf_text(&spec), "");
        if (a.view.spread == b.view.spread)
            fail_msg("shared: %s", CASES[i]);
        kube_pod_share_give(&s, &a.view, &a.shared);
        kube_pod_share_give(&s, &b.view, &b.shared);
        kube_pod_share_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_of_one_owner_share),
        cmocka_unit_test(what_differs_is_not_shared),
        cmocka_unit_test(a_constraint_is_compared_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
