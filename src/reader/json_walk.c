/*
 * json_walk.c
 *		Iterates over the parts of a JSON value.
 *
 * Like all of the reader, this file knows nothing of PostgreSQL and builds
 * alone.
 */
#include "reader/json_walk.h"

#include <string.h>

#include "reader/json_scan.h"

/* The closing quote of a string. */
static const char *
string_end(const char *p, const char *end, uint8_t *flags)
{
	JsonScan	scan = {0};

	p = json_scan_string(&scan, p, end);
	*flags = scan.flags;
	return p;
}

/* The byte after an object or array. */
static const char *
container_end(const char *p, const char *end)
{
	int			depth = 0;
	uint8_t		flags;

	do
	{
		if (*p == '"')
			p = string_end(p, end, &flags);
		else if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
	}
	while (depth > 0);
	return p;
}

/* The byte after a number or a word. */
static const char *
scalar_end(const char *p, const char *end)
{
	while (p < end && strchr(",]} \t\r\n", *p) == NULL)
		p++;
	return p;
}

static JsonKind
kind_of(char first)
{
	switch (first)
	{
		case '{':
			return JSON_OBJECT;
		case '[':
			return JSON_ARRAY;
		case '"':
			return JSON_STRING;
		case 'n':
			return JSON_NULL;
		case 't':
			return JSON_TRUE;
		case 'f':
			return JSON_FALSE;
		default:
			return JSON_NUMBER;
	}
}

JsonSlice
json_walk_value(const char *window, size_t length, size_t offset)
{
	const char *end = window + length;
	const char *start = json_skip_space(window + offset, end);
	JsonSlice	value = {.kind = kind_of(*start)};

	if (value.kind == JSON_STRING)
		end = string_end(start++, end, &value.flags);
	else if (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY)
		end = container_end(start, end);
	else
		end = scalar_end(start, end);
	value.start = (size_t) (start - window);
	value.length = (size_t) (end - start);
	return value;
}

/* The offset of the byte after a value. */
static size_t
end_offset(const JsonSlice *value)
{
	return value->start + value->length + (value->kind == JSON_STRING ? 1 : 0);
}

bool
json_walk_next(const char *window, const JsonSlice *container, size_t *offset,
			   JsonSlice *key, JsonSlice *part)
{
	size_t		length = container->start + container->length;
	const char *end;
	const char *p;
	JsonSlice	name;

	/* without a container, there may be no window either */
	if (container->kind != JSON_ARRAY && container->kind != JSON_OBJECT)
		return false;
	end = window + length;
	p = window + container->start + *offset;
	/* the opening bracket, or the comma after the last part */
	p = json_skip_space(json_skip_space(p, end) + (*offset == 0), end);
	if (*p == ',')
		p = json_skip_space(p + 1, end);
	if (*p == ']' || *p == '}')
		return false;
	if (container->kind == JSON_OBJECT)
	{
		name = json_walk_value(window, length, (size_t) (p - window));
		if (key != NULL)
			*key = name;
		/* the colon */
		p = json_skip_space(window + end_offset(&name), end) + 1;
	}
	*part = json_walk_value(window, length, (size_t) (p - window));
	*offset = end_offset(part) - container->start;
	return true;
}

bool
json_walk_is_key(const char *window, const JsonSlice *key, const char *text)
{
	const char *start = window + key->start;

	return json_key_equals(start, start + key->length, text, strlen(text));
}

JsonSlice
json_walk_member(const char *window, const JsonSlice *object, const char *key)
{
	JsonSlice	found = {0};
	JsonSlice	name;
	JsonSlice	value;
	size_t		offset = 0;

	if (object->kind != JSON_OBJECT)
		return found;
	while (json_walk_next(window, object, &offset, &name, &value))
		if (json_walk_is_key(window, &name, key))
			found = value;
	return found;
}
