/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/format.c — printf's directives into a sink.
 *
 * HOW      text ──► '%' ──► parse one directive (flags, width, precision, length, conversion) ──► fetch its argument as 64
 *          bits ──► digits into a small buffer from the right ──► padding, sign, zeros, digits into the sink.
 * WIDTHS   A long has 32 bits in the loader (Windows ABI) and 64 in the kernel: `l` means this compiler's long, so code that
 *          both share says ll.
 * BOUNDS   No recursion, about 100 bytes of stack, any width or precision: padding is written piece by piece.
 * A directive it does not know is printed as it stands and takes no argument.
 */
#include "lib/format.h"

#include "lib/string.h"

enum length { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_MAX, LENGTH_SIZE, LENGTH_DIFF };

struct directive {
  bool left, zero, plus, space, alternate;
  bool has_precision;
  size_t width, precision;
  enum length length;
  char conversion;
};

struct output {
  format_sink_t sink;
  void *context;
  size_t length;
  bool shows_addresses;
};

/* va_list is an array in some ABIs and a pointer in others; inside a struct it can be handed on by address in both. */
struct arguments {
  va_list list;
};

#define WIDTH_MAX ((size_t)INT32_MAX)

static void put(struct output *o, const char *bytes, size_t n) {
  if (n != 0) o->sink(o->context, bytes, n);
  o->length += n;
}

static void put_repeated(struct output *o, char c, size_t n) {
  char block[16];
  memset(block, c, sizeof(block));
  for (; n > sizeof(block); n -= sizeof(block)) put(o, block, sizeof(block));
  put(o, block, n);
}

static const char *parse_flags(const char *f, struct directive *d) {
  for (;; f++) {
    switch (*f) {
    case '-':
      d->left = true;
      break;
    case '0':
      d->zero = true;
      break;
    case '+':
      d->plus = true;
      break;
    case ' ':
      d->space = true;
      break;
    case '#':
      d->alternate = true;
      break;
    default:
      return f;
    }
  }
}

static const char *parse_number(const char *f, size_t *value) {
  size_t sum = 0;
  for (; *f >= '0' && *f <= '9'; f++) {
    sum = sum * 10 + (size_t)(*f - '0');
    if (sum > WIDTH_MAX) sum = WIDTH_MAX;
  }
  *value = sum;
  return f;
}

static const char *parse_width(const char *f, struct directive *d, struct arguments *args) {
  if (*f != '*') return parse_number(f, &d->width);
  const int width = va_arg(args->list, int);
  if (width < 0) d->left = true;
  d->width = width < 0 ? (size_t)0 - (size_t)width : (size_t)width;
  return f + 1;
}

static const char *parse_precision(const char *f, struct directive *d, struct arguments *args) {
  if (*f != '.') return f;
  f++;
  d->has_precision = true;
  if (*f != '*') return parse_number(f, &d->precision);
  const int precision = va_arg(args->list, int);
  if (precision < 0)
    d->has_precision = false;
  else
    d->precision = (size_t)precision;
  return f + 1;
}

static const char *parse_length(const char *f, struct directive *d) {
  switch (*f) {
  case 'h':
    d->length = f[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
    return f + (f[1] == 'h' ? 2 : 1);
  case 'l':
    d->length = f[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
    return f + (f[1] == 'l' ? 2 : 1);
  case 'j':
    d->length = LENGTH_MAX;
    return f + 1;
  case 'z':
    d->length = LENGTH_SIZE;
    return f + 1;
  case 't':
    d->length = LENGTH_DIFF;
    return f + 1;
  default:
    return f;
  }
}

/* Bytes of an argument by its length modifier; what is smaller than an int travels as one (C23 6.5.3.3). */
static const uint8_t argument_size[] = {
    [LENGTH_INT] = sizeof(int),     [LENGTH_CHAR] = 1,
    [LENGTH_SHORT] = sizeof(short), [LENGTH_LONG] = sizeof(long),
    [LENGTH_LONG_LONG] = 8,         [LENGTH_MAX] = sizeof(intmax_t),
    [LENGTH_SIZE] = sizeof(size_t), [LENGTH_DIFF] = sizeof(ptrdiff_t),
};

static uint64_t fetch_unsigned(struct arguments *args, enum length length) {
  const unsigned size = argument_size[length];
  if (size == 8) return va_arg(args->list, uint64_t);
  const uint64_t raw = va_arg(args->list, unsigned);
  return raw & ((UINT64_C(1) << (8 * size)) - 1);
}

static int64_t fetch_signed(struct arguments *args, enum length length) {
  const unsigned unused_bits = 64 - 8 * argument_size[length];
  return (int64_t)(fetch_unsigned(args, length) << unused_bits) >> unused_bits;
}

/* Padding, prefix, zeros, body: the one shape of everything that is printed. */
static void put_field(struct output *o, const struct directive *d, const char *prefix, size_t zeros, const char *body,
                      size_t n) {
  const size_t prefix_size = strlen(prefix);
  const size_t used = prefix_size + zeros + n;
  const size_t padding = d->width > used ? d->width - used : 0;
  if (!d->left) put_repeated(o, ' ', padding);
  put(o, prefix, prefix_size);
  put_repeated(o, '0', zeros);
  put(o, body, n);
  if (d->left) put_repeated(o, ' ', padding);
}

static void put_number(struct output *o, const struct directive *d, const char *prefix, uint64_t value, unsigned base) {
  const char *digits = d->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  char buffer[20]; /* 2^64 - 1 has 20 decimal digits. */
  size_t n = 0;
  for (uint64_t rest = value; rest != 0; rest /= base) buffer[sizeof(buffer) - ++n] = digits[rest % base];
  if (n == 0 && !(d->has_precision && d->precision == 0)) buffer[sizeof(buffer) - ++n] = '0';
  size_t zeros = 0;
  const size_t used = strlen(prefix) + n;
  if (d->has_precision)
    zeros = d->precision > n ? d->precision - n : 0;
  else if (d->zero && !d->left && d->width > used)
    zeros = d->width - used;
  put_field(o, d, prefix, zeros, buffer + sizeof(buffer) - n, n);
}

static void put_signed(struct output *o, const struct directive *d, int64_t value) {
  const char *sign = value < 0 ? "-" : d->plus ? "+" : d->space ? " " : "";
  put_number(o, d, sign, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

static void put_hexadecimal(struct output *o, const struct directive *d, uint64_t value) {
  const char *prefix = d->conversion == 'X' ? "0X" : "0x";
  put_number(o, d, d->alternate && value != 0 ? prefix : "", value, 16);
}

static void put_string(struct output *o, const struct directive *d, const char *s) {
  if (s == NULL) s = "(null)";
  size_t n = 0;
  while ((!d->has_precision || n < d->precision) && s[n] != '\0') n++;
  put_field(o, d, "", 0, s, n);
}

static void put_address(struct output *o, const struct directive *d, const void *address) {
  if (o->shows_addresses)
    put_number(o, d, "0x", (uintptr_t)address, 16);
  else
    put_field(o, d, "", 0, "(address)", 9);
}

/* False when the conversion is not known; then nothing was fetched or printed. */
static bool put_directive(struct output *o, const struct directive *d, struct arguments *args) {
  switch (d->conversion) {
  case 'd':
  case 'i':
    put_signed(o, d, fetch_signed(args, d->length));
    return true;
  case 'u':
    put_number(o, d, "", fetch_unsigned(args, d->length), 10);
    return true;
  case 'x':
  case 'X':
    put_hexadecimal(o, d, fetch_unsigned(args, d->length));
    return true;
  case 'c': {
    const char c = (char)va_arg(args->list, int);
    put_field(o, d, "", 0, &c, 1);
    return true;
  }
  case 's':
    put_string(o, d, va_arg(args->list, const char *));
    return true;
  case 'p':
    put_address(o, d, va_arg(args->list, const void *));
    return true;
  case '%':
    put(o, "%", 1);
    return true;
  default:
    return false;
  }
}

static size_t format_run(struct output *o, const char *format, struct arguments *args) {
  const char *f = format;
  for (;;) {
    const char *text = f;
    while (*f != '\0' && *f != '%') f++;
    put(o, text, (size_t)(f - text));
    if (*f == '\0') return o->length;
    struct directive d = {};
    const char *start = f;
    f = parse_flags(f + 1, &d);
    f = parse_width(f, &d, args);
    f = parse_precision(f, &d, args);
    f = parse_length(f, &d);
    d.conversion = *f;
    if (*f != '\0') f++;
    if (!put_directive(o, &d, args)) put(o, start, (size_t)(f - start));
  }
}

size_t format_to_sink(format_sink_t sink, void *context, const char *format, va_list args) {
  struct output o = {.sink = sink, .context = context};
  struct arguments a;
  va_copy(a.list, args);
  const size_t length = format_run(&o, format, &a);
  va_end(a.list);
  return length;
}

size_t format_to_sink_with_addresses(format_sink_t sink, void *context, const char *format, va_list args) {
  struct output o = {.sink = sink, .context = context, .shows_addresses = true};
  struct arguments a;
  va_copy(a.list, args);
  const size_t length = format_run(&o, format, &a);
  va_end(a.list);
  return length;
}

struct string_sink {
  char *to;
  size_t size, fill;
};

static void string_put(void *context, const char *bytes, size_t n) {
  struct string_sink *s = context;
  if (s->fill + 1 >= s->size) return;
  const size_t room = s->size - 1 - s->fill;
  const size_t taken = n < room ? n : room;
  memcpy(s->to + s->fill, bytes, taken);
  s->fill += taken;
}

size_t format_string_v(char *to, size_t size, const char *format, va_list args) {
  struct string_sink s = {.to = to, .size = size};
  const size_t length = format_to_sink(string_put, &s, format, args);
  if (size != 0) to[s.fill] = '\0';
  return length;
}

size_t format_string(char *to, size_t size, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const size_t length = format_string_v(to, size, format, args);
  va_end(args);
  return length;
}

/* The unit is the first in which the number has at most three digits; 1000 to 1023 of a unit become 0.97 to 0.99. */
char *format_size(char to[static 12], uint64_t bytes) {
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1000) {
    format_string(to, 12, "%u B", (unsigned)bytes);
    return to;
  }
  unsigned unit = 0;
  while (bytes >> (10 * unit + 10) >= 1000) unit++;
  const unsigned shift = 10 * unit + 10;
  const unsigned whole = (unsigned)(bytes >> shift);
  /* The ten bits below the point are enough: they decide the first two decimals but for a rounding down. */
  const unsigned below = (unsigned)(bytes >> (shift - 10)) & 1023;
  if (whole == 0)
    format_string(to, 12, "0.%02u %s", below * 100 / 1024, units[unit]);
  else if (whole < 100)
    format_string(to, 12, "%u.%u %s", whole, below * 10 / 1024, units[unit]);
  else
    format_string(to, 12, "%u %s", whole, units[unit]);
  return to;
}
