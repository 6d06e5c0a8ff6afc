/*
 * json_reference.h
 *		A JSON document as a tree, read in the simplest way.
 *
 * The fuzz harnesses compare json_reader.c with this.  It is written from
 * RFC 8259 and json_reader.h, with the whole document in memory.  It shares no
 * code with the reader, only the types of the results.
 */
#ifndef JSON_REFERENCE_H
#define JSON_REFERENCE_H

#include "reader/json_reader.h"

typedef struct RefValue
{
	JsonSlice	slice;			/* in the document */
	bool		complete;		/* a container that ended, or a scalar */
	const char		*key;	   /* of a member, escapes resolved; NULL if it
								 * stands for no text, or for an element */
	size_t		key_length;
	const char *text;			/* of a string, likewise */
	size_t		text_length;
	struct RefValue *first;		/* elements or members, in their order */
	struct RefValue *last;
	struct RefValue *next;
} RefValue;

/* Valid until the second next document is read. */
typedef struct RefDocument
{
	const RefValue *value;		/* the part before the defect, or NULL */
	bool		valid;
	JsonDefect	defect;			/* if not; without a message */
} RefDocument;

extern const RefDocument *reference_read(const char *text, size_t size,
										 int max_depth);

/* The last member of an object with this key, or NULL. */
extern const RefValue *reference_member(const RefValue *value, const char *key);

#endif							/* JSON_REFERENCE_H */
