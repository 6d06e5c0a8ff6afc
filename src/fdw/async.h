/*
 * async.h
 *		Tables that are read at the same time, under an Append.
 */
#ifndef HIBOB_FDW_ASYNC_H
#define HIBOB_FDW_ASYNC_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/* Callbacks of the executor. */
extern bool hibobIsForeignPathAsyncCapable(ForeignPath *path);
extern void hibobForeignAsyncRequest(AsyncRequest *areq);
extern void hibobForeignAsyncConfigureWait(AsyncRequest *areq);
extern void hibobForeignAsyncNotify(AsyncRequest *areq);

#endif							/* HIBOB_FDW_ASYNC_H */
