/*
 * answer.h
 *		What HiBob answers in one run through a table: from conditions with
 *		their present values to rows.
 *
 * An answer may have several readers, scans of one statement that need the
 * same; whoever wants a row that has not come yet makes the answer go on.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "postgres.h"

#include "cache.h"
#include "exchange.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "options.h"
#include "request.h"
#include "row.h"

/*
 * Who asks what.  All that it points to has to live as long as the statement.
 */
typedef struct Question
{
	Oid			userid;
	Oid			serverid;
	Oid			relid;
	const TableOptions *options;
	RowMap	   *map;			/* the columns */
	ExchangeCounters *counters; /* added to */
	TupleTableSlot *gather_slot;	/* virtual, for rows on their way */
	bool	   *has_table;		/* noted: HiBob has shown the custom table */
} Question;

typedef struct Answer Answer;

/*
 * Asks, for the first of the readers.  The answer lies in memory of its own
 * below "parent", which cleans up after itself if an error ends the statement.
 * If rows are to be kept, all readers see all of them; and with a key they
 * are published in the session's cache when the last one has come.
 */
extern Answer *answer_create(const Question *question,
							 const RequestFilter *filter, MemoryContext parent,
							 bool keep, const char *cache_key);

/* A further reader. */
extern void answer_join(Answer *answer);

/* Its rows so far and to come, or a reader that is not open: see cache.h. */
extern const CacheReader *answer_kept(const Answer *answer);

/*
 * The conditions that it answers: with the values that they had.
 */
extern const RequestFilter *answer_filter(const Answer *answer);

/*
 * Reads the next row into one of two slots, a virtual one and one for minimal
 * tuples.  NULL after the last; or, unless it may "sleep", if there is none
 * yet: it is not finished then.
 */
extern TupleTableSlot *answer_next(Answer *answer, TupleTableSlot *slot,
								   TupleTableSlot *gathered, bool sleep);
extern bool answer_is_finished(const Answer *answer);

/* Of one that is not finished: a channel that tells when to ask again. */
extern HttpChannel *answer_channel(const Answer *answer);

/* One reader less; the last one ends what is under way. */
extern void answer_leave(Answer *answer);

/* ------------------------------------------------------------------------
 * Before anything is asked
 * ------------------------------------------------------------------------
 */

/*
 * Whether everybody's ids have to be known first.
 */
extern bool answer_needs_ids(const Question *question,
							 const RequestFilter *filter);

/* The requests for a filter; of wide rows, those for their first part. */
extern Request *answer_requests(const Question *question,
								const RequestFilter *filter);

/*
 * For the session's cache: a key of all that the rows depend on, and the
 * columns that they have, which may be more than somebody needs.
 */
extern const char *answer_key(const Question *question,
							  const RequestFilter *filter);
extern Bitmapset *answer_columns(const Question *question);

#endif							/* ANSWER_H */
