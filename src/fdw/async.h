/*
 * async.h
 *		Asynchronous execution under an Append.
 */
#ifndef HIBOB_FDW_ASYNC_H
#define HIBOB_FDW_ASYNC_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern bool hibobIsForeignPathAsyncCapable(ForeignPath *path);
extern void hibobForeignAsyncRequest(AsyncRequest *areq);
extern void hibobForeignAsyncConfigureWait(AsyncRequest *areq);
extern void hibobForeignAsyncNotify(AsyncRequest *areq);

#endif							/* HIBOB_FDW_ASYNC_H */
