/* Escaping, widths and errors. */
#include "terminal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

#include "accountd/text.h"

/* Bytes of the longest escape, "\u0085", and a NUL. */
#define ESCAPE_BYTES 7

/* The length of the control character at the start of the text, with its escape; 0 where there is none. */
static size_t escape(struct acd_slice text, bool json, char out[ESCAPE_BYTES])
{
    unsigned first = (unsigned char)text.data[0];
    unsigned second = text.len > 1 ? (unsigned char)text.data[1] : 0;

    if (first == 0xc2 && second >= 0x80 && second < 0xa0) {
        (void)snprintf(out, ESCAPE_BYTES, "\\u%04x", second);
        return 2;
    }
    if (first >= 0x20 && first != 0x7f)
        return 0;
    if (first == '\n' || first == '\t')
        (void)snprintf(out, ESCAPE_BYTES, "\\%c", first == '\n' ? 'n' : 't');
    else
        (void)snprintf(out, ESCAPE_BYTES, json ? "\\u%04x" : "\\x%02x", first);
    return 1;
}

static void put(FILE *out, struct acd_slice text, bool json)
{
    while (text.len) {
        char escaped[ESCAPE_BYTES];
        size_t length = escape(text, json, escaped);

        if (length)
            (void)fputs(escaped, out);
        else
            (void)fputc(text.data[0], out);
        length += length == 0;
        text = acd_slice(text.data + length, text.len - length);
    }
}

void acd_ctl_put(FILE *out, struct acd_slice text)
{
    put(out, text, false);
}

void acd_ctl_put_json(FILE *out, struct acd_slice json)
{
    put(out, json, true);
}

size_t acd_ctl_width(struct acd_slice text)
{
    mbstate_t state = {0};
    size_t width = 0;

    while (text.len) {
        char escaped[ESCAPE_BYTES];
        size_t length = escape(text, false, escaped);
        wchar_t character;

        if (length) {
            width += strlen(escaped);
        } else {
            int columns;

            length = mbrtowc(&character, text.data, text.len, &state);
            if (length == 0 || length > text.len) {
                /* The locale does not know UTF-8: its bytes are what the terminal will count. */
                state = (mbstate_t){0};
                length = 1;
                columns = 1;
            } else {
                columns = wcwidth(character);
            }
            width += columns > 0 ? (size_t)columns : 0;
        }
        text = acd_slice(text.data + length, text.len - length);
    }
    return width;
}

void acd_ctl_error(const char *format, ...)
{
    bool colour = acd_ctl_colour(stderr);
    char *message;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&message, format, args);
    va_end(args);
    if (length < 0)
        return;
    (void)fflush(stdout);
    (void)fputs(colour ? "\033[31maccountctl:\033[0m " : "accountctl: ", stderr);
    put(stderr, acd_slice(message, (size_t)length), false);
    (void)fputc('\n', stderr);
    free(message);
}

bool acd_ctl_terminal(FILE *out)
{
    const char *terminal = getenv("TERM");

    return isatty(fileno(out)) && terminal && strcmp(terminal, "dumb") != 0;
}

bool acd_ctl_colour(FILE *out)
{
    const char *refused = getenv("NO_COLOR");

    return acd_ctl_terminal(out) && !(refused && *refused);
}
