/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction set is chosen once a process: this program runs itself with other
   values of ISOLINK_ISA. */
#include "tests/unit/unit.h"

#include <isolink/link.h>

#include "simd/simd.h"

static char self[4096];

/* First line of what this program says as a child: status and name, or the error text. */
static void ask(const char *isa, char *out, size_t bytes)
{
    char command[5000];
    snprintf(command, sizeof(command), "ISOLINK_ISA='%s' '%s' child", isa, self);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(out, (int)bytes, pipe));
    out[strcspn(out, "\n")] = 0;
    assert_int_equal(pclose(pipe), 0);
}

static int child(void)
{
    struct il_error error = {""};
    enum il_status status = il_isa_check(&error);
    printf("%d %s %s\n", (int)status, il_isa_text(), error.text);
    return 0;
}

static void the_best_is_taken(void **state)
{
    (void)state;
    char out[600], best[64] = "";
    ask("", out, sizeof(out));
    for (int isa = IL_ISA_REF; isa <= IL_ISA_AVX512; isa++)
        if (strstr(il_simd_available(), il_isa_name((enum il_isa)isa)))
            snprintf(best, sizeof(best), "0 %s ", il_isa_name((enum il_isa)isa));
    assert_string_equal(out, best);
}

static void each_available_one_can_be_asked_for(void **state)
{
    (void)state;
    char names[64], out[600], wanted[80];
    snprintf(names, sizeof(names), "%s", il_simd_available());
    assert_memory_equal(names, "ref", 3);
    for (char *name = names, *end = names;; name = end + 1) {
        end = name + strcspn(name, " ");
        int last = !*end;
        *end = 0;
        ask(name, out, sizeof(out));
        snprintf(wanted, sizeof(wanted), "0 %s ", name);
        assert_string_equal(out, wanted);
        if (last)
            break;
    }
}

static void others_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"sse", "AVX2", "avx", "avx2 ", "ref,avx2", "-1"};
    char out[600], wanted[600];
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ask(bad[i], out, sizeof(out));
        snprintf(wanted, sizeof(wanted), "%d ref ISOLINK_ISA=%s: ", (int)IL_EARG, bad[i]);
        assert_memory_equal(out, wanted, strlen(wanted));
        assert_non_null(strstr(out, il_simd_available()));
    }
    /* neon on x86-64, avx2 on ARM: known names that this machine lacks. */
    const char *other = strstr(il_simd_available(), "neon") ? "avx2" : "neon";
    ask(other, out, sizeof(out));
    snprintf(wanted, sizeof(wanted), "%d ref ISOLINK_ISA=%s: ", (int)IL_EARG, other);
    assert_memory_equal(out, wanted, strlen(wanted));
}

static void long_names_fit_the_message(void **state)
{
    (void)state;
    char name[2001], out[4000];
    memset(name, 'x', sizeof(name) - 1);
    name[2000] = 0;
    ask(name, out, sizeof(out));
    assert_true(strlen(out) < sizeof(((struct il_error *)0)->text) + 20);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "child") == 0)
        return child();
    ssize_t got = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (got <= 0)
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_is_taken),
        cmocka_unit_test(each_available_one_can_be_asked_for),
        cmocka_unit_test(others_are_refused_by_name),
        cmocka_unit_test(long_names_fit_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
