/* The program: finds the verb, reads its options, runs it, and turns what went wrong into one line
 * and an exit code (0 done, 1 failed, 2 usage). */
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "proto/base/clock.h"

int cli_fail(const struct err *e)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

    text_safe(&safe, e->text);
    (void)fprintf(stderr, strncmp(e->text, "from server", 11) == 0 ? "Error %s\n" : "error: %s\n",
                  strbuf_text(&safe));
    return EXIT_FAILED;
}

int cli_usage(const struct cli *c, const char *format, ...)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT, safe = STRBUF_INIT;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&text, format, ap);
    va_end(ap);
    text_safe(&safe, strbuf_text(&text));
    (void)fprintf(stderr, "error: %s\nSee '%s%s%s --help'.\n", strbuf_text(&safe), c->program,
                  c->verb ? " " : "", c->verb ? c->verb->name : "");
    return EXIT_USAGE;
}

void cli_print(const struct strbuf *text)
{
    (void)fputs(strbuf_text(text), stdout);
}

#define PLUGIN "kubectl huddle"

static bool is_given(const struct cli *c, enum option_id id)
{
    return options_get(&c->options, id) != NULL;
}

static bool through_kubernetes(const struct cli *c)
{
    const char *server = getenv("HUDDLE_SERVER");

    return is_given(c, OPT_DOOR_KUBECONFIG) || is_given(c, OPT_DOOR_CONTEXT) ||
           is_given(c, OPT_ACCOUNT) ||
           (strcmp(c->program, PLUGIN) == 0 && !is_given(c, OPT_SERVER) &&
            !is_given(c, OPT_CONFIG) && !(server && *server));
}

int cli_open_session(struct cli *c, struct err *e)
{
    if (c->session.server)
        return 0;
    if (!through_kubernetes(c))
        return session_open(&c->options, &c->session, e);
    if (is_given(c, OPT_SERVER) || is_given(c, OPT_CONFIG) || is_given(c, OPT_CA))
        return err_set(
            e, -EINVAL,
            "--server, --config and --ca lead to the controller itself, --kubeconfig, "
            "--context and --account through the API server of Kubernetes: take one way");
    if (is_given(c, OPT_ACCOUNT) && (is_given(c, OPT_TOKEN) || is_given(c, OPT_TOKEN_FILE)))
        return err_set(e, -EINVAL, "--account and a token both say who asks: give one of the two");
    return session_open_kube(&c->options, &c->session, e);
}

int cli_connect(struct cli *c)
{
    struct err e = ERR_INIT;

    return cli_open_session(c, &e) < 0 ? cli_fail(&e) : 0;
}

/* --- one run -----------------------------------------------------------------------------------
 */

static int show_help(struct cli *c)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    verb_help(&text, c->verb, c->program, c->colour);
    cli_print(&text);
    return EXIT_DONE;
}

static void drop_words(struct options *o, size_t n)
{
    memmove(o->operands, o->operands + n, (o->n_operands - n) * sizeof(*o->operands));
    o->n_operands -= n;
}

/* `help VERB` and `VERB --help` say the same. */
static int find_verb(struct cli *c, int argc, char **argv, bool *ret_help, size_t *ret_words,
                     struct err *e)
{
    struct err unused = ERR_INIT;
    struct options all = { 0 };
    int r = options_read(&all, argc, argv, TAKES_ANY, e);
    size_t words = 0;

    *ret_help = options_on(&all, OPT_HELP) || (r == 0 && all.n_operands == 0);
    if (r == 0 && all.n_operands && strcmp(all.operands[0], "help") == 0) {
        *ret_help = true;
        drop_words(&all, 1);
    }
    if (all.n_operands && r == 0) {
        c->verb = verb_find(&all, &words, e);
        r = c->verb ? 0 : -EINVAL;
    } else if (all.n_operands) {
        c->verb = verb_find(&all, &words, &unused); /* its own options decide what is wrong */
        r = c->verb ? 0 : r;
    }
    options_done(&all);
    *ret_words = words;
    return r;
}

static int run(struct cli *c, int argc, char **argv)
{
    struct err e = ERR_INIT;
    size_t words = 0;
    bool help = false;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)puts("huddlectl " HUDDLE_VERSION);
        return EXIT_DONE;
    }
    if (find_verb(c, argc, argv, &help, &words, &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (help || !c->verb)
        return show_help(c);
    if (options_read(&c->options, argc, argv, verb_takes(c->verb), &e) < 0)
        return cli_usage(c, "%s", e.text);
    drop_words(&c->options, words);
    if ((int)c->options.n_operands < c->verb->least)
        return cli_usage(c, "%s needs %s", c->verb->name, c->verb->operands);
    if (c->verb->most >= 0 && (int)c->options.n_operands > c->verb->most)
        return cli_usage(c, "%s: \"%.60s\" is too much; expected %s", c->verb->name,
                         c->options.operands[c->verb->most],
                         *c->verb->operands ? c->verb->operands : "no word");
    return c->verb->run(c);
}

static bool colours_wanted(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static const char *program_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash ? slash + 1 : path, "kubectl-huddle") == 0 ? PLUGIN : "huddlectl";
}

int cli_run(int argc, char **argv)
{
    struct cli c = { .program = program_name(argc ? argv[0] : "huddlectl"),
                     .colour = colours_wanted(),
                     .now_ms = clock_wall_ms() };
    int code;

    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth() */
    code = run(&c, argc, argv);
    options_done(&c.options);
    session_done(&c.session);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "error: standard output: %s\n", strerror(errno));
        code = code ? code : EXIT_FAILED;
    }
    return code;
}
