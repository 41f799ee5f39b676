/* SPDX-License-Identifier: Apache-2.0 */
/* Links against the truth. Ids become numbers (one table a side, over all files), pairs
   become one 64-bit key; what is judged is a set of pairs, so a line that repeats another
   changes nothing. */
#include <isolink/eval.h>

#include "src/base/base.h"
#include "src/store/table.h"

#include <string.h>

/* Ids of one side, numbered in the order they are first seen; texts borrowed from the
 * files. */
struct names {
    struct il_csv_field *item;
    uint32_t *slot; /* number + 1; 0 = empty */
    size_t mask;
    uint32_t count;
    unsigned char *seed; /* 1: the id stands in a seed */
};

/* Pairs, as keys a << 32 | b with neither 2^32 - 1. */
struct pair_set {
    uint64_t *slot; /* EMPTY or a key */
    size_t mask;
    size_t count;
};

#define EMPTY UINT64_MAX
/* So that a table of them, half empty, and every number plus one fit. */
#define NAMES_MAX ((size_t)0x7fffffff)

struct line {
    uint64_t key;
    double posterior;
};

struct judging {
    struct names a, b;
    struct pair_set truth, links;
    struct line *link;
    size_t link_count;
    uint64_t *truth_key;
    size_t truth_count;
};

static size_t slots_for(size_t count)
{
    size_t slots = 16;
    while (slots < count + count / 2)
        slots *= 2;
    return slots;
}

static enum il_status names_open(struct names *n, size_t count)
{
    size_t slots = slots_for(count);
    n->item = il_alloc(count, sizeof(*n->item));
    n->slot = il_alloc_zero(slots, sizeof(*n->slot));
    n->seed = il_alloc_zero(count, 1);
    n->mask = slots - 1;
    return n->item && n->slot && n->seed ? IL_OK : IL_ENOMEM;
}

static void names_close(struct names *n)
{
    il_free(n->item);
    il_free(n->slot);
    il_free(n->seed);
}

static uint32_t names_add(struct names *n, const struct il_csv_field *field)
{
    size_t at = (size_t)il_hash_bytes(field->text, field->bytes) & n->mask;
    for (; n->slot[at] != 0; at = (at + 1) & n->mask) {
        const struct il_csv_field *known = &n->item[n->slot[at] - 1];
        if (known->bytes == field->bytes &&
            memcmp(known->text, field->text, field->bytes) == 0)
            return n->slot[at] - 1;
    }
    n->item[n->count] = *field;
    n->slot[at] = ++n->count;
    return n->count - 1;
}

static enum il_status set_open(struct pair_set *set, size_t count)
{
    size_t slots = slots_for(count);
    set->slot = il_alloc(slots, sizeof(*set->slot));
    set->mask = slots - 1;
    if (!set->slot)
        return IL_ENOMEM;
    memset(set->slot, 0xff, slots * sizeof(*set->slot));
    return IL_OK;
}

static size_t set_find(const struct pair_set *set, uint64_t key)
{
    size_t at = (size_t)il_hash_bytes(&key, sizeof(key)) & set->mask;
    while (set->slot[at] != EMPTY && set->slot[at] != key)
        at = (at + 1) & set->mask;
    return at;
}

/* 1 = it was not in the set. */
static int set_add(struct pair_set *set, uint64_t key)
{
    size_t at = set_find(set, key);
    if (set->slot[at] == key)
        return 0;
    set->slot[at] = key;
    set->count++;
    return 1;
}

static uint64_t key_of(struct judging *j, const struct il_csv_field *a,
                       const struct il_csv_field *b)
{
    uint64_t first = names_add(&j->a, a), second = names_add(&j->b, b);
    return first << 32 | second;
}

static void mark_seed(struct judging *j, uint64_t key)
{
    j->a.seed[key >> 32] = 1;
    j->b.seed[(uint32_t)key] = 1;
}

static int is_seed(const struct judging *j, uint64_t key)
{
    return j->a.seed[key >> 32] || j->b.seed[(uint32_t)key];
}

static enum il_status read_seeds(struct judging *j, struct il_table *t,
                                 struct il_error *error)
{
    for (;;) {
        int more = 0;
        enum il_status status = il_table_next(t, &more, error);
        if (status != IL_OK || !more)
            return status;
        mark_seed(j, key_of(j, &t->field[t->a], &t->field[t->b]));
    }
}

static enum il_status read_truth(struct judging *j, struct il_table *t,
                                 struct il_error *error)
{
    for (;;) {
        int more = 0;
        enum il_status status = il_table_next(t, &more, error);
        if (status != IL_OK || !more)
            return status;
        j->truth_key[j->truth_count++] = key_of(j, &t->field[t->a], &t->field[t->b]);
    }
}

static enum il_status read_links(struct judging *j, struct il_eval *out,
                                 struct il_table *t, struct il_error *error)
{
    out->posterior_known = t->posterior < IL_TABLE_COLUMNS;
    for (;;) {
        int more = 0;
        enum il_status status = il_table_next(t, &more, error);
        if (status != IL_OK || !more)
            return status;
        struct line line = {.key = key_of(j, &t->field[t->a], &t->field[t->b])};
        if (t->origin < IL_TABLE_COLUMNS && il_csv_is(&t->field[t->origin], "seed")) {
            mark_seed(j, line.key);
            out->seeds_left_out++;
            continue;
        }
        status =
            out->posterior_known ? il_table_posterior(t, &line.posterior, error) : IL_OK;
        if (status != IL_OK)
            return status;
        j->link[j->link_count++] = line;
    }
}

/* Links to judge: a file, or those of a run with the ids of its rows. */
struct links {
    struct il_table *file;
    const struct il_link *link;
    size_t count;
    const struct il_ids *a, *b;
};

static void take_links(struct judging *j, struct il_eval *out, const struct links *links)
{
    out->posterior_known = 1;
    for (size_t i = 0; i < links->count; i++) {
        const struct il_link *link = &links->link[i];
        const char *a = il_ids_text(links->a, (size_t)link->a);
        const char *b = il_ids_text(links->b, (size_t)link->b);
        const struct il_csv_field field_a = {a, strlen(a)}, field_b = {b, strlen(b)};
        struct line line = {key_of(j, &field_a, &field_b), link->posterior};
        if (link->origin == IL_ORIGIN_SEED) {
            mark_seed(j, line.key);
            out->seeds_left_out++;
        } else {
            j->link[j->link_count++] = line;
        }
    }
}

static void count_in_bin(struct il_eval *out, double posterior, int right)
{
    size_t i = (size_t)(posterior * IL_EVAL_BINS);
    if (i >= IL_EVAL_BINS)
        i = IL_EVAL_BINS - 1;
    /* The product may have been rounded over the border that the bin names. */
    if (posterior < out->bin[i].low)
        i--;
    else if (i + 1 < IL_EVAL_BINS && posterior >= out->bin[i].high)
        i++;
    out->bin[i].links++;
    out->bin[i].right += (size_t)right;
    out->bin[i].posterior += posterior; /* the sum, until finish */
}

static void judge(struct judging *j, struct il_eval *out)
{
    for (size_t i = 0; i < j->truth_count; i++) {
        if (!is_seed(j, j->truth_key[i]))
            set_add(&j->truth, j->truth_key[i]);
    }
    out->truth = j->truth.count;
    for (size_t i = 0; i < j->link_count; i++) {
        const struct line *line = &j->link[i];
        if (is_seed(j, line->key)) {
            out->seeds_left_out++;
            continue;
        }
        if (!set_add(&j->links, line->key))
            continue;
        int right = j->truth.slot[set_find(&j->truth, line->key)] == line->key;
        out->links++;
        out->right += (size_t)right;
        double f1 = 2 * (double)out->right / (double)(out->links + out->truth);
        out->f1_best = f1 > out->f1_best ? f1 : out->f1_best;
        if (out->posterior_known)
            count_in_bin(out, line->posterior, right);
    }
}

static void finish(struct il_eval *out)
{
    double links = (double)out->links;
    if (out->links)
        out->precision = (double)out->right / links;
    if (out->truth)
        out->recall = (double)out->right / (double)out->truth;
    if (out->right)
        out->f1 = 2 * out->precision * out->recall / (out->precision + out->recall);
    for (size_t i = 0; i < IL_EVAL_BINS; i++) {
        struct il_eval_bin *bin = &out->bin[i];
        if (bin->links == 0)
            continue;
        double gap = (double)bin->right - bin->posterior;
        out->precision_expected += bin->posterior / links;
        out->ece += (gap < 0 ? -gap : gap) / links;
        bin->posterior /= (double)bin->links;
    }
}

static enum il_status open_judging(struct judging *j, size_t links, size_t truth,
                                   size_t seeds, struct il_error *error)
{
    size_t lines = 0;
    if (il_add_bytes(links, truth, &lines) != IL_OK ||
        il_add_bytes(lines, seeds, &lines) != IL_OK || lines > NAMES_MAX) {
        (void)il_fail(error, IL_ELIMIT, "more than %zu lines in all", NAMES_MAX);
        return IL_ELIMIT;
    }
    j->link = il_alloc(links, sizeof(*j->link));
    j->truth_key = il_alloc(truth, sizeof(*j->truth_key));
    if (!j->link || !j->truth_key || names_open(&j->a, lines) != IL_OK ||
        names_open(&j->b, lines) != IL_OK || set_open(&j->truth, truth) != IL_OK ||
        set_open(&j->links, links) != IL_OK) {
        (void)il_fail(error, IL_ENOMEM, "no memory for %zu pairs", lines);
        return IL_ENOMEM;
    }
    return IL_OK;
}

static void close_judging(struct judging *j)
{
    names_close(&j->a);
    names_close(&j->b);
    il_free(j->truth.slot);
    il_free(j->links.slot);
    il_free(j->link);
    il_free(j->truth_key);
}

/* Judges the links that `links` adds, a number of most_links at most. */
static enum il_status judge_paths(struct il_eval *out, struct links *links,
                                  size_t most_links, const char *truth_path,
                                  const char *seeds_path, struct il_error *error)
{
    struct il_table truth = {0}, seeds = {0};
    struct judging j = {0};
    enum il_status status = il_table_open(&truth, truth_path, SIZE_MAX, error);
    if (status != IL_OK)
        goto out;
    if (seeds_path) {
        status = il_table_open(&seeds, seeds_path, SIZE_MAX, error);
        if (status != IL_OK)
            goto out;
    }
    status = open_judging(&j, most_links, truth.rows_max, seeds.rows_max, error);
    if (status != IL_OK)
        goto out;
    if (seeds_path) {
        status = read_seeds(&j, &seeds, error);
        if (status != IL_OK)
            goto out;
    }
    if (links->file)
        status = read_links(&j, out, links->file, error);
    else
        take_links(&j, out, links);
    if (status != IL_OK)
        goto out;
    status = read_truth(&j, &truth, error);
    if (status != IL_OK)
        goto out;
    judge(&j, out);
    finish(out);
out:
    close_judging(&j);
    il_table_close(&seeds);
    il_table_close(&truth);
    return status;
}

static void begin(struct il_eval *out)
{
    *out = (struct il_eval){0};
    for (size_t i = 0; i < IL_EVAL_BINS; i++) {
        out->bin[i].low = (double)i / IL_EVAL_BINS;
        out->bin[i].high = (double)(i + 1) / IL_EVAL_BINS;
    }
}

enum il_status il_eval_files(struct il_eval *out, const char *links_path,
                             const char *truth_path, const char *seeds_path,
                             struct il_error *error)
{
    struct il_table file = {0};
    struct links links = {.file = &file};
    begin(out);
    /* A links file of more than two columns says by its header which is the posterior. */
    enum il_status status = il_table_open(&file, links_path, 3, error);
    if (status == IL_OK)
        status = judge_paths(out, &links, file.rows_max, truth_path, seeds_path, error);
    il_table_close(&file);
    return status;
}

enum il_status il_eval_links(struct il_eval *out, const struct il_link *links,
                             size_t count, const struct il_ids *a, const struct il_ids *b,
                             const char *truth_path, const char *seeds_path,
                             struct il_error *error)
{
    struct links given = {.link = links, .count = count, .a = a, .b = b};
    begin(out);
    return judge_paths(out, &given, count, truth_path, seeds_path, error);
}
