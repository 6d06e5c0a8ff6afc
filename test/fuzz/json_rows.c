/*
 * json_rows.c
 *		The rows of a document and the wanted values outside of them.
 *
 * A place is the rest of each pattern after the steps that lead to a value.  A
 * step is a key, or "each element".
 */
#include "json_rows.h"

#include <string.h>

#include "fuzz.h"

#define MAX_ROWS 8				/* patterns */

/* The rest of each pattern; NULL if the pattern does not lead here. */
typedef struct Place
{
	const char *rows[MAX_ROWS];
	const char *outsides[ROWS_MAX_OUTSIDES];
	bool		is_row;
	bool		key_leads;		/* to rows */
	bool		element_leads;
	bool		is_element;		/* of an array */
	bool		in_element;		/* a member of such an object */
} Place;

typedef struct Walk
{
	RefSearch  *search;
	bool		in_row;			/* an enclosing object may be a row */
} Walk;

static bool walk_value(Walk *walk, const Place *place, const RefValue *value,
					   bool *led_on);

/*
 * Patterns
 */

static bool
is_element(const char *pattern)
{
	return strncmp(pattern, "[]", 2) == 0;
}

/*
 * The rest of a pattern after its first step, if that is this key, or "each
 * element" for a NULL key; otherwise NULL.
 */
static const char *
match_step(const char *pattern, const RefValue *step)
{
	size_t		length;

	if (pattern == NULL || *pattern == '\0')
		return NULL;
	if (step == NULL || is_element(pattern))
		return (step == NULL && is_element(pattern))
				   ? pattern + 2 + (pattern[2] == '.')
				   : NULL;
	length = strcspn(pattern, ".[");
	if (step->key == NULL || step->key_length != length ||
		memcmp(step->key, pattern, length) != 0)
		return NULL;
	return pattern + length + (pattern[length] == '.');
}

/* Whether a pattern begins with the steps of another one, or is equal to it. */
static bool
begins_with(const char *pattern, const char *other, size_t length)
{
	return strncmp(pattern, other, length) == 0 &&
		   (length == 0 || strchr(".[", pattern[length]) != NULL);
}

/*
 * Whether a pattern of a value outside of rows can match: each of its arrays
 * leads to rows, but the value itself does not.
 */
static bool
can_be_outside(const RefSearch *search, const char *pattern)
{
	const char *each = pattern;
	const char *const *rows;
	bool		found;

	for (rows = search->rows; *rows != NULL; rows++)
	{
		if (begins_with(*rows, pattern, strlen(pattern)))
			return false;
	}
	while ((each = strstr(each, "[]")) != NULL)
	{
		each += 2;
		found = false;
		for (rows = search->rows; *rows != NULL; rows++)
			found |= begins_with(*rows, pattern, (size_t) (each - pattern));
		if (!found)
			return false;
	}
	return true;
}

/*
 * Places
 */

static void
describe_place(Place *place)
{
	int			i;

	for (i = 0; i < MAX_ROWS; i++)
	{
		const char *rest = place->rows[i];

		if (rest == NULL)
			continue;
		place->is_row |= (*rest == '\0');
		place->element_leads |= is_element(rest);
		place->key_leads |= (*rest != '\0' && !is_element(rest));
	}
}

/* The place of the document's value. */
static Place
first_place(const RefSearch *search)
{
	Place		place = {.is_row = false};
	int			i;

	for (i = 0; search->rows[i] != NULL; i++)
	{
		require(i < MAX_ROWS);
		place.rows[i] = search->rows[i];
	}
	for (i = 0; i < search->noutsides; i++)
	{
		const char *pattern = search->outsides[i];

		pattern += (*pattern == '!');
		if (can_be_outside(search, pattern))
			place.outsides[i] = pattern;
	}
	describe_place(&place);
	return place;
}

static Place
next_place(const Place *place, const RefValue *step)
{
	Place		next = {.is_element = (step == NULL),
	.in_element = (step != NULL && place->is_element)};
	int			i;

	for (i = 0; i < MAX_ROWS; i++)
		next.rows[i] = match_step(place->rows[i], step);
	for (i = 0; i < ROWS_MAX_OUTSIDES; i++)
		next.outsides[i] = match_step(place->outsides[i], step);
	describe_place(&next);
	return next;
}

static bool
is_on_path(const Place *place)
{
	return place->is_row || place->key_leads || place->element_leads;
}

/*
 * Values
 */

/* Discards the values at the place and below it; kept ones only if "all". */
static void
forget(Walk *walk, const Place *place, bool all)
{
	RefSearch  *search = walk->search;
	int			i;

	for (i = 0; i < search->noutsides; i++)
	{
		if (place->outsides[i] != NULL &&
			(all || search->outsides[i][0] != '!'))
			search->found[i].value = NULL;
	}
}

static void
note(Walk *walk, const Place *place, const RefValue *value)
{
	int			i;

	for (i = 0; i < walk->search->noutsides; i++)
	{
		if (place->outsides[i] == NULL || *place->outsides[i] != '\0')
			continue;
		walk->search->found[i].value = value;
		walk->search->found[i].times++;
	}
}

static bool
misshapen(Walk *walk, size_t position)
{
	walk->search->result = JSON_BAD;
	walk->search->defect.kind = JSON_DEFECT_SHAPE;
	walk->search->defect.position = position;
	return false;
}

static bool
leads_on(const Place *place, const RefValue *value)
{
	if (value->slice.kind == JSON_OBJECT)
		return place->is_row || place->key_leads;
	return value->slice.kind == JSON_ARRAY && place->element_leads;
}

/* Whether a member before it has the same key and led to rows, too. */
static bool
comes_twice(const Place *place, const RefValue *container,
			const RefValue *member)
{
	const RefValue *other;

	for (other = container->first; other != member; other = other->next)
	{
		if (other->key_length == member->key_length &&
			(member->key_length == 0 ||
			 (other->key != NULL && member->key != NULL &&
			  memcmp(other->key, member->key, member->key_length) == 0)) &&
			leads_on(place, other))
			return leads_on(place, member);
	}
	return false;
}

/* Visits the values in a container.  Returns false to stop. */
static bool
walk_container(Walk *walk, const Place *place, const RefValue *container,
			   bool *led_on)
{
	bool		is_object = (container->slice.kind == JSON_OBJECT);
	const RefValue *value;
	Place		next;

	for (value = container->first; value != NULL; value = value->next)
	{
		next = next_place(place, is_object ? value : NULL);
		if (is_object && comes_twice(&next, container, value))
			return misshapen(walk, value->slice.start);
		if (!walk_value(walk, &next, value, led_on))
			return false;
	}
	return container->complete;
}

/*
 * An object that contains an array of rows, or another row, is no row itself.
 */
static bool
walk_row(Walk *walk, const Place *place, const RefValue *value)
{
	bool		led_on = false;

	walk->in_row = true;
	if (!walk_container(walk, place, value, &led_on))
		return false;
	if (walk->in_row)
	{
		walk->in_row = false;
		forget(walk, place, true);
		walk->search->take_row(walk->search, value);
	}
	return true;
}

/* An array of rows, or an object that leads to one if it has the key. */
static bool
walk_way(Walk *walk, const Place *place, const RefValue *value)
{
	bool		is_object = (value->slice.kind == JSON_OBJECT);
	bool		led_on = false;

	if (!is_object)
		walk->in_row = false;
	if (!walk_container(walk, place, value, &led_on))
		return false;
	if (is_object && !led_on && !walk->in_row)
		return misshapen(walk, value->slice.start + value->slice.length - 1);
	if (!is_object)
		forget(walk, place, false);
	return true;
}

/*
 * A value at a place.  Sets "led_on" of the container around it if the value
 * leads to rows.
 */
static bool
walk_value(Walk *walk, const Place *place, const RefValue *value, bool *led_on)
{
	JsonKind	kind = (JsonKind) value->slice.kind;
	bool		none = false;

	forget(walk, place, false);
	if (kind == JSON_OBJECT && place->is_row)
	{
		*led_on = true;
		return walk_row(walk, place, value);
	}
	if ((kind == JSON_OBJECT && place->key_leads) ||
		(kind == JSON_ARRAY && place->element_leads))
	{
		*led_on = true;
		return walk_way(walk, place, value);
	}
	if (kind == JSON_NULL && place->element_leads && place->in_element)
		*led_on = true;
	else if (!walk->in_row && is_on_path(place))
		return misshapen(walk, value->slice.start - (kind == JSON_STRING));
	if (!walk_container(walk, place, value, &none))
		return false;
	note(walk, place, value);
	return true;
}

void
reference_search(RefSearch *search, const RefDocument *document)
{
	Walk		walk = {.search = search};
	Place		place = first_place(search);
	bool		led_on = false;

	memset(search->found, 0, sizeof(search->found));
	search->result = JSON_END;
	if (document->value != NULL)
		walk_value(&walk, &place, document->value, &led_on);
	if (search->result == JSON_END && !document->valid)
	{
		search->result = JSON_BAD;
		search->defect = document->defect;
	}
	if (search->result == JSON_BAD)
		memset(search->found, 0, sizeof(search->found));
}
