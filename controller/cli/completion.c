/* What may stand next: see completion.h. */
#include "controller/cli/completion.h"

#include <string.h>

#include "controller/cli/kind.h"
#include "controller/cli/verb.h"
#include "proto/base/array.h"

void completion_offer(struct strbuf *out, const char *before, const char *word, const char *prefix)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0)
        strbuf_printf(out, "%s%s\n", before, word);
}

static void offer_words(struct strbuf *out, const char *words, const char *prefix)
{
    while (*words) {
        size_t n = strcspn(words, " ");

        if (strncmp(words, prefix, strlen(prefix)) == 0)
            strbuf_printf(out, "%.*s\n", (int)n, words);
        words += n + (words[n] == ' ');
    }
}

/* --- options -----------------------------------------------------------------------------------
 */

static void offer_options(struct strbuf *out, option_set takes, const char *prefix)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (takes >> i & 1)
            completion_offer(out, "--", option_of((enum option_id)i)->name,
                             strncmp(prefix, "--", 2) == 0 ? prefix + 2 : prefix + 1);
}

/* The option that the word before stands for and that wants a value; N_OPTIONS: none. */
static size_t waiting_option(const char *word, option_set takes)
{
    size_t i = 0;

    for (; i < N_OPTIONS; i++) {
        const struct option *o = option_of((enum option_id)i);

        if (!(takes >> i & 1) || !o->value)
            continue;
        if (strncmp(word, "--", 2) == 0 ? strcmp(word + 2, o->name) == 0
                                        : word[0] == '-' && word[1] == o->letter && !word[2])
            break;
    }
    return i;
}

static void offer_values(struct strbuf *out, size_t id, const char *prefix)
{
    const char *choices = option_of((enum option_id)id)->choices;

    if (choices)
        offer_words(out, choices, prefix);
}

/* --- operands ----------------------------------------------------------------------------------
 */

static void offer_kinds(struct strbuf *out, bool removed, const char *prefix)
{
    for (const struct kind *r = kinds(); r->name; r++)
        if (r->removed || !removed)
            completion_offer(out, "", r->plural, prefix);
}

static void offer_operand(struct strbuf *out, const struct verb *v, const char *const *operands,
                          size_t n, const char *prefix, completion_names_fn *names, void *data)
{
    const struct kind *r;
    bool removed;
    struct err e;

    if (!v->completes || (v->most >= 0 && n >= (size_t)v->most))
        return;
    removed = strcmp(v->completes, "kinds to delete") == 0;
    if (strcmp(v->completes, "nodes") == 0) {
        names(data, "nodes", prefix, out);
    } else if (!removed && strcmp(v->completes, "kinds") != 0) {
        offer_words(out, v->completes, prefix);
    } else if (n == 0) {
        offer_kinds(out, removed, prefix);
    } else {
        r = kind_find(operands[0], &e);
        if (r)
            names(data, r->plural, prefix, out);
    }
}

/* --- all ---------------------------------------------------------------------------------------
 */

struct line { /* what stands before the last word */
    const struct verb *verb;
    struct options options;
    size_t words; /* of the verb */
};

/* Verbs, and the second words of those with two. */
static void offer_verbs(struct strbuf *out, const struct options *before, const char *prefix)
{
    for (const struct verb *v = verbs(); v->name; v++) {
        const char *blank = strchr(v->name, ' ');
        size_t n = blank ? (size_t)(blank - v->name) : strlen(v->name);

        if (*v->name == '_')
            continue;
        if (before->n_operands == 0 && strncmp(v->name, prefix, strlen(prefix)) == 0)
            strbuf_printf(out, "%.*s\n", (int)n, v->name);
        else if (before->n_operands == 1 && blank && strlen(before->operands[0]) == n &&
                 strncmp(v->name, before->operands[0], n) == 0)
            completion_offer(out, "", blank + 1, prefix);
    }
}

void completion_candidates(struct strbuf *out, const char *const *words, size_t n,
                           completion_names_fn *names, void *data)
{
    const char *last = n ? words[n - 1] : "", *before = n > 1 ? words[n - 2] : "";
    struct line line = { 0 };
    struct err e;
    option_set takes;

    /* A shell may split --output=json into three words. */
    if (strcmp(last, "=") == 0 || (strcmp(before, "=") == 0 && n > 2)) {
        before = words[n - (strcmp(last, "=") == 0 ? 2 : 3)];
        last = strcmp(last, "=") == 0 ? "" : last;
    }
    (void)options_read_words(&line.options, words, n ? n - 1 : 0, TAKES_ANY, &e);
    if (line.options.n_operands)
        line.verb = verb_find(&line.options, &line.words, &e);
    takes = verb_takes(line.verb);
    if (waiting_option(before, takes) < N_OPTIONS)
        offer_values(out, waiting_option(before, takes), last);
    else if (last[0] == '-')
        offer_options(out, takes, last);
    else if (!line.verb)
        offer_verbs(out, &line.options, last);
    else
        offer_operand(out, line.verb, line.options.operands + line.words,
                      line.options.n_operands - line.words, last, names, data);
    options_done(&line.options);
}

/* --- scripts -----------------------------------------------------------------------------------
 */

static const char BASH[] =
    "# bash completion of huddlectl: source <(huddlectl completion bash)\n"
    "_huddlectl() {\n"
    "    local line\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        COMPREPLY+=(\"$line\")\n"
    "    done < <(huddlectl __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -o default -F _huddlectl huddlectl\n";

static const char ZSH[] =
    "#compdef huddlectl\n"
    "# zsh completion of huddlectl: source <(huddlectl completion zsh)\n"
    "_huddlectl() {\n"
    "    local -a found\n"
    "    found=(\"${(@f)$(huddlectl __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    found=(${found:#})\n"
    "    if (( ${#found} )); then\n"
    "        compadd -a found\n"
    "    else\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "compdef _huddlectl huddlectl\n";

static const char FISH[] = "# fish completion of huddlectl: huddlectl completion fish | source\n"
                           "function __huddlectl_candidates\n"
                           "    set -l words (commandline -opc) (commandline -ct)\n"
                           "    huddlectl __complete -- $words[2..-1] 2>/dev/null\n"
                           "end\n"
                           "complete -c huddlectl -f -a '(__huddlectl_candidates)'\n"
                           "complete -c huddlectl -s f -l filename -r -F\n"
                           "complete -c huddlectl -l token-file -r -F\n"
                           "complete -c huddlectl -l ca -r -F\n"
                           "complete -c huddlectl -l config -r -F\n";

const char *completion_script(const char *shell)
{
    static const struct {
        const char *shell, *script;
    } SCRIPTS[] = { { "bash", BASH }, { "zsh", ZSH }, { "fish", FISH } };

    for (size_t i = 0; i < ARRAY_LEN(SCRIPTS); i++)
        if (strcmp(SCRIPTS[i].shell, shell) == 0)
            return SCRIPTS[i].script;
    return NULL;
}
