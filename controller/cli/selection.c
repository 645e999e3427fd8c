/* Which objects a command line names: see selection.h. */
#include "controller/cli/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/selector.h"

/* The name of a pod, "NAMESPACE/POD", for the API; NULL: it is none. */
static const char *pod_name(struct selection *s, const struct kind *r, const char *word)
{
    const char *slash = strchr(word, '/');
    char *text;

    if (strcmp(r->plural, "replicas") != 0 || slash == word || !slash[1] || strchr(slash + 1, '/'))
        return NULL;
    text = *ARRAY_ADD(s, texts) = xstrdup(word);
    text[slash - word] = '.';
    return text;
}

static int add_pair(struct selection *s, const char *word, struct err *e)
{
    const char *slash = strchr(word, '/');
    AUTO(mem) char *kind = xstrdup(word);
    const struct kind *r;

    if (!slash)
        return err_set(e, -EINVAL, "\"%.60s\": expected KIND/NAME as the other words are", word);
    kind[slash - word] = '\0';
    r = kind_find(kind, e);
    if (!r)
        return -EINVAL;
    word = slash + 1;
    if (strchr(word, '/'))
        word = pod_name(s, r, word);
    if (!word || !*word)
        return err_set(e, -EINVAL, "\"%.60s/%.60s\": expected KIND/NAME", kind, slash + 1);
    *ARRAY_ADD(s, targets) = (struct target){ r, word };
    return 0;
}

static int add_kinds(struct selection *s, const char *words, struct err *e)
{
    AUTO(mem) char *text = xstrdup(words);
    char *rest = NULL;

    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        const struct kind *r = kind_find(word, e);

        if (!r)
            return -EINVAL;
        *ARRAY_ADD(s, targets) = (struct target){ r, NULL };
    }
    return s->n_targets ? 0 : err_set(e, -EINVAL, "expected a kind of object");
}

int selection_read(struct selection *s, const char *const *words, size_t n, struct err *e)
{
    const struct kind *r;
    int result = 0;

    if (n == 0)
        return err_set(e, -EINVAL, "expected a kind of object, like nodes");
    if (strchr(words[0], '/')) {
        for (size_t i = 0; i < n && result == 0; i++)
            result = add_pair(s, words[i], e);
        return result;
    }
    result = add_kinds(s, words[0], e);
    if (result < 0 || n == 1)
        return result;
    if (s->n_targets > 1)
        return err_set(e, -EINVAL, "names need one kind, not \"%.60s\"", words[0]);
    r = s->targets[0].kind;
    s->n_targets = 0;
    for (size_t i = 1; i < n; i++) {
        const char *name = strchr(words[i], '/') ? pod_name(s, r, words[i]) : words[i];

        if (!name)
            return err_set(e, -EINVAL, "\"%.60s\" is no name; write either %s NAME or %s/NAME",
                           words[i], r->singular, r->singular);
        *ARRAY_ADD(s, targets) = (struct target){ r, name };
    }
    return 0;
}

void selection_done(struct selection *s)
{
    for (size_t i = 0; i < s->n_texts; i++)
        free(s->texts[i]);
    free(s->texts);
    free(s->targets);
    *s = (struct selection){ 0 };
}

/* --- labels ------------------------------------------------------------------------------------
 */

int labels_check(const char *selector, struct err *e)
{
    AUTO(selector) struct selector *s = NULL;
    int r = selector_add_labels(&s, selector, e);

    return r < 0 ? err_prefix(e, r, "\"%.80s\" is no label selector", selector) : 0;
}

bool labels_match(const char *selector, const json_t *object)
{
    AUTO(selector) struct selector *s = NULL;

    return selector_add_labels(&s, selector, NULL) == 0 && selector_matches(s, object);
}
