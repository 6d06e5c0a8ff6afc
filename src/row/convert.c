/*
 * convert.c
 *		Fast conversion of values of a few types from HiBob's text.
 *
 * The server's input functions accept many forms: names of months, infinity,
 * spaces around the value.  HiBob writes dates, numbers and booleans in one
 * form each, and most texts in ASCII.  A text in that form is converted here,
 * with the same result as by the input function.  Any other text, and any that
 * does not fit the type, is left to the input function, so that there are no
 * error messages here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "row/convert.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* ------------------------------------------------------------------------
 * Text
 * ------------------------------------------------------------------------
 */

/* Whether all of eight bytes are from 1 to 127. */
static inline bool
eight_are_plain(const char *bytes)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	uint64		word;

	/* The difference has a top bit only if a byte is zero or has one. */
	memcpy(&word, bytes, sizeof(word));
	return ((word | (word - ones)) & (ones << 7)) == 0;
}

/*
 * Whether a text is ASCII without the character zero, which is valid, and the
 * same, in every server encoding.
 */
static inline bool
is_plain(const char *text, size_t length)
{
	const char *end = text + length;

	if (length >= 8)
	{
		for (; end - text > 8; text += 8)
			if (!eight_are_plain(text))
				return false;
		return eight_are_plain(end - 8);
	}
	for (; text < end; text++)
		if (*text == '\0' || (unsigned char) *text > 127)
			return false;
	return true;
}

/*
 * text, and varchar if it has no length or the text is short enough: a longer
 * one may end in blanks, which are cut off.
 */
static bool
fast_text(const char *text, size_t length, int32 typmod, Datum *result)
{
	if (typmod >= (int32) VARHDRSZ && length > (size_t) typmod - VARHDRSZ)
		return false;
	if (!is_plain(text, length))
		return false;
	*result = PointerGetDatum(cstring_to_text_with_len(text, (int) length));
	return true;
}

/* ------------------------------------------------------------------------
 * Booleans and numbers
 * ------------------------------------------------------------------------
 */

static bool
fast_bool(const char *text, size_t length, int32 typmod, Datum *result)
{
	bool		value = length == 4 && memcmp(text, "true", 4) == 0;

	if (!value && (length != 5 || memcmp(text, "false", 5) != 0))
		return false;
	*result = BoolGetDatum(value);
	return true;
}

/* At most 18 digits, which fit into 64 bits, and an optional minus. */
static inline bool
read_integer(const char *text, size_t length, int64 *result)
{
	const char *end = text + length;
	bool		negative = length > 0 && *text == '-';
	int64		value = 0;

	text += negative;
	if (text == end || end - text > 18)
		return false;
	for (; text < end; text++)
	{
		unsigned int digit = (unsigned char) *text - '0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*result = negative ? -value : value;
	return true;
}

static bool
fast_int2(const char *text, size_t length, int32 typmod, Datum *result)
{
	int64		value;

	if (!read_integer(text, length, &value) ||
		value < PG_INT16_MIN || value > PG_INT16_MAX)
		return false;
	*result = Int16GetDatum((int16) value);
	return true;
}

static bool
fast_int4(const char *text, size_t length, int32 typmod, Datum *result)
{
	int64		value;

	if (!read_integer(text, length, &value) ||
		value < PG_INT32_MIN || value > PG_INT32_MAX)
		return false;
	*result = Int32GetDatum((int32) value);
	return true;
}

static bool
fast_int8(const char *text, size_t length, int32 typmod, Datum *result)
{
	int64		value;

	if (!read_integer(text, length, &value))
		return false;
	*result = Int64GetDatum(value);
	return true;
}

/* ------------------------------------------------------------------------
 * Dates and times
 * ------------------------------------------------------------------------
 */

/* The value of that many digits, or -1. */
static inline int
read_digits(const char *text, int digits)
{
	int			value = 0;

	for (int i = 0; i < digits; i++)
	{
		unsigned int digit = (unsigned char) text[i] - '0';

		if (digit > 9)
			return -1;
		value = value * 10 + (int) digit;
	}
	return value;
}

/*
 * YYYY-MM-DD, which does not depend on DateStyle: a first part of more than two
 * digits is a year.  There is no year 0.
 */
static inline bool
read_date(const char *text, DateADT *result)
{
	int			year = read_digits(text, 4);
	int			month = read_digits(text + 5, 2);
	int			day = read_digits(text + 8, 2);

	if (text[4] != '-' || text[7] != '-' || year < 1 || month < 1 ||
		month > MONTHS_PER_YEAR || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*result = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

static bool
fast_date(const char *text, size_t length, int32 typmod, Datum *result)
{
	DateADT		date;

	if (length != 10 || !read_date(text, &date))
		return false;
	*result = DateADTGetDatum(date);
	return true;
}

/* At most six fractional digits, as microseconds; or -1. */
static inline int
read_fraction(const char *text, size_t length)
{
	int			value;

	if (length < 1 || length > 6)
		return -1;
	value = read_digits(text, (int) length);
	for (; value > 0 && length < 6; length++)
		value *= 10;
	return value;
}

/*
 * hh:mm:ss with an optional fraction.  A second 60 and an hour 24, which the
 * server accepts, are left to the input function.
 */
static inline bool
read_time(const char *text, size_t length, int64 *microseconds)
{
	int			hour = read_digits(text, 2);
	int			minute = read_digits(text + 3, 2);
	int			second = read_digits(text + 6, 2);
	int			fraction = 0;

	if (text[2] != ':' || text[5] != ':' || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	if (length > 8)
		fraction = text[8] == '.' ? read_fraction(text + 9, length - 9) : -1;
	if (fraction < 0)
		return false;
	*microseconds = ((hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE +
					 second) * USECS_PER_SEC + fraction;
	return true;
}

/* YYYY-MM-DDThh:mm:ss.ffffff: HiBob's times have no zone. */
static bool
fast_timestamp(const char *text, size_t length, int32 typmod, Datum *result)
{
	DateADT		date;
	int64		microseconds;

	if (length < 19 || text[10] != 'T' || !read_date(text, &date) ||
		!read_time(text + 11, length - 11, &microseconds))
		return false;
	*result = TimestampGetDatum(date * USECS_PER_DAY + microseconds);
	return true;
}

FastConversion
convert_fast(Oid type, int32 typmod)
{
	if (type == VARCHAROID)
		return fast_text;
	if (typmod >= 0)
		return NULL;
	switch (type)
	{
		case TEXTOID:
			return fast_text;
		case BOOLOID:
			return fast_bool;
		case INT2OID:
			return fast_int2;
		case INT4OID:
			return fast_int4;
		case INT8OID:
			return fast_int8;
		case DATEOID:
			return fast_date;
		case TIMESTAMPOID:
			return fast_timestamp;
		default:
			return NULL;
	}
}
