/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tail_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/unit.h"

static struct il_tail_figures some_figures(void)
{
    struct il_tail_figures f = {.open = 1};
    f.arrivals[0] = 12;
    f.arrivals[1] = 7;
    f.events[0] = 5;
    f.events[2] = 2;
    f.stream.links = 3;
    f.stream.pool = 91;
    f.stream.precision = 0.875;
    f.stream.decoy_rate = 0.25;
    f.stream.round = 4;
    f.tail[1].state = IL_TAIL_PAUSED;
    f.tail[0].lag_bytes = 4096;
    snprintf(f.source[0], sizeof(f.source[0]), "a \"b\"\\c\n.npy");
    snprintf(f.source[1], sizeof(f.source[1]), "-");
    return f;
}

static char *text_of(const struct il_tail_figures *f)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    il_metrics_put(stream, f);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void has(const char *text, const char *line)
{
    char whole[300];
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (!strstr(text, whole))
        fail_msg("no line '%s' in\n%s", line, text);
}

static void figures_have_their_names(void **state)
{
    (void)state;
    struct il_tail_figures f = some_figures();
    char *text = text_of(&f);
    has(text, "isolink_arrivals_total{side=\"a\"} 12");
    has(text, "isolink_arrivals_total{side=\"b\"} 7");
    has(text, "isolink_refused_rows_total{side=\"a\"} 0");
    has(text, "isolink_links_total 5");
    has(text, "isolink_retractions_total 2");
    has(text, "isolink_links 3");
    has(text, "isolink_pool_anchors 91");
    has(text, "isolink_decoy_rate 0.25");
    has(text, "isolink_precision_estimate 0.875");
    has(text, "isolink_bootstraps_total 4");
    has(text,
        "isolink_source_lag_bytes{side=\"a\",source=\"a \\\"b\\\"\\\\c\\n.npy\"} 4096");
    has(text, "isolink_source_paused{side=\"b\",source=\"-\"} 1");
    has(text, "isolink_source_paused{side=\"a\",source=\"a \\\"b\\\"\\\\c\\n.npy\"} 0");
    assert_non_null(strstr(text, "isolink_build_info{version=\"" IL_VERSION "\",isa=\""));
    assert_non_null(strstr(text, "isolink_resident_memory_bytes "));
    free(text);
    f.open = 0;
    text = text_of(&f);
    assert_null(strstr(text, "isolink_links 3"));
    has(text, "isolink_open 0");
    free(text);
}

/* Characters of a name. */
static size_t name_bytes(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789:");
}

/* Text format 0.0.4: every sample follows HELP and TYPE of its family, each once, and
   ends in a number. */
static void the_text_obeys_the_format(void **state)
{
    (void)state;
    struct il_tail_figures f = some_figures();
    char *text = text_of(&f);
    char family[64] = "", type[32] = "", known[4096] = "";
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        *end = 0;
        if (strncmp(line, "# HELP ", 7) == 0) {
            size_t bytes = name_bytes(line + 7);
            snprintf(family, sizeof(family), "%.*s", (int)bytes, line + 7);
            assert_int_equal(strncmp(family, "isolink_", 8), 0);
            char mark[70];
            snprintf(mark, sizeof(mark), ";%s;", family);
            assert_null(strstr(known, mark));
            snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s", mark);
            assert_int_equal(line[7 + bytes], ' ');
            assert_true(strlen(line + 8 + bytes) > 0);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
            snprintf(type, sizeof(type), "%s", line + 8 + strlen(family));
            assert_true(!strcmp(type, "gauge") || !strcmp(type, "counter") ||
                        !strcmp(type, "histogram"));
        } else {
            size_t bytes = name_bytes(line);
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
            if (strcmp(type, "histogram") != 0)
                assert_int_equal(bytes, strlen(family));
            char *value = strrchr(line, ' ');
            assert_non_null(value);
            assert_true(line[bytes] == '{' ? value[-1] == '}' : line + bytes == value);
            char *number_end;
            strtod(value + 1, &number_end);
            assert_true(number_end > value + 1 && *number_end == 0);
        }
        line = end + 1;
    }
    free(text);
}

static void the_histogram_adds_up(void **state)
{
    (void)state;
    struct il_tail_figures f = {0};
    il_histogram_add(&f.arrival, 0.001, 3);
    il_histogram_add(&f.arrival, 0.0011, 1);
    il_histogram_add(&f.arrival, 99.0, 2);
    char *text = text_of(&f);
    has(text, "isolink_arrival_seconds_bucket{le=\"0.0005\"} 0");
    has(text, "isolink_arrival_seconds_bucket{le=\"0.001\"} 3");
    has(text, "isolink_arrival_seconds_bucket{le=\"0.002\"} 4");
    has(text, "isolink_arrival_seconds_bucket{le=\"10\"} 4");
    has(text, "isolink_arrival_seconds_bucket{le=\"+Inf\"} 6");
    has(text, "isolink_arrival_seconds_sum 198.0041");
    has(text, "isolink_arrival_seconds_count 6");
    free(text);
}

static void only_this_machine_is_answered(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:9464", "localhost:0", "[::1]:65535",
                                       "unix:/run/x.sock"};
    static const char *const bad[] = {
        "0.0.0.0:1",     "10.0.0.1:80",     "9464",  "",
        "127.0.0.1:",    "127.0.0.1:65536", "unix:", "[::]:1",
        "127.0.0.1:12x", "127.0.0.1:-1"};
    char path[200] = "unix:";
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_null(il_http_address_fault(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_non_null(il_http_address_fault(bad[i]));
    memset(path + 5, 'x', 108);
    assert_non_null(il_http_address_fault(path));
}

/* Sends a request and returns the whole answer; to be freed. */
static char *ask(int fd, const char *request)
{
    char *text = calloc(1, 1 << 16);
    size_t used = 0;
    assert_non_null(text);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    for (ssize_t got = 1; got > 0; used += (size_t)got) {
        got = recv(fd, text + used, (1 << 16) - 1 - used, 0);
        if (got < 0)
            break;
    }
    close(fd);
    return text;
}

static int connect_port(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

#define REQUEST(what) what " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void the_server_answers(void **state)
{
    (void)state;
    struct il_tail_figures f = some_figures();
    char why[100] = "";
    struct il_http *http = il_http_open("127.0.0.1:0", why, sizeof(why));
    if (!il_http_available()) {
        assert_null(http);
        assert_non_null(strstr(why, "libmicrohttpd"));
        skip();
    }
    assert_non_null(http);
    il_http_set(http, &f);
    unsigned port = il_http_port(http);
    char *text = ask(connect_port(port), REQUEST("GET /metrics"));
    assert_non_null(strstr(text, "200 OK"));
    assert_non_null(strstr(text, "Content-Type: text/plain; version=0.0.4"));
    has(text, "isolink_links_total 5");
    free(text);
    text = ask(connect_port(port), REQUEST("GET /"));
    assert_non_null(strstr(text, " 404 "));
    free(text);
    text = ask(connect_port(port), REQUEST("DELETE /metrics"));
    assert_non_null(strstr(text, " 405 "));
    free(text);
    il_http_close(http);
}

static void a_unix_socket_that_was_left_is_replaced(void **state)
{
    (void)state;
    char address[100], why[100] = "";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat about;
    if (!il_http_available())
        skip();
    int bytes = snprintf(address, sizeof(address), "unix:%s", unit_path("sock"));
    if (bytes >= (int)sizeof(address))
        skip();
    memcpy(name.sun_path, address + 5, (size_t)bytes - 4);
    int left = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(left, (struct sockaddr *)&name, sizeof(name)), 0);
    close(left);
    struct il_http *http = il_http_open(address, why, sizeof(why));
    if (!http)
        fail_msg("%s", why);
    assert_null(il_http_open(address, why, sizeof(why)));
    assert_string_equal(why, strerror(EADDRINUSE));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    char *text = ask(fd, REQUEST("GET /metrics"));
    assert_non_null(strstr(text, "200 OK"));
    free(text);
    il_http_close(http);
    assert_int_equal(stat(address + 5, &about), -1);
    /* A file of somebody else stays. */
    unit_text("sock", "x");
    assert_null(il_http_open(address, why, sizeof(why)));
    unit_expect(address + 5, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_have_their_names),
        cmocka_unit_test(the_text_obeys_the_format),
        cmocka_unit_test(the_histogram_adds_up),
        cmocka_unit_test(only_this_machine_is_answered),
        cmocka_unit_test(the_server_answers),
        cmocka_unit_test(a_unix_socket_that_was_left_is_replaced),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
