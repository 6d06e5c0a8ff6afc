/*
 * subtransaction.c
 *		Calls a function so that an error ends no more than the call.
 */
#include "postgres.h"

#include "access/xact.h"
#include "remote/subtransaction.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

ErrorData *
run_in_subtransaction(void (*function) (void *), void *arg,
					  MemoryContext context)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		function(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}
