/*
 * json_reference.h
 *		A JSON document as a tree, read as simply as can be.
 *
 * What the fuzz harnesses hold json_reader.c against: written from RFC 8259
 * and json_reader.h, with the whole document in memory, and slow.  It shares
 * no code with the reader, only the types that say what was found.
 */
#ifndef JSON_REFERENCE_H
#define JSON_REFERENCE_H

#include "reader/json_reader.h"

typedef struct RefValue
{
	JsonSlice	slice;			/* in the document */
	bool		complete;		/* a container that was closed, or a scalar */
	const char		*key;	   /* of a member, escapes resolved; NULL if it
								 * stands for no text, or for an element */
	size_t		key_length;
	const char *text;			/* of a string, likewise */
	size_t		text_length;
	struct RefValue *first;		/* elements or members, in their order */
	struct RefValue *last;
	struct RefValue *next;
} RefValue;

/* Until the second document after it is read. */
typedef struct RefDocument
{
	const RefValue *value;		/* what there is up to the defect, or NULL */
	bool		valid;
	JsonDefect	defect;			/* if not; without a message */
} RefDocument;

extern const RefDocument *reference_read(const char *text, size_t size,
										 int max_depth);

/* The last of an object's members with a key, or NULL. */
extern const RefValue *reference_member(const RefValue *value, const char *key);

#endif							/* JSON_REFERENCE_H */
