/*
 * async.h
 *		Tables that are read at the same time, under an Append.
 */
#ifndef HIBOB_ASYNC_H
#define HIBOB_ASYNC_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/* Callbacks of the executor. */
extern bool async_is_capable(ForeignPath *path);
extern void async_request(AsyncRequest *areq);
extern void async_configure_wait(AsyncRequest *areq);
extern void async_notify(AsyncRequest *areq);

#endif							/* HIBOB_ASYNC_H */
