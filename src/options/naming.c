/*
 * naming.c
 *		Names of columns and tables, made of the names that people see.
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
};

typedef struct TakenName
{
	char		name[NAMEDATALEN];
	int			number;			/* the last one that was put behind it */
} TakenName;

typedef struct CodeRange
{
	pg_wchar	first;
	pg_wchar	last;
} CodeRange;

/*
 * What beyond ASCII is neither letter, mark nor digit, as far as it may occur
 * in a name.  The server knows Unicode's categories only from version 17 on.
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
naming_create(void)
{
	Naming	   *naming = palloc(sizeof(Naming));
	HASHCTL		control = {
		.keysize = NAMEDATALEN,
		.entrysize = sizeof(TakenName),
		.hcxt = CurrentMemoryContext,
	};

	naming->taken = hash_create("hibob_fdw names", 128, &control,
								HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
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

/* With one underscore for all that is between letters and digits. */
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

char *
naming_to_server(const char *text)
{
	int			encoding = GetDatabaseEncoding();
	int			length = text != NULL ? (int) strlen(text) : 0;
	int			room = length * MAX_CONVERSION_GROWTH + 1;
	unsigned char *result;
	Oid			conversion;

	if (text == NULL || !pg_verify_mbstr(PG_UTF8, text, length, true))
		return NULL;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(text);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return NULL;
	result = palloc(room);
	return pg_do_encoding_conversion_buf(
			   conversion, PG_UTF8, encoding,
			   unconstify(unsigned char *, (const unsigned char *) text),
			   length, result, room, true) == length
			   ? (char *) result
			   : NULL;
}

/* Cut to so many bytes, at a character, and without an underscore there. */
static char *
cut(const char *name, int limit)
{
	int			length = (int) strlen(name);

	length = pg_mbcliplen(name, length, Min(length, limit));
	while (length > 0 && name[length - 1] == '_')
		length--;
	return pnstrdup(name, length);
}

/*
 * The same letters in every database, be its locale C, which has no others than
 * ASCII's, or Turkish, which has an i of its own: if the server has ICU.
 */
static Oid
collation_of_names(void)
{
	Oid			collation =
		get_collation_oid(list_make2(makeString("pg_catalog"),
									 makeString("und-x-icu")), true);

	return OidIsValid(collation) ? collation : DEFAULT_COLLATION_OID;
}

/* A text in snake_case; NULL if nothing is left of it. */
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
	name = str_tolower(name, strlen(name), collation_of_names());
	return cut(name, MAX_NAME);
}

/* Takes a name, with a number behind it where others have it already. */
static char *
take(Naming *naming, const char *name)
{
	char	   *result = cut(name, MAX_NAME);
	TakenName  *taken = find_taken(naming, result);

	while (find_taken(naming, result) != NULL)
	{
		char	   *number = psprintf("_%d", ++taken->number);

		CHECK_FOR_INTERRUPTS();
		result = psprintf("%s%s", cut(name, MAX_NAME - (int) strlen(number)),
						  number);
	}
	naming_reserve(naming, result);
	return result;
}

char *
naming_choose(Naming *naming, const char *display, const char *category,
			  const char *id)
{
	char	   *name = snake_case(display);
	char	   *prefix = snake_case(category);

	if (name == NULL)
		name = snake_case(id);
	if (name == NULL)
		name = pstrdup("unnamed");
	if (find_taken(naming, name) != NULL && prefix != NULL)
		name = psprintf("%s_%s", prefix, name);
	return take(naming, name);
}

char *
naming_derive(Naming *naming, const char *name, const char *ending)
{
	return take(naming, psprintf("%s%s",
								 cut(name, MAX_NAME - (int) strlen(ending)),
								 ending));
}
