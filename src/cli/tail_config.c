/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define FILE_BYTES_MAX ((size_t)64 * 1024)
#define KEY_BYTES_MAX 64
#define KEYS_MAX 128
#define WHERE_BYTES 320

struct reading {
    const char *command, *path;
    size_t line;
    char section; /* 'a', 'b' or 0 */
    char keys[KEYS_MAX][KEY_BYTES_MAX + 3];
    size_t key_line[KEYS_MAX];
    size_t key_count;
    il_config_fn *each;
    void *context;
};

static int say(const struct reading *r, const char *what, const char *text)
{
    il_say(r->command, "%s, line %zu: %s%s%.80s%s", r->path, r->line, what,
           text != NULL ? " '" : "", text != NULL ? text : "", text != NULL ? "'" : "");
    return IL_EXIT_USAGE;
}

static char *trim(char *text)
{
    size_t bytes;

    text += strspn(text, " \t");
    bytes = strlen(text);
    while (bytes > 0 && strchr(" \t\r", text[bytes - 1]) != NULL) {
        text[--bytes] = 0;
    }
    return text;
}

static int take_section(struct reading *r, const char *text)
{
    if (strcmp(text, "[a]") != 0 && strcmp(text, "[b]") != 0) {
        return say(r, "unknown section, wanted [a] or [b], got", text);
    }
    r->section = text[1];
    return IL_EXIT_DONE;
}

/* Remembers a key of this section; says so when it was there before. */
static int take_key(struct reading *r, const char *key, char **full)
{
    char prefix[3] = {r->section, '-', 0};
    char *to;

    if (key[0] == 0 || strlen(key) > KEY_BYTES_MAX ||
        key[strspn(key, "abcdefghijklmnopqrstuvwxyz-")] != 0) {
        return say(r, "no name of an option:", key);
    }
    if (r->key_count == KEYS_MAX) {
        return say(r, "too many keys", NULL);
    }
    to = r->keys[r->key_count];
    snprintf(to, sizeof r->keys[0], "%s%s", r->section != 0 ? prefix : "", key);
    for (size_t i = 0; i < r->key_count; i++) {
        if (strcmp(r->keys[i], to) == 0) {
            il_say(r->command, "%s, line %zu: '%s' stands in line %zu already", r->path,
                   r->line, key, r->key_line[i]);
            return IL_EXIT_USAGE;
        }
    }
    r->key_line[r->key_count++] = r->line;
    *full = to;
    return IL_EXIT_DONE;
}

static int take_line(struct reading *r, char *text)
{
    char where[WHERE_BYTES];
    char *equals;
    char *key = NULL;
    char *value;
    int code;

    text = trim(text);
    if (text[0] == 0 || text[0] == '#' || text[0] == ';') {
        return IL_EXIT_DONE;
    }
    if (text[0] == '[') {
        return take_section(r, text);
    }
    equals = strchr(text, '=');
    if (equals == NULL) {
        return say(r, "wanted KEY = VALUE, got", text);
    }
    *equals = 0;
    value = trim(equals + 1);
    size_t bytes = strlen(value);
    if (value[0] == '"') {
        if (bytes < 2 || value[bytes - 1] != '"') {
            return say(r, "a quote is open in", value);
        }
        value[bytes - 1] = 0;
        value++;
    }
    code = take_key(r, trim(text), &key);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    snprintf(where, sizeof where, "%s: %.200s, line %zu", r->command, r->path, r->line);
    return r->each(r->context, where, key, value) ? IL_EXIT_DONE : IL_EXIT_USAGE;
}

/* Reads a regular file of a sensible size, zero-terminated. NULL after a message. */
static char *load_text(const char *command, const char *path, size_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = malloc(FILE_BYTES_MAX + 2);
    const char *why = NULL;
    struct stat about;

    *bytes = 0;
    if (fd < 0 || fstat(fd, &about) != 0) {
        why = strerror(errno);
    } else if (S_ISDIR(about.st_mode)) {
        why = "is a directory, wanted a file";
    }
    while (why == NULL && text != NULL && *bytes <= FILE_BYTES_MAX) {
        ssize_t got = read(fd, text + *bytes, FILE_BYTES_MAX + 1 - *bytes);

        if (got < 0 && errno != EINTR) {
            why = strerror(errno);
        }
        if (got == 0) {
            break;
        }
        *bytes += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (why == NULL && *bytes > FILE_BYTES_MAX) {
        why = "more than 64 KiB, wanted a configuration";
    }
    if (why != NULL || text == NULL) {
        il_say(command, "%s: %s", path, why != NULL ? why : "no memory");
        free(text);
        return NULL;
    }
    text[*bytes] = 0;
    return text;
}

int il_config_load(struct il_config_file *file, const char *command, const char *path,
                   il_config_fn *each, void *context)
{
    struct reading *r = calloc(1, sizeof *r);
    int code = IL_EXIT_DONE;
    size_t bytes = 0;
    char *at;

    if (r == NULL) {
        return il_say_memory(command);
    }
    file->path = path;
    file->text = load_text(command, path, &bytes);
    *r = (struct reading){
        .command = command, .path = path, .each = each, .context = context};
    if (file->text == NULL) {
        code = IL_EXIT_INPUT;
    }
    at = file->text;
    while (code == IL_EXIT_DONE && at < file->text + bytes) {
        char *end = memchr(at, '\n', (size_t)(file->text + bytes - at));

        end = end != NULL ? end : file->text + bytes;
        *end = 0;
        r->line++;
        code = strlen(at) != (size_t)(end - at) ? say(r, "holds a zero byte", NULL)
                                                : take_line(r, at);
        at = end + 1;
    }
    free(r);
    return code;
}

void il_config_free(struct il_config_file *file)
{
    free(file->text);
    file->text = NULL;
}
