/*
 * compat.h
 *		Differences between the supported PostgreSQL versions, as macros and
 *		functions named by their meaning.  No other file of src/ depends on the
 *		version of the server.
 */
#ifndef HIBOB_COMPAT_H
#define HIBOB_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error hibob_fdw needs PostgreSQL 15 or newer
#endif

#include "catalog/pg_foreign_server.h"
#include "commands/explain.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "storage/waiteventset.h"
#endif
#if PG_VERSION_NUM >= 190000
#include "nodes/miscnodes.h"
#endif
#include "utils/acl.h"
#include "utils/date.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* From 18 on, a module has a name and a version. */
#if PG_VERSION_NUM >= 180000
#define HIBOB_MODULE_MAGIC(name_, version_) \
	PG_MODULE_MAGIC_EXT(.name = name_, .version = version_)
#else
#define HIBOB_MODULE_MAGIC(name_, version_) PG_MODULE_MAGIC
#endif

/* 15 exports the record of a function, but not the function. */
#define HIBOB_FUNCTION_INFO_V1(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/* 18 has a keyword in front of the declaration. */
#if PG_VERSION_NUM >= 180000
#define hibob_noreturn pg_noreturn
#else
#define hibob_noreturn pg_attribute_noreturn()
#endif

/* 17 has custom wait events; before, all extensions share one name. */
#if PG_VERSION_NUM >= 170000
#define hibob_new_wait_event(name) WaitEventExtensionNew(name)
#else
#define hibob_new_wait_event(name) PG_WAIT_EXTENSION
#endif

/* From 17 on the set belongs to a resource owner, not to a memory context. */
#if PG_VERSION_NUM >= 170000
#define hibob_create_wait_event_set(nevents) \
	CreateWaitEventSet(CurrentResourceOwner, nevents)
#else
#define hibob_create_wait_event_set(nevents) \
	CreateWaitEventSet(CurrentMemoryContext, nevents)
#endif

/* 17 added the restriction clauses of a pushed-down join, 18 disabled nodes. */
#if PG_VERSION_NUM >= 180000
#define hibob_create_foreignscan_path(root, rel, rows, startup, total, outer, \
									  private_) \
	create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, NIL, \
							outer, NULL, NIL, private_)
#elif PG_VERSION_NUM >= 170000
#define hibob_create_foreignscan_path(root, rel, rows, startup, total, outer, \
									  private_) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, NIL, \
							outer, NULL, NIL, private_)
#else
#define hibob_create_foreignscan_path(root, rel, rows, startup, total, outer, \
									  private_) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, NIL, \
							outer, NULL, private_)
#endif

/* 16 has one function for the privileges of all kinds of objects. */
#if PG_VERSION_NUM >= 160000
#define hibob_server_aclcheck(server, role) \
	object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE)
#else
#define hibob_server_aclcheck(server, role) \
	pg_foreign_server_aclcheck(server, role, ACL_USAGE)
#endif

/* 16 renamed the function. */
#if PG_VERSION_NUM >= 160000
#define hibob_init_materialized_srf(fcinfo) InitMaterializedSRF(fcinfo, 0)
#else
#define hibob_init_materialized_srf(fcinfo) SetSingleFuncCall(fcinfo, 0)
#endif

/* 19 takes one size of a hash table in shared memory instead of two. */
#if PG_VERSION_NUM >= 190000
#define hibob_shmem_init_hash(name, nelems, info, flags) \
	ShmemInitHash(name, nelems, info, flags)
#else
#define hibob_shmem_init_hash(name, nelems, info, flags) \
	ShmemInitHash(name, nelems, nelems, info, flags)
#endif

/*
 * 19 passes the columns that ANALYZE names to hibobImportForeignStatistics().
 */
#if PG_VERSION_NUM >= 190000
#define HIBOB_ANALYZE_PASSES_COLUMNS
#endif

/*
 * Conversions to timestamptz in the session's time zone.  A value that is out
 * of range becomes an infinite one.
 */
static inline TimestampTz
hibob_date_to_timestamptz(DateADT date)
{
#if PG_VERSION_NUM >= 190000
	ErrorSaveContext context = {.type = T_ErrorSaveContext};
	TimestampTz result = date2timestamptz_safe(date, (Node *) &context);

	if (context.error_occurred)
		return date < 0 ? DT_NOBEGIN : DT_NOEND;
	return result;
#else
	int			overflow;

	return date2timestamptz_opt_overflow(date, &overflow);
#endif
}

static inline TimestampTz
hibob_timestamp_to_timestamptz(Timestamp timestamp)
{
#if PG_VERSION_NUM >= 190000
	ErrorSaveContext context = {.type = T_ErrorSaveContext};
	TimestampTz result = timestamp2timestamptz_safe(timestamp,
													(Node *) &context);

	if (context.error_occurred)
		return timestamp < 0 ? DT_NOBEGIN : DT_NOEND;
	return result;
#else
	int			overflow;

	return timestamp2timestamptz_opt_overflow(timestamp, &overflow);
#endif
}

/* From 16 on, a variable has the outer joins that can make it null. */
#if PG_VERSION_NUM >= 160000
#define hibob_reset_nulling_rels(var) ((var)->varnullingrels = NULL)
#else
#define hibob_reset_nulling_rels(var) ((void) (var))
#endif

/*
 * Makes a copy of another query's table the only table of a query.  From 16 on,
 * its permissions are stored separately.
 */
#if PG_VERSION_NUM >= 160000
#define hibob_add_table(query, other, rte_) \
	do { \
		if ((rte_)->perminfoindex != 0) \
		{ \
			(query)->rteperminfos = \
				list_make1(copyObject(getRTEPermissionInfo((other)->rteperminfos, \
														   rte_))); \
			(rte_)->perminfoindex = 1; \
		} \
		(query)->rtable = list_make1(rte_); \
	} while (0)
#else
#define hibob_add_table(query, other, rte_) \
	((query)->rtable = list_make1(rte_))
#endif

/* 17 added the set operation that a query is a part of; 19 a name. */
#if PG_VERSION_NUM >= 190000
#define hibob_subquery_planner(root, query) \
	subquery_planner((root)->glob, query, \
					 choose_plan_name((root)->glob, "minmax", true), root, NULL, \
					 false, 0.0, NULL)
#elif PG_VERSION_NUM >= 170000
#define hibob_subquery_planner(root, query) \
	subquery_planner((root)->glob, query, root, false, 0.0, NULL)
#else
#define hibob_subquery_planner(root, query) \
	subquery_planner((root)->glob, query, root, false, 0.0)
#endif

/* 17 added WHEN NOT MATCHED BY SOURCE to MERGE. */
#if PG_VERSION_NUM >= 170000
#define hibob_merge_join_conditions(plan) ((plan)->mergeJoinConditions)
#else
#define hibob_merge_join_conditions(plan) NIL
#endif

/*
 * The role whose user mapping a scan uses: the one whose permissions are
 * checked for the table, which in a view is the view's owner.
 */
static inline Oid
hibob_scan_user(ForeignScan *plan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return OidIsValid(plan->checkAsUser) ? plan->checkAsUser : GetUserId();
#else
	int			rti = plan->scan.scanrelid;
	RangeTblEntry *rte;

	if (rti == 0)
		rti = bms_next_member(plan->fs_relids, -1);
	rte = exec_rt_fetch(rti, estate);
	return OidIsValid(rte->checkAsUser) ? rte->checkAsUser : GetUserId();
#endif
}

#endif							/* HIBOB_COMPAT_H */
