/*
 * inject.h
 *		Definitions that the wrappers and inject.c share: see build.sh.
 */
#ifndef INJECT_H
#define INJECT_H

/* How a function reports a failure. */
typedef enum InjectWay
{
	INJECT_NEVER,				/* it cannot fail */
	INJECT_RAISES,				/* an error of the server, 53200 */
	INJECT_RETURNS				/* a value, and perhaps errno */
} InjectWay;

/* A function that the library calls.  The wrappers depend on the layout. */
typedef struct InjectCall
{
	void	   *real;
	const char *name;
	long		way;
	long		value;
	long		error;			/* for errno; 0: unchanged */
} InjectCall;

#endif							/* INJECT_H */
