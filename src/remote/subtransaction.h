/*
 * subtransaction.h
 *		Calls a function so that an error ends no more than the call.
 */
#ifndef HIBOB_REMOTE_SUBTRANSACTION_H
#define HIBOB_REMOTE_SUBTRANSACTION_H

#include "postgres.h"

/*
 * Calls a function in a subtransaction and in a memory context.  Returns the
 * error, in the current memory context, or NULL.  After an error the caller
 * deletes the context, which releases what the function has acquired.
 */
extern ErrorData *run_in_subtransaction(void (*function) (void *), void *arg,
										MemoryContext context);

#endif							/* HIBOB_REMOTE_SUBTRANSACTION_H */
