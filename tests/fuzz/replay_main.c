/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target on files and on the files of folders, without libFuzzer. A broken
   promise aborts; the last line counts. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static size_t passed, failed;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0)
        data = malloc(size > 0 ? (size_t)size : 1);
    if (data && fseek(file, 0, SEEK_SET) == 0 &&
        fread(data, 1, (size_t)size, file) == (size_t)size) {
        /* Printed before the run, so that a crash shows its input. */
        fprintf(stderr, "%s\n", path);
        LLVMFuzzerTestOneInput(data, (size_t)size);
        passed++;
    } else {
        fprintf(stderr, "%s: cannot read\n", path);
        failed++;
    }
    free(data);
    if (file)
        fclose(file);
}

static void replay(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) {
        replay_file(path);
        return;
    }
    struct dirent **entry = NULL;
    int count = scandir(path, &entry, NULL, alphasort);
    if (count < 0)
        failed++;
    for (int i = 0; i < count; i++) {
        char inside[4096];
        if (entry[i]->d_name[0] != '.') {
            snprintf(inside, sizeof(inside), "%s/%s", path, entry[i]->d_name);
            replay_file(inside);
        }
        free(entry[i]);
    }
    free(entry);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
