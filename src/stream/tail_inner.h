/* SPDX-License-Identifier: Apache-2.0 */
/* What the files tail*.c share; TAILING.md in this folder tells the rules. */
#ifndef IL_TAIL_INNER_H
#define IL_TAIL_INNER_H

#include <isolink/tail.h>

#include "formats/reader.h"
#include "formats/text_reader.h"
#include "src/io/dir.h"
#include "src/io/grow.h"

/* What a source is; the numbers stand in positions. */
enum il_tail_what {
    IL_TAIL_UNKNOWN = 0, /* nothing is there yet */
    IL_TAIL_FILE = 1,
    IL_TAIL_DIR = 2,
    IL_TAIL_STORE = 3,
    IL_TAIL_PIPE = 4 /* standard input */
};

/* So many bytes from the first row on, and so many before the place that was reached, say
   whether a file is still the one that was read. */
#define IL_MARK_HEAD 4096u
#define IL_MARK_MIDDLE 512u
#define IL_MARK_TAIL 512u

/* The checksum of so many bytes. */
struct il_rung {
    uint32_t bytes; /* 0: none were taken */
    uint64_t hash;
};

/* How far a file was read, and what tells it from others. */
struct il_mark {
    enum il_kind kind; /* IL_KIND_AUTO: not known yet */
    unsigned flags;
    uint64_t dev, ino; /* ino 0: no file yet */
    uint64_t base;     /* place of the first row: behind a header */
    uint64_t offset;   /* place that was reached: a row begins here, or will */
    uint64_t rows, lines;
    uint64_t seen;    /* size of the file when it was looked at last */
    uint64_t skip_to; /* rows that end here or before are passed over */
    /* From base on: the first piece that was taken, MIDDLE, HEAD bytes, or all if there
       are fewer. And of the bytes before offset. */
    struct il_rung rung[3], tail;
    struct il_csv_columns columns; /* of .csv, with HEADER */
};
enum {
    IL_MARK_FIRST = 1,  /* text: the first row was read, so IDS is known */
    IL_MARK_IDS = 2,    /* text: rows have ids of their own */
    IL_MARK_HEADER = 4, /* .csv: the columns are known */
    IL_MARK_CUTTING = 8 /* text: in the middle of a line that is too long */
};

/* A file that is read, or a pipe. */
struct il_flow {
    struct il_mark mark;
    char shown[IL_DIR_SHOWN];
    struct il_file file; /* fd -1: closed */
    int piped;
    int ended; /* a pipe, at its end */
    int final; /* a last line without its end: 0 waits, 1 is taken when it is sound, 2 is
                  the last */
    const char *name;     /* in a directory: part of the ids of rows without; borrowed */
    enum il_status wrong; /* why what comes next cannot be taken; IL_EIO: not now */
    uint64_t size;
    struct il_layout layout;
    unsigned char head[IL_MARK_HEAD], tail[IL_MARK_TAIL]; /* as far as mark says */
    unsigned char *block; /* what was read, from block_at on, and a zero */
    size_t held, room;
    uint64_t block_at;
    char *line; /* copy of a line: reading changes it */
    size_t line_room;
};

/* Rows for one call of il_tail_next. */
struct il_batch {
    size_t most, count; /* wanted, and there */
    float *values;      /* most x dim */
    size_t values_room; /* floats */
    struct il_names names;
    unsigned char *removed; /* 1: a row that is no more */
    size_t room;            /* of names.length and removed */
};

struct il_tail_dir;
struct il_tail_store;

/* Texts that were told lately, by their hashes. */
#define IL_TOLD 16
struct il_told {
    uint64_t hash;
    double at;
};

struct il_tail {
    char *path, *parent; /* parent: the directory that it lies in */
    char *column;
    struct il_tail_config config;
    enum il_tail_what what;
    struct il_watch watch;
    size_t dim;
    uint64_t number; /* of the next row: given or passed over before */
    uint64_t rows, bad_lines, rotations;
    int fresh; /* no position, and nothing was there yet */
    enum il_tail_state state, next_state;
    char why[240], next_why[240];
    struct il_batch batch;
    struct il_flow now, before; /* before: the file that was rotated away */
    struct il_tail_dir *dir;
    struct il_tail_store *store;
    struct il_told told[IL_TOLD];
    unsigned told_next;
    uint64_t bad_untold;
    double bad_told; /* when; 0: never */
};

/* tail.c */

/* Tells the log, the same text at most once a minute. */
void il_tail_say(struct il_tail *t, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Tells of a line that is passed over, at most once a minute. */
void il_tail_bad_line(struct il_tail *t, const char *text);
/* What the source will be after this call. */
void il_tail_set(struct il_tail *t, enum il_tail_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes trouble with the source its state; memory is the caller's trouble. */
IL_MUST_CHECK enum il_status il_tail_trouble(struct il_tail *t, enum il_status status,
                                             struct il_error *error);
/* Room for rows of this length; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_batch_room(struct il_tail *t, size_t dim,
                                           struct il_error *error);
static inline float *il_batch_row(const struct il_tail *t)
{
    return t->batch.values + t->batch.count * t->dim;
}
/* Adds the row at il_batch_row, or a removal, under an id. */
IL_MUST_CHECK enum il_status il_batch_add(struct il_tail *t, const void *id,
                                          size_t id_bytes, int removed,
                                          struct il_error *error);
/* "DIR/NAME", il_alloc'd; NULL without memory. */
char *il_tail_join(const char *dir, const char *name);
/* Why files of this name cannot be followed; NULL: they can. */
const char *il_tail_unfit(const char *name, enum il_kind kind);

/* tail_flow.c */

void il_flow_init(struct il_flow *f, const char *shown);
/* Closes and frees; what was reached stays in the mark. */
void il_flow_close(struct il_flow *f);
/* The file is another one: read from its begin. */
void il_flow_begin(struct il_flow *f);
/* Adds rows to the batch, until it is full or no whole row is left. Trouble with the file
   pauses the source, and sets `wrong`. IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_flow_next(struct il_tail *t, struct il_flow *f,
                                          struct il_error *error);

enum il_same {
    IL_SAME,  /* it begins with what was read */
    IL_SHORT, /* as far as it goes, but it ends before */
    IL_OTHER
};
/* Compares an open file with what was read before. IL_EIO; IL_EFORMAT. */
IL_MUST_CHECK enum il_status il_flow_compare(struct il_flow *f, enum il_same *out,
                                             struct il_error *error);
/* Shows what comes next, `bytes` of it or what there is. */
IL_MUST_CHECK enum il_status il_flow_look(struct il_flow *f, size_t bytes,
                                          unsigned char **data, size_t *have,
                                          struct il_error *error);
/* Goes past bytes that were shown. */
void il_flow_take(struct il_flow *f, const unsigned char *data, size_t bytes);
/* Goes past bytes that nobody looked at; of a file. IL_EIO. */
IL_MUST_CHECK enum il_status il_flow_jump(struct il_flow *f, uint64_t bytes,
                                          struct il_error *error);
/* Adds the row at il_batch_row under its id, or its number. */
IL_MUST_CHECK enum il_status il_flow_give(struct il_tail *t, struct il_flow *f,
                                          const void *id, size_t id_bytes,
                                          struct il_error *error);
/* 1: the kind is one of lines. */
static inline int il_flow_is_text(const struct il_flow *f)
{
    return f->mark.kind == IL_KIND_JSONL || f->mark.kind == IL_KIND_CSV;
}

/* tail_rows.c: .npy, .fvecs, .fbin and theirs. */

/* Reads the header. *ready 0: it is not whole yet. */
IL_MUST_CHECK enum il_status il_rows_begin(struct il_flow *f, int *ready,
                                           struct il_error *error);
IL_MUST_CHECK enum il_status il_rows_next(struct il_tail *t, struct il_flow *f,
                                          struct il_error *error);

/* tail_text.c: .jsonl, .csv. */

IL_MUST_CHECK enum il_status il_text_next(struct il_tail *t, struct il_flow *f,
                                          struct il_error *error);

/* One file that is appended to, rotated, replaced: tail_file.c. */
IL_MUST_CHECK enum il_status il_tail_file_next(struct il_tail *t, struct il_error *error);
/* Standard input. */
IL_MUST_CHECK enum il_status il_tail_pipe_next(struct il_tail *t, struct il_error *error);

/* tail_dir.c */

IL_MUST_CHECK enum il_status il_tail_dir_open(struct il_tail *t, struct il_error *error);
void il_tail_dir_close(struct il_tail *t);
IL_MUST_CHECK enum il_status il_tail_dir_next(struct il_tail *t, struct il_error *error);
size_t il_tail_dir_put(const struct il_tail *t, unsigned char *out);
IL_MUST_CHECK enum il_status il_tail_dir_get(struct il_tail *t, const unsigned char *p,
                                             size_t bytes, struct il_error *error);
/* 1: a name that an unfinished writer gives. */
int il_tail_is_leftover(const char *name);

/* tail_store.c */

IL_MUST_CHECK enum il_status il_tail_store_open(struct il_tail *t,
                                                struct il_error *error);
void il_tail_store_close(struct il_tail *t);
IL_MUST_CHECK enum il_status il_tail_store_next(struct il_tail *t,
                                                struct il_error *error);
size_t il_tail_store_put(const struct il_tail *t, unsigned char *out);
IL_MUST_CHECK enum il_status il_tail_store_get(struct il_tail *t, const unsigned char *p,
                                               size_t bytes, struct il_error *error);
uint64_t il_tail_store_lag(const struct il_tail *t);

/* tail_position.c */

#define IL_MARK_BYTES 160u
void il_mark_put(const struct il_mark *mark, unsigned char *out);
IL_MUST_CHECK enum il_status il_mark_get(struct il_mark *mark, const unsigned char *p,
                                         struct il_error *error);
/* "this position is damaged", IL_EFORMAT. */
enum il_status il_position_bad(struct il_error *error, size_t at, const char *what);
/* Takes over a position; the texts say what was found. */
IL_MUST_CHECK enum il_status il_position_get(struct il_tail *t, const void *position,
                                             size_t bytes, struct il_error *error);

#endif
