/* Manual pages: see manual.h. */
#include "controller/cli/manual.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/kind.h"
#include "controller/cli/verb.h"
#include "proto/manifest_schema.h"

#define DATE "2026-11-23"

void manual_text(struct strbuf *out, const char *text)
{
    bool begin = true;

    for (; *text; text++) {
        if (begin && (*text == '.' || *text == '\''))
            strbuf_puts(out, "\\&");
        begin = *text == '\n';
        if (*text == '\\')
            strbuf_puts(out, "\\e");
        else if (*text == '-')
            strbuf_puts(out, "\\-");
        else if (*text == '~')
            strbuf_puts(out, "\\(ti");
        else if (*text == '^')
            strbuf_puts(out, "\\(ha");
        else
            strbuf_putc(out, *text);
    }
}

static void add_options(struct strbuf *out, option_set mask)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = option_of((enum option_id)i);

        if (!(mask >> i & 1))
            continue;
        strbuf_puts(out, ".TP\n\\fB");
        if (o->letter)
            strbuf_printf(out, "\\-%c\\fR, \\fB", o->letter);
        strbuf_puts(out, "\\-\\-");
        manual_text(out, o->name);
        strbuf_puts(out, "\\fR");
        if (o->value)
            strbuf_printf(out, " \\fI%s\\fR", o->value);
        strbuf_putc(out, '\n');
        manual_text(out, o->help);
        strbuf_puts(out, ".\n");
    }
}

static void add_examples(struct strbuf *out, const char *examples)
{
    strbuf_puts(out, ".PP\n.RS\n.nf\n");
    manual_text(out, examples);
    strbuf_puts(out, ".fi\n.RE\n");
}

static void add_verb(struct strbuf *out, const struct verb *v)
{
    strbuf_puts(out, ".SS \"");
    manual_text(out, v->name);
    if (*v->operands)
        strbuf_putc(out, ' ');
    manual_text(out, v->operands);
    strbuf_puts(out, "\"\n");
    strbuf_putc(out, (char)toupper((unsigned char)*v->summary));
    manual_text(out, v->summary + 1);
    strbuf_puts(out, ".\n");
    if (*v->text) {
        strbuf_puts(out, ".PP\n");
        manual_text(out, v->text);
        strbuf_putc(out, '\n');
    }
    add_options(out, v->takes & ~TAKES_ALWAYS);
    add_examples(out, v->examples);
}

static void add_kinds(struct strbuf *out)
{
    for (const struct kind *r = kinds(); r->name; r++) {
        strbuf_printf(out, ".TP\n.B %s\n", r->plural);
        manual_text(out, r->help);
        strbuf_printf(out, ". Also: %s", r->singular);
        for (const char *word = r->others; *word;) {
            size_t n = strcspn(word, " ");

            strbuf_printf(out, ", %.*s", (int)n, word);
            word += n + (word[n] == ' ');
        }
        strbuf_puts(out, ".\n");
    }
}

static const char HEAD[] =
    ".TH HUDDLECTL 1 " DATE " \"huddle " HUDDLE_VERSION "\" \"User Commands\"\n"
    ".SH NAME\n"
    "huddlectl \\- show and steer huddle: models served on the fewest powered nodes\n"
    ".SH SYNOPSIS\n"
    ".B huddlectl\n.I VERB\n.RI [ OPERAND \" ...] [\" OPTION \" ...]\"\n.br\n"
    ".B kubectl huddle\n.I VERB\n.RI [ OPERAND \" ...] [\" OPTION \" ...]\"\n"
    ".SH DESCRIPTION\n"
    ".B huddlectl\n"
    "talks to\n"
    ".BR huddle\\-controller (8)\n"
    "over its API, and checks the objects of\n"
    ".BR huddle.yaml (5)\n"
    "without it. It is meant to feel like\n"
    ".BR kubectl (1):\n"
    "the same verbs, the same names for flags, the same formats. Installed as\n"
    ".I kubectl\\-huddle\n"
    "too, it is a plugin of kubectl.\n"
    ".PP\n"
    "Text of the server is made safe for terminals. Colours are used on a terminal only, and not "
    "when\n"
    ".B NO_COLOR\n"
    "is set.\n";

static const char TAIL[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B HUDDLE_SERVER\nURL of the controller.\n"
    ".TP\n.B HUDDLE_TOKEN\nBearer token.\n"
    ".TP\n.B HUDDLE_CA\nCertificate authority of the server, a PEM file.\n"
    ".TP\n.B HUDDLE_CONFIG\nConfiguration file.\n"
    ".TP\n.B NO_COLOR\nNo colours when set to anything.\n"
    ".SH FILES\n"
    ".TP\n.I \\(ti/.config/huddle/config.yaml\n"
    "Configuration: a mapping of\n.BR server ,\n.BR token ,\n.BR tokenFile \" and\"\n.BR ca ;\n"
    "flags and the environment go before it. A token is never sent over plain HTTP to another "
    "machine.\n"
    ".SH EXIT STATUS\n"
    "0 done; 1 failed; 2 usage. For\n.BR diff :\n"
    "0 no difference, 1 differences, 2 it could not be found out. For\n.BR doctor \" and\"\n.BR "
    "\"auth check\" :\n0 nothing to mend, 3 something, 1 it could not be found out.\n"
    ".SH SEE ALSO\n"
    ".BR huddle\\-controller (8),\n.BR huddle\\-agent (8),\n.BR huddle.yaml (5)\n";

void manual_huddlectl(struct strbuf *out)
{
    const char *group = "";

    strbuf_puts(out, HEAD);
    strbuf_puts(out, ".SH OPTIONS OF EVERY VERB\n");
    add_options(out, TAKES_ALWAYS);
    for (const struct verb *v = verbs(); v->name; v++) {
        if (*v->name == '_')
            continue;
        if (strcmp(group, v->group) != 0) {
            strbuf_puts(out, ".SH \"");
            for (const char *c = v->group; *c; c++)
                strbuf_putc(out, (char)toupper((unsigned char)*c));
            strbuf_puts(out, "\"\n");
        }
        group = v->group;
        add_verb(out, v);
    }
    strbuf_puts(out, ".SH KINDS OF OBJECTS\n");
    add_kinds(out);
    strbuf_puts(out, TAIL);
}

static const char YAML_HEAD[] =
    ".TH HUDDLE.YAML 5 " DATE " \"huddle " HUDDLE_VERSION "\" \"File Formats\"\n"
    ".SH NAME\n"
    "huddle.yaml \\- objects that people declare to huddle\n"
    ".SH DESCRIPTION\n"
    "Files of objects for\n.BR huddlectl (1)\n.B apply\n"
    "in the manner of Kubernetes: YAML or JSON, several documents divided by\n.BR \\-\\-\\- ,\n"
    "or a\n.BR List .\n"
    "Each object has\n.BR apiVersion \" (\" " MANIFEST_API_VERSION "),\n"
    ".BR kind ,\n.B metadata\nwith a\n.BR name ,\nand a\n.BR spec .\n"
    "Reading is strict: an unknown key, a wrong type or a value out of range refuses the document, "
    "with\n"
    "file, line, column, the field's path, what is wrong and what was expected. Anchors, aliases "
    "and tags\n"
    "are refused.\n"
    ".SH VALUES\n"
    ".TP\n.B duration\nNumbers and units:\n.BR 90s ,\n.BR 1h30m ,\n.BR 250ms ,\n.BR 7d .\n"
    ".TP\n.B quantity\nCPU as in Kubernetes:\n.BR 500m ,\n.BR 2 .\n"
    ".TP\n.B bytes\n.BR 512Mi ,\n.BR 2Gi .\n"
    ".TP\n.BR watts \", \" joules\n.BR 150W ,\n.BR 1.2kW ;\n.BR 3kJ ,\n.BR 0.1kWh .\n"
    ".TP\n.B share\n.B 0.99\nor\n.BR 99% .\n"
    ".SH OBJECTS\n";

static const char YAML_TAIL[] = ".SH EXAMPLE\n.nf\n"
                                "apiVersion: " MANIFEST_API_VERSION "\n"
                                "kind: ServedModel\n"
                                "metadata: {name: small}\n"
                                "spec:\n"
                                "  runtime: llama\\-server\n"
                                "  arguments: {weights: small.gguf}\n"
                                "  replicas: {min: 1, max: 16}\n"
                                "  slo: {latency: 500ms, quantile: 0.99}\n"
                                "  resources: {cpu: 2, memory: 4Gi}\n"
                                ".fi\n"
                                ".PP\nCheck a file, and see it with its defaults:\n.PP\n.RS\n.nf\n"
                                "huddlectl apply \\-\\-dry\\-run=client \\-f models.yaml\n"
                                ".fi\n.RE\n"
                                ".SH SEE ALSO\n.BR huddlectl (1),\n.BR huddle\\-controller (8)\n";

void manual_huddle_yaml(struct strbuf *out)
{
    char *fields = manifest_schema_man();

    strbuf_puts(out, YAML_HEAD);
    strbuf_puts(out, fields);
    strbuf_puts(out, YAML_TAIL);
    free(fields);
}
