/*
 * naming.c
 *		Names of columns and tables, made from display names or ids in HiBob.
 *
 * Knows encodings and collations, not HiBob's metadata.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_collation_d.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "options/naming.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"

#define MAX_NAME (NAMEDATALEN - 1)

struct Naming
{
	HTAB	   *taken;
	bool		by_id;
};

typedef struct TakenName
{
	char		name[NAMEDATALEN];
	int			number;			/* the last one that was appended to it */
} TakenName;

typedef struct CodeRange
{
	pg_wchar	first;
	pg_wchar	last;
} CodeRange;

/*
 * Characters beyond ASCII that are neither letters, marks nor digits, as far as
 * they may occur in a display name.  The server has Unicode's categories only
 * from version 17 on.
 */
static const CodeRange separators[] = {
	{0x0080, 0x00A9},			/* controls, Latin-1 punctuation */
	{0x00AB, 0x00B1},
	{0x00B4, 0x00B4},
	{0x00B6, 0x00B8},
	{0x00BB, 0x00BF},
	{0x00D7, 0x00D7},			/* multiplication, division */
	{0x00F7, 0x00F7},
	{0x02C2, 0x02C5},			/* modifier symbols */
	{0x02D2, 0x02DF},
	{0x037E, 0x037E},			/* Greek question mark and dot */
	{0x0387, 0x0387},
	{0x055A, 0x055F},			/* Armenian */
	{0x0589, 0x058F},
	{0x05BE, 0x05BE},			/* Hebrew */
	{0x05C0, 0x05C0},
	{0x05C3, 0x05C3},
	{0x05F3, 0x05F4},
	{0x0600, 0x060F},			/* Arabic */
	{0x061B, 0x061F},
	{0x066A, 0x066D},
	{0x06D4, 0x06D4},
	{0x0964, 0x0965},			/* Devanagari dandas */
	{0x0E3F, 0x0E3F},			/* baht */
	{0x0E4F, 0x0E4F},			/* Thai */
	{0x0E5A, 0x0E5B},
	{0x2000, 0x206F},			/* general punctuation, invisible characters */
	{0x207A, 0x207E},			/* signs above and below the line */
	{0x208A, 0x208E},
	{0x20A0, 0x20FF},			/* currencies; frames around symbols */
	{0x2100, 0x2101},			/* letter-like symbols */
	{0x2116, 0x2118},
	{0x211E, 0x2123},
	{0x2190, 0x245F},			/* arrows, mathematics, technical */
	{0x249C, 0x2BFF},			/* boxes, shapes, symbols, dingbats */
	{0x2E00, 0x2E7F},			/* further punctuation */
	{0x3000, 0x3004},			/* Chinese, Japanese, Korean punctuation */
	{0x3008, 0x3020},
	{0x3030, 0x3030},
	{0x303D, 0x303F},
	{0x30A0, 0x30A0},
	{0x30FB, 0x30FB},
	{0xD800, 0xF8FF},			/* surrogates, private use */
	{0xFD3E, 0xFD3F},
	{0xFE00, 0xFE1F},			/* variation selectors, vertical forms */
	{0xFE30, 0xFE6F},			/* small forms */
	{0xFEFF, 0xFEFF},
	{0xFF01, 0xFF0F},			/* full-width punctuation */
	{0xFF1A, 0xFF20},
	{0xFF3B, 0xFF40},
	{0xFF5B, 0xFF65},
	{0xFFE0, 0xFFFF},
	{0x1F000, 0x1FAFF},			/* emoji and other pictures */
	{0xE0000, 0x10FFFF},		/* tags, private use */
};

Naming *
naming_create(bool by_id)
{
	Naming	   *naming = palloc(sizeof(Naming));
	HASHCTL		control = {
		.keysize = NAMEDATALEN,
		.entrysize = sizeof(TakenName),
		.hcxt = CurrentMemoryContext,
	};

	naming->taken = hash_create("hibob_fdw names", 128, &control,
								HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	naming->by_id = by_id;
	return naming;
}

void
naming_reserve(Naming *naming, const char *name)
{
	bool		found;
	TakenName  *taken = hash_search(naming->taken, name, HASH_ENTER, &found);

	if (!found)
		taken->number = 1;
}

static TakenName *
find_taken(const Naming *naming, const char *name)
{
	return hash_search(naming->taken, name, HASH_FIND, NULL);
}

static bool
belongs_to_names(pg_wchar c)
{
	int			low = 0;
	int			high = lengthof(separators) - 1;

	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9');
	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (c < separators[middle].first)
			high = middle - 1;
		else if (c > separators[middle].last)
			low = middle + 1;
		else
			return false;
	}
	return true;
}

/* Replaces everything between letters and digits by one underscore. */
static char *
join_words(const char *text)
{
	StringInfoData name;
	bool		between = false;

	initStringInfo(&name);
	while (*text != '\0')
	{
		const unsigned char *c = (const unsigned char *) text;
		int			length = pg_utf_mblen(c);

		if (!belongs_to_names(utf8_to_unicode(c)))
			between = name.len > 0;
		else
		{
			if (between)
				appendStringInfoChar(&name, '_');
			between = false;
			appendBinaryStringInfo(&name, text, length);
		}
		text += length;
	}
	return name.data;
}

/* NULL if there is no such conversion, or the encoding lacks a character. */
static char *
convert_encoding(const char *text, int from, int to)
{
	int			length = (int) strlen(text);
	int			room = length * MAX_CONVERSION_GROWTH + 1;
	char	   *result = palloc(room);
	Oid			conversion = FindDefaultConversionProc(from, to);

	if (!OidIsValid(conversion) ||
		pg_do_encoding_conversion_buf(
			conversion, from, to,
			unconstify(unsigned char *, (const unsigned char *) text), length,
			(unsigned char *) result, room, true) != length)
		return NULL;
	return result;
}

char *
naming_to_server(const char *text)
{
	int			encoding = GetDatabaseEncoding();

	if (text == NULL ||
		!pg_verify_mbstr(PG_UTF8, text, (int) strlen(text), true))
		return NULL;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(text);
	return convert_encoding(text, PG_UTF8, encoding);
}

char *
naming_to_utf8(const char *text)
{
	int			encoding = GetDatabaseEncoding();

	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
		return convert_encoding(text, encoding, PG_UTF8);
	return pg_verify_mbstr(PG_UTF8, text, (int) strlen(text), true) ?
		pstrdup(text) : NULL;
}

/* The encoding of names.  SQL_ASCII has none, and HiBob sends UTF-8. */
static int
names_encoding(void)
{
	int			encoding = GetDatabaseEncoding();

	return encoding == PG_SQL_ASCII ? PG_UTF8 : encoding;
}

/* Truncates at a character, and drops underscores at the end. */
static char *
truncate_name(const char *name, int limit)
{
	int			length = (int) strlen(name);

	length = pg_encoding_mbcliplen(names_encoding(), name, length,
								   Min(length, limit));
	while (length > 0 && name[length - 1] == '_')
		length--;
	return pnstrdup(name, length);
}

/*
 * A collation with the same lower case in every database: the locale C converts
 * only ASCII, and a Turkish locale converts I differently.  Needs a server with
 * ICU.  In SQL_ASCII only ASCII is safe, since a locale may take bytes for
 * characters.
 */
static Oid
collation_of_names(void)
{
	Oid			collation;

	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return C_COLLATION_OID;
	collation = get_collation_oid(list_make2(makeString("pg_catalog"),
											 makeString("und-x-icu")), true);
	return OidIsValid(collation) ? collation : DEFAULT_COLLATION_OID;
}

/*
 * Whether a name, in the database's encoding, consists of characters that
 * naming_choose() keeps.
 */
static bool
is_name(const char *name)
{
	const char *text = naming_to_utf8(name);

	return text != NULL && strcmp(join_words(text), text) == 0;
}

/*
 * Converts to lower case.  If the encoding lacks a lower-case letter, the
 * conversion yields another character; then only ASCII is converted.
 */
static char *
lower_name(const char *name)
{
	char	   *lower = str_tolower(name, strlen(name), collation_of_names());

	return is_name(lower) ? lower :
		str_tolower(name, strlen(name), C_COLLATION_OID);
}

/* A text in snake_case; NULL if no letter or digit is left. */
static char *
snake_case(const char *text)
{
	char	   *name;

	if (text == NULL ||
		!pg_verify_mbstr(PG_UTF8, text, (int) strlen(text), true))
		return NULL;
	name = naming_to_server(join_words(text));
	if (name == NULL || name[0] == '\0')
		return NULL;
	return truncate_name(lower_name(name), MAX_NAME);
}

/* Takes a name, with a number appended if it is taken already. */
static char *
reserve_unique(Naming *naming, const char *name)
{
	char	   *result = truncate_name(name, MAX_NAME);
	TakenName  *taken = find_taken(naming, result);

	while (find_taken(naming, result) != NULL)
	{
		char	   *number = psprintf("_%d", ++taken->number);

		CHECK_FOR_INTERRUPTS();
		result = psprintf("%s%s", truncate_name(name, MAX_NAME - (int) strlen(number)),
						  number);
	}
	naming_reserve(naming, result);
	return result;
}

/*
 * An id in snake_case, with a word for each part in camel case.  The result is
 * ASCII, although an id can contain a name that the account chose.
 */
static char *
snake_case_id(const char *id)
{
	StringInfoData name;
	bool		between = false;

	initStringInfo(&name);
	for (const char *c = id; *c != '\0'; c++)
	{
		if (IS_HIGHBIT_SET(*c) || !belongs_to_names(*c))
		{
			between = name.len > 0;
			continue;
		}
		if (c > id && *c >= 'A' && *c <= 'Z' && c[-1] >= 'a' && c[-1] <= 'z')
			between = true;
		if (between)
			appendStringInfoChar(&name, '_');
		between = false;
		appendStringInfoChar(&name, pg_ascii_tolower(*c));
	}
	return name.len > 0 ? name.data : NULL;
}

/* The preferred name, even if it is taken. */
static char *
plain_name(const Naming *naming, const char *display, const char *id)
{
	char	   *name = naming->by_id ? snake_case_id(id) : snake_case(display);

	if (name == NULL && !naming->by_id)
		name = snake_case(id);
	return name != NULL ? name : pstrdup("unnamed");
}

char *
naming_choose(Naming *naming, const char *display, const char *category,
			  const char *id)
{
	char	   *name = plain_name(naming, display, id);
	char	   *prefix = naming->by_id ? NULL : snake_case(category);

	if (find_taken(naming, name) != NULL && prefix != NULL)
		name = psprintf("%s_%s", prefix, name);
	return reserve_unique(naming, name);
}

char *
naming_derive(Naming *naming, const char *name, const char *ending)
{
	int			limit = MAX_NAME - (int) strlen(ending);

	return reserve_unique(naming, psprintf("%s%s", truncate_name(name, limit),
										   ending));
}
