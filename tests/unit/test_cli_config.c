/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tail_config.h"

#include "src/cli/cli.h"
#include "tests/unit/unit.h"

static char seen[4096];
static char said[4096];
static const char *refused_key;

static bool on_key(void *context, const char *where, const char *key, const char *value)
{
    (void)context;
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof(seen) - used, "%s=%s;", key, value);
    if (refused_key && strcmp(key, refused_key) == 0) {
        il_say(where, "not this one");
        return false;
    }
    return true;
}

static void on_say(const char *command, const char *text)
{
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%s: %s\n", command, text);
}

static int load(const char *path)
{
    struct il_config_file file = {0};
    seen[0] = 0;
    said[0] = 0;
    il_say_to(on_say);
    int code = il_config_load(&file, "tail", path, on_key, NULL);
    il_say_to(NULL);
    il_config_free(&file);
    return code;
}

static void gives(const char *text, const char *wanted)
{
    if (load(unit_text("conf", text)) != IL_EXIT_DONE)
        fail_msg("%s", said);
    assert_string_equal(seen, wanted);
    assert_string_equal(said, "");
}

static void refuses(const char *text, const char *says)
{
    assert_int_equal(load(unit_text("conf", text)), IL_EXIT_USAGE);
    if (!strstr(said, says))
        fail_msg("message '%s' lacks '%s'", said, says);
}

static void keys_come_in_order(void **state)
{
    (void)state;
    gives("", "");
    gives("# comment\n; another\n\n  seeds = s.csv \r\nonce=true",
          "seeds=s.csv;once=true;");
    gives("events = \" a b \"\nscratch=\n", "events= a b ;scratch=;");
    gives("path = a=b\n", "path=a=b;");
}

static void sections_put_their_letter_before_keys(void **state)
{
    (void)state;
    gives("x = 1\n[a]\nsource = p\nformat = npy\n[b]\nsource = q\n",
          "x=1;a-source=p;a-format=npy;b-source=q;");
}

static void faults_are_named_with_file_and_line(void **state)
{
    (void)state;
    refuses("seeds = x\nonce\n", "conf, line 2: wanted KEY = VALUE, got 'once'");
    refuses("\n\n[c]\n", "conf, line 3: unknown section, wanted [a] or [b], got '[c]'");
    refuses("a = \"x\n", "conf, line 1: a quote is open in '\"x'");
    refuses("a = \"\n", "line 1: a quote is open");
    refuses("Seeds = x\n", "conf, line 1: no name of an option: 'Seeds'");
    refuses("= x\n", "line 1: no name of an option");
    refuses("x = 1\ny = 2\nx = 3\n", "line 3: 'x' stands in line 1 already");
    refuses("[a]\nformat = npy\n[b]\n[a]\nformat = x\n", "stands in line 2 already");
    refused_key = "y";
    refuses("x = 1\ny = 2\nz = 3\n", "conf, line 2: not this one");
    assert_string_equal(seen, "x=1;y=2;");
    refused_key = NULL;
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(load(unit_put("zero", "a = b\nc\0d = e\n", 14)), IL_EXIT_USAGE);
    assert_non_null(strstr(said, "line 2: holds a zero byte"));
    char *big = malloc(70000);
    memset(big, '#', 70000);
    assert_int_equal(load(unit_put("big", big, 65536)), IL_EXIT_DONE);
    assert_int_equal(load(unit_put("big", big, 65537)), IL_EXIT_INPUT);
    assert_non_null(strstr(said, "more than 64 KiB"));
    free(big);
    assert_int_equal(load(unit_path("none")), IL_EXIT_INPUT);
    assert_int_equal(load(unit_dir), IL_EXIT_INPUT);
    assert_non_null(strstr(said, "is a directory"));
}

static void too_many_keys_are_refused(void **state)
{
    (void)state;
    char text[4096] = "";
    size_t used = 0;
    for (int i = 0; i < 129; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "k%c%c = 1\n",
                                 'a' + i / 26, 'a' + i % 26);
    refuses(text, "line 129: too many keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_in_order),
        cmocka_unit_test(sections_put_their_letter_before_keys),
        cmocka_unit_test(faults_are_named_with_file_and_line),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(too_many_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
